/* client_churn: see the header. */
#include "run/client_churn.h"

#include "run/client_state.h"

bool client_churn_make(struct client *c)
{
	(void)c;
	return true;
}

void client_churn_begin(struct client *c)
{
	(void)c;
}

void client_churn_due(struct client *c)
{
	(void)c;
}

uint64_t client_churn_next_ns(const struct client *c)
{
	(void)c;
	return UINT64_MAX;
}

void client_churn_answered(struct client *c, uint32_t conn)
{
	(void)c;
	(void)conn;
}

bool client_churn_tuple(struct client *c, uint32_t conn, uint64_t *number)
{
	*number = c->me->first + conn;
	return true;
}
