/* server_http: see the header. Of a connection nothing is kept while no part of a request, and no
 * part of an answer, is under way: the usual request comes whole and its answer goes out in one
 * send. So of the table only what is in the middle of something is touched. */
#include "run/server_http.h"

#include "base/map.h"
#include "behave/responder.h"
#include "run/server_state.h"

struct server_http {
	struct response response;
	struct responder fresh, now;
	struct bits kept; /* its responder stands in the table */
	struct responder *table;
};

bool server_http_make(struct server *s)
{
	struct server_http *h = map_private(sizeof(*h));

	s->http = h;
	if (!h || !bits_make(&h->kept, s->capacity))
		return false;
	response_make(&h->response, s->x->body_bytes);
	responder_init(&h->fresh);
	h->table = map_private((size_t)s->capacity * sizeof(*h->table));
	return h->table != NULL;
}

void server_http_opened(struct server *s, uint32_t index)
{
	bits_clear(&s->http->kept, index);
}

/* Writes what comes next, and what is left to say is left to the next time. */
static bool say(struct server *s, uint32_t index, struct responder *r)
{
	const struct responder before = *r;
	uint32_t len = responder_say(r, &s->http->response, s->out, s->most);

	if (len == 0 || server_send(s, index, s->out, len))
		return true;
	*r = before;
	return false;
}

static void keep(struct server_http *h, uint32_t index, const struct responder *r)
{
	h->table[index] = *r;
	bits_set(&h->kept, index);
}

void server_http_heard(struct server *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	struct server_http *h = s->http;
	struct responder *r = &h->now;

	*r = bits_has(&h->kept, index) ? h->table[index] : h->fresh;
	responder_hear(r, data, len);
	if (!responder_has_answer(r)) {
		keep(h, index, r);
		engine_receive(s->engine, index, ENGINE_WAIT_SOON);
		return;
	}
	bool is_said = say(s, index, r);

	if (!is_said)
		bits_set(&s->waiting, index);
	if (is_said && responder_rests(r))
		bits_clear(&h->kept, index);
	else
		keep(h, index, r);
}

bool server_http_say(struct server *s, uint32_t index)
{
	return say(s, index, &s->http->table[index]);
}

void server_http_sent(struct server *s, uint32_t index)
{
	struct server_http *h = s->http;
	const struct responder *r = bits_has(&h->kept, index) ? &h->table[index] : &h->fresh;

	if (responder_has_answer(r)) {
		server_say(s, index);
	} else if (r->ends) {
		server_drop(s, index, 0);
	} else {
		if (responder_rests(r))
			bits_clear(&h->kept, index);
		engine_receive(s->engine, index, ENGINE_WAIT_IDLE);
	}
}
