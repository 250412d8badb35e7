/* api: see the header. */
#include "out/api.h"

#include "base/clock.h"
#include "base/unit.h"
#include "out/api_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX      "/api/v1/"
#define TYPE_TEXT   "text/plain; charset=utf-8"
#define TYPE_JSON   "application/json"
#define TYPE_BITS   "application/octet-stream"
#define OK          200
#define CREATED     201
#define NO_CONTENT  204
#define BAD_REQUEST 400
#define NOT_FOUND   404
#define BAD_METHOD  405
#define NO_ROOM     507

/* What the path says: /api/v1/runs/ID/proved/ROUND. */
struct target {
	uint32_t id;
	unsigned int round; /* 0 .. API_ROUNDS - 1 */
};

struct call {
	const struct api_source *source;
	const struct api_request *request;
	struct target target;
	struct api_answer *out;
};

/* --- answers ------------------------------------------------------------------------------ */

/* `body` is freed with the answer. */
static bool give(struct api_answer *out, unsigned int status, const char *type, char *body,
                 size_t len)
{
	out->status = status;
	out->type = type;
	out->body = body;
	out->len = len;
	return body != NULL;
}

static bool give_line(struct api_answer *out, unsigned int status, const char *line)
{
	size_t len = strlen(line);
	char *body = malloc(len + 2);

	if (body)
		snprintf(body, len + 2, "%s\n", line);
	return give(out, status, TYPE_TEXT, body, len + 1);
}

static bool give_json(struct api_answer *out, unsigned int status, char *text)
{
	return give(out, status, TYPE_JSON, text, text ? strlen(text) : 0);
}

static bool give_no_run(struct api_answer *out)
{
	return give_line(out, NOT_FOUND, "no such run: it has ended, or the server was restarted");
}

static bool answer_server(struct call *c)
{
	struct api_server server;

	memset(&server, 0, sizeof(server));
	c->source->describe(c->source->context, &server);
	return give_json(c->out, OK, api_json_server(&server));
}

static bool answer_bill(struct call *c)
{
	static struct result_memory memory;

	if (!c->source->bill(c->source->context, &memory) || memory.connections == 0)
		return give_line(c->out, NOT_FOUND,
		                 "no bill yet: it is taken when the most connections that the "
		                 "server has held have stood for a second");
	return give_json(c->out, OK, api_json_bill(&memory));
}

static bool announce(struct call *c)
{
	static struct roll_said said;
	struct err err = {""};
	uint32_t id = 0;
	int failed = api_read_said(c->request->body, c->request->body_len, &said, &err);

	if (failed == 0)
		failed = c->source->enter(c->source->context, &said, &id, &err);
	if (failed == -ENOSPC)
		return give_line(c->out, NO_ROOM, err.text);
	if (failed != 0)
		return give_line(c->out, BAD_REQUEST, err.text);
	return give_json(c->out, CREATED, api_json_id(id));
}

static bool answer_run(struct call *c)
{
	const struct roll_run *run;
	struct api_look look;

	memset(&look, 0, sizeof(look));
	if (!c->source->look(c->source->context, c->target.id, &look))
		return give_no_run(c->out);
	run = roll_find(c->source->roll, c->target.id);
	return run ? give_json(c->out, OK, api_json_look(c->target.id, &run->said, &look))
	           : give_no_run(c->out);
}

static bool answer_bits(struct call *c)
{
	const struct roll_run *run = roll_ask(c->source->roll, c->target.id, clock_now_ns());

	if (!run)
		return give_no_run(c->out);
	size_t len = roll_bits_bytes(run);
	char *bits = malloc(len);

	if (bits)
		memcpy(bits, roll_bits(c->source->roll, run, c->target.round), len);
	return give(c->out, OK, TYPE_BITS, bits, len);
}

static bool strike(struct call *c)
{
	if (!c->source->strike(c->source->context, c->target.id))
		return give_no_run(c->out);
	c->out->status = NO_CONTENT;
	return true;
}

/* --- requests ----------------------------------------------------------------------------- */

/* `#` is a number; methods that a path has not are NULL. */
static const struct endpoint {
	const char *path;
	const char *allow;
	bool (*get)(struct call *c);
	bool (*post)(struct call *c);
	bool (*remove)(struct call *c);
} endpoints[] = {
	{"server", "GET, HEAD", answer_server, NULL, NULL},
	{"bill", "GET, HEAD", answer_bill, NULL, NULL},
	{"runs", "POST", NULL, announce, NULL},
	{"runs/#", "GET, HEAD, DELETE", answer_run, NULL, strike},
	{"runs/#/proved/#", "GET, HEAD", answer_bits, NULL, NULL},
};
#define ENDPOINT_COUNT (sizeof(endpoints) / sizeof(endpoints[0]))

/* Whether the path has this form; its numbers, at most two, in *numbers. */
static bool has_form(const char *path, const char *form, uint64_t *numbers)
{
	const char *end = path + strlen(path);

	for (; *form != '\0'; form++) {
		if (*form == '#') {
			if (!unit_take_digits(&path, end, numbers++))
				return false;
		} else if (*path++ != *form) {
			return false;
		}
	}
	return *path == '\0';
}

static const struct endpoint *find(const char *path, struct target *target)
{
	uint64_t numbers[2] = {1, 1};

	if (strncmp(path, PREFIX, strlen(PREFIX)) != 0)
		return NULL;
	for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
		if (!has_form(path + strlen(PREFIX), endpoints[i].path, numbers))
			continue;
		if (numbers[0] == 0 || numbers[0] > UINT32_MAX || numbers[1] == 0 ||
		    numbers[1] > API_ROUNDS)
			return NULL;
		*target = (struct target){(uint32_t)numbers[0], (unsigned int)numbers[1] - 1};
		return &endpoints[i];
	}
	return NULL;
}

const char *api_allow(const char *path)
{
	struct target target;
	const struct endpoint *endpoint = find(path, &target);

	return endpoint ? endpoint->allow : NULL;
}

bool api_answer(const struct api_source *source, const struct api_request *request,
                struct api_answer *out)
{
	struct call c = {.source = source, .request = request, .out = out};
	const struct endpoint *endpoint = find(request->path, &c.target);
	bool (*call)(struct call *) = NULL;

	memset(out, 0, sizeof(*out));
	if (!endpoint)
		return give_line(out, NOT_FOUND, "no such page");
	if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
		call = endpoint->get;
	else if (strcmp(request->method, "POST") == 0)
		call = endpoint->post;
	else if (strcmp(request->method, "DELETE") == 0)
		call = endpoint->remove;
	if (call)
		return call(&c);
	return give_line(out, BAD_METHOD, endpoint->allow);
}
