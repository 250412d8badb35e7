/* wall_kind: how rows are written. */
#include "plan/wall_kind.h"

#include "plan/capacity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct text at_end(char *buffer, size_t size)
{
	return (struct text){.at = buffer, .size = size, .len = strlen(buffer)};
}

struct text wall_shown(struct wall_row *row)
{
	return at_end(row->shown, sizeof(row->shown));
}

struct text wall_fix(struct wall_row *row)
{
	return at_end(row->fix, sizeof(row->fix));
}

bool wall_value(struct wall_row *row, uint64_t value)
{
	struct text t = wall_shown(row);

	if (value == LIMITS_UNKNOWN) {
		row->state = WALL_UNKNOWN;
		text_add(&t, "unknown: it cannot be read");
		return false;
	}
	if (value == LIMITS_NONE) {
		text_add(&t, "unlimited");
		return false;
	}
	row->value = value;
	text_count(&t, value);
	return true;
}

void wall_bounds(struct wall_row *row, uint64_t allows, uint64_t needed)
{
	row->allows = allows;
	row->needed = needed;
}

uint64_t wall_numbered(const struct walls_case *c)
{
	return c->n < CAPACITY_INDEX_MOST ? c->n : CAPACITY_INDEX_MOST;
}

/* The next of the report's asks, or NULL where it is full. */
static struct wall_ask *next_ask(struct wall_report *out, const struct wall_row *row,
                                 const char *name)
{
	struct wall_ask *ask;

	if (out->ask_count == WALL_ASKS_MOST)
		return NULL;
	ask = &out->asks[out->ask_count++];
	*ask = (struct wall_ask){.row = row->id, .name = name};
	return ask;
}

void wall_ask(struct wall_report *out, struct wall_row *row, const char *name, const char *fmt, ...)
{
	struct wall_ask *ask = next_ask(out, row, name);
	struct text t = wall_fix(row);
	va_list args;

	if (!ask)
		return;
	va_start(args, fmt);
	vsnprintf(ask->value, sizeof(ask->value), fmt, args);
	va_end(args);
	text_add(&t, strchr(ask->value, ' ') ? "%ssysctl -w %s='%s'" : "%ssysctl -w %s=%s",
	         t.len > 0 ? "; " : "", name, ask->value);
}

void wall_meets(struct wall_report *out, const struct wall_row *row, const char *name,
                const char *fmt, ...)
{
	struct wall_ask *ask = next_ask(out, row, name);
	va_list args;

	if (!ask)
		return;
	ask->is_met = true;
	va_start(args, fmt);
	vsnprintf(ask->value, sizeof(ask->value), fmt, args);
	va_end(args);
}

void wall_slows(struct wall_report *out, struct wall_row *row, const char *name, uint64_t value,
                uint64_t wanted, const char *why)
{
	struct text t;

	if (!wall_value(row, value))
		return;
	t = wall_shown(row);
	text_add(&t, ": %s", why);
	row->needed = wanted;
	if (value < wanted)
		wall_ask(out, row, name, "%llu", (unsigned long long)wanted);
	else
		wall_meets(out, row, name, "%llu", (unsigned long long)value);
}

bool wall_for_clients(const struct walls_case *c)
{
	return c->role != WALL_ROLE_SERVER;
}

bool wall_for_servers(const struct walls_case *c)
{
	return c->role != WALL_ROLE_CLIENT;
}
