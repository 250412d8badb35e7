/* client_storm: see the header. */
#include "run/client_storm.h"

#include "run/client_state.h"

void client_storm_begin(struct client *c)
{
	(void)c;
}

void client_storm_due(struct client *c)
{
	(void)c;
}

uint64_t client_storm_next_ns(const struct client *c)
{
	(void)c;
	return UINT64_MAX;
}
