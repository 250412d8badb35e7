/* client_traffic: see the header. */
#include "run/client_traffic.h"

#include "run/client_state.h"

bool client_traffic_make(struct client *c)
{
	(void)c;
	return true;
}

void client_traffic_begin(struct client *c)
{
	(void)c;
}

void client_traffic_end(struct client *c)
{
	(void)c;
}

bool client_traffic_is_idle(const struct client *c)
{
	(void)c;
	return true;
}

void client_traffic_say_due(struct client *c)
{
	(void)c;
}

uint64_t client_traffic_next_ns(const struct client *c)
{
	(void)c;
	return UINT64_MAX;
}

void client_traffic_opened(struct client *c, uint32_t conn)
{
	(void)c;
	(void)conn;
}

void client_traffic_closed(struct client *c, uint32_t conn)
{
	(void)c;
	(void)conn;
}

bool client_traffic_is_busy(const struct client *c, uint32_t conn)
{
	(void)c;
	(void)conn;
	return false;
}

void client_traffic_on_sent(struct client *c, uint32_t conn, const struct engine_event *event)
{
	(void)c;
	(void)conn;
	(void)event;
}

void client_traffic_on_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	(void)conn;
	(void)data;
	shm_set(c->me->received_bytes, c->me->received_bytes + len);
}

void client_traffic_message(const struct client *c, uint32_t conn, uint8_t *out)
{
	(void)c;
	(void)conn;
	(void)out;
}
