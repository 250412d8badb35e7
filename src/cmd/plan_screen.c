/* plan_screen: what N needs, why, and how it is opened; named lines, as the summary of a run. */
#include "cmd/plan_screen.h"

#include "base/text.h"

#include <string.h>

#define LINE_BYTES 256
#define COLUMNS    100
#define INDENT     13

/* Memory that the theory speaks of where none is given. */
#define THEORY_BYTES (UINT64_C(64) << 30)

struct screen {
	FILE *to;
	const struct plan_view *view;
	char buffer[LINE_BYTES];
	struct text line;
};

static struct text *begin(struct screen *s)
{
	text_init(&s->line, s->buffer, sizeof(s->buffer));
	return &s->line;
}

/* A named line of what was added; "" goes on with the one before. */
static void put(struct screen *s, const char *name)
{
	fprintf(s->to, "  %-*s %s\n", INDENT - 1, name, s->buffer);
	begin(s);
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* "1 server port", "355 source IPs" */
static void add_counted(struct text *t, uint64_t count, const char *what)
{
	text_count(t, count);
	text_add(t, " %s%s", what, plural(count));
}

/* --- the verdict ---------------------------------------------------------------------------- */

static void add_end(struct text *t, const struct plan_view *v)
{
	switch (v->sizing.ends) {
	case SIZING_END_MEMORY:
		text_bytes(t, v->ask.memory_bytes);
		text_add(t, " of memory");
		break;
	case SIZING_END_SOURCES:
		add_counted(t, v->ask.sources, "source IP");
		text_add(t, " to ");
		add_counted(t, v->ask.server_ports, "port");
		break;
	case SIZING_END_ADDRESSES:
	case SIZING_END_COUNT:
		text_add(t, v->ask.is_ipv6 ? "a /64 of source IPs" : "the addresses of IPv4");
		break;
	}
	text_add(t, v->sizing.ends == SIZING_END_SOURCES && v->ask.sources == 1
	                    ? " ends first, at "
	                    : " end first, at ");
	text_count(t, v->sizing.largest);
}

/* Whether ports are narrower than they could be. */
static bool has_wider(const struct plan_view *v)
{
	return v->ask.source_ports < SIZING_PORTS_WIDE;
}

static void put_remedy(struct screen *s)
{
	const struct plan_view *v = s->view;

	if (v->sizing.ends == SIZING_END_MEMORY) {
		text_bytes(&s->line, v->sizing.memory_bytes[SIZING_SERVER]);
		text_add(&s->line, " hold it, or several servers and clients");
	} else if (v->sizing.ends == SIZING_END_SOURCES) {
		text_add(&s->line, "it takes ");
		add_counted(&s->line, v->sizing.by_sources.sources, "source IP");
		if (v->sizing.by_ports.is_possible) {
			text_add(&s->line, ", or ");
			add_counted(&s->line, v->sizing.by_ports.server_ports, "server port");
		}
		text_add(&s->line, "%s", has_wider(v) ? ", or wider --ports" : "");
	} else {
		text_add(&s->line, "more --server-ports%s%s", has_wider(v) ? ", wider --ports" : "",
		         v->ask.is_ipv6 ? "" : ", or --ipv6");
	}
	put(s, "");
}

static void put_verdict(struct screen *s)
{
	const struct plan_view *v = s->view;

	begin(s);
	if (v->sizing.fits && v->sizing.ends == SIZING_END_ADDRESSES) {
		text_add(&s->line,
		         "as far as addresses go; --memory SIZE and --sources K say more");
	} else {
		add_end(&s->line, v);
	}
	put(s, v->sizing.fits ? "fits" : "does not fit");
	if (!v->sizing.fits)
		put_remedy(s);
}

/* --- the theory ----------------------------------------------------------------------------- */

static void put_theory(struct screen *s)
{
	const struct plan_view *v = s->view;
	uint64_t bytes = v->ask.memory_bytes > 0 ? v->ask.memory_bytes : THEORY_BYTES;

	text_add(&s->line, "source IP, source port, server IP, server port: no two connections "
	                   "have the same four");
	put(s, "4-tuple");
	text_add(&s->line, "up to %s connections;",
	         v->ask.is_ipv6 ? "2^64 source IPs of each /64 x 2^16 source ports = 1.2 x 10^24"
	                        : "2^32 source IPs x 2^16 source ports = 2.8 x 10^14");
	put(s, "server port");
	text_add(&s->line, "memory ends first: ");
	text_bytes(&s->line, bytes);
	text_add(&s->line, " hold ");
	text_count(&s->line, sizing_held(bytes, SIZING_SERVER, v->ask.is_ipv6));
	put(s, "");
	text_add(&s->line, "at most 65,535 connections to one server port (64k); ");
	text_count(&s->line, v->ask.source_ports);
	text_add(&s->line, " with ports %u-%u", v->port_low, v->port_high);
	put(s, "source IP");
}

/* --- what N needs --------------------------------------------------------------------------- */

static void put_shape(struct screen *s, const char *name, const struct sizing_shape *shape)
{
	add_counted(&s->line, shape->sources, "source IP");
	text_add(&s->line, " x ");
	add_counted(&s->line, s->view->ask.source_ports, "source port");
	text_add(&s->line, " x ");
	add_counted(&s->line, shape->server_ports, "server port");
	if (shape->is_possible) {
		text_add(&s->line, " = ");
		text_count(&s->line, shape->room);
	} else {
		text_add(&s->line, ": not possible");
	}
	put(s, name);
}

static void put_descriptors(struct screen *s)
{
	const struct plan_view *v = s->view;

	text_add(&s->line, "none with io_uring, whose tables are its own; other programs ");
	text_count(&s->line, v->sizing.n);
	put(s, "descriptors");
	text_add(&s->line, "at each end: ");
	text_count(&s->line, v->sizing.processes);
	text_add(&s->line, " process%s with a limit of ", v->sizing.processes == 1 ? "" : "es");
	text_count(&s->line, v->ask.nofile);
	text_add(&s->line, " (ulimit -n, fs.nr_open)");
	put(s, "");
}

static void put_memory(struct screen *s)
{
	static const char *const names[] = {"server ", " | client ", " | both on one machine "};
	const struct plan_view *v = s->view;
	char given[32];
	struct text name;

	for (int role = 0; role < SIZING_ROLE_COUNT; role++) {
		text_add(&s->line, "%s", names[role]);
		text_bytes(&s->line, v->sizing.memory_bytes[role]);
	}
	put(s, "memory");
	text_add(&s->line, "of which 5 %% stay free, at least 512 MiB; doctor measures a kernel's "
	                   "own figure");
	put(s, "");
	if (v->ask.memory_bytes == 0)
		return;
	text_init(&name, given, sizeof(given));
	text_bytes(&name, v->ask.memory_bytes);
	for (int role = 0; role < SIZING_ROLE_COUNT; role++) {
		text_add(&s->line, "%s", names[role]);
		text_count(&s->line, v->sizing.held[role]);
	}
	put(s, given);
}

/* What a wider range of source ports spares. */
static void put_wider(struct screen *s)
{
	const struct sizing *sizing = &s->view->sizing;

	if (sizing->sources_wide >= sizing->by_sources.sources)
		return;
	text_add(&s->line, "or ");
	add_counted(&s->line, sizing->sources_wide, "source IP");
	text_add(&s->line, " with --ports %d-%d", SIZING_PORT_WIDE_LOW, SIZING_PORT_WIDE_HIGH);
	put(s, "");
}

static void put_needs(struct screen *s)
{
	put_shape(s, "solution 1", &s->view->sizing.by_sources);
	put_wider(s);
	put_shape(s, "solution 2", &s->view->sizing.by_ports);
	put_descriptors(s);
	put_memory(s);
}

/* --- what to run ---------------------------------------------------------------------------- */

static void put_runs(struct screen *s)
{
	const struct sizing *sizing = &s->view->sizing;

	if (sizing->clients <= 1)
		return;
	text_count(&s->line, sizing->clients);
	text_add(&s->line, " clients so, each with source IPs of its own");
	if (sizing->servers > 1) {
		text_add(&s->line, ", and ");
		text_count(&s->line, sizing->servers);
		text_add(&s->line, " servers");
	}
	put(s, "in all");
}

/* A command that is too long goes on below, as a shell takes it. */
static void put_command(struct screen *s, const char *name, const char *line)
{
	const char *second = strstr(line, " --source ");

	if (strlen(line) + INDENT + 2 <= COLUMNS || !second) {
		text_add(&s->line, "%s", line);
		put(s, name);
		return;
	}
	text_add(&s->line, "%.*s \\", (int)(second - line), line);
	put(s, name);
	text_add(&s->line, "   %s", second);
	put(s, "");
}

static void put_commands(struct screen *s)
{
	static const char *const names[] = {
		[PLAN_SERVER] = "server",
		[PLAN_CLIENT] = "a client",
		[PLAN_PORTS_SERVER] = "or by ports",
		[PLAN_PORTS_CLIENT] = "",
		[PLAN_LAB] = "one machine",
	};
	const struct plan_view *v = s->view;

	if (!v->sizing.fits) {
		text_count(&s->line, v->sizing.largest);
		text_add(&s->line, " connections:");
		put(s, "what fits");
	}
	for (uint32_t i = 0; i < v->command_count; i++) {
		enum plan_place place = v->commands[i].place;
		bool goes_on = i > 0 && v->commands[i - 1].place == place;

		put_command(s, goes_on ? "" : names[place], v->commands[i].line);
	}
	put_runs(s);
	text_add(&s->line,
	         "what a machine lacks, doctor and tune diff say; tune apply raises that alone");
	put(s, "settings");
}

void plan_screen_print(FILE *to, const struct plan_view *view)
{
	struct screen s = {.to = to, .view = view};

	begin(&s);
	text_count(&s.line, view->sizing.n);
	fprintf(to, "%s connection%s over IPv%d\n", s.buffer, plural(view->sizing.n),
	        view->ask.is_ipv6 ? 6 : 4);
	put_verdict(&s);
	fprintf(to, "\n");
	put_theory(&s);
	fprintf(to, "\n");
	put_needs(&s);
	if (view->command_count == 0)
		return;
	fprintf(to, "\n");
	put_commands(&s);
}
