/* classic_next: a function for each step. Verbs are those of the Makefile, as they are typed. */
#include "cmd/classic_next.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 1024

struct words {
	struct text t;
	const struct classic_case *of;
};

/* "sudo make ifup CONFIG=other.conf" */
static void add_verb(struct words *w, const char *verb, bool needs_root)
{
	const char *config = w->of->config;

	text_add(&w->t, "%smake %s", needs_root && !w->of->is_root ? "sudo " : "", verb);
	if (strcmp(config, "megaconn.conf") != 0)
		text_add(&w->t, " CONFIG=%s", text_quote(config, strlen(config)).text);
}

/* A verb here, in the midst of a sentence. */
static void add(struct words *w, const char *before, const char *verb, const char *after)
{
	static const char *const of_root[] = {"tune", "ping", "ifup", "ifdown", "untune"};
	bool needs_root = false;

	for (size_t i = 0; i < sizeof(of_root) / sizeof(of_root[0]); i++)
		needs_root |= strcmp(verb, of_root[i]) == 0;
	text_add(&w->t, "%s", before);
	add_verb(w, verb, needs_root);
	text_add(&w->t, "%s", after);
}

/* Two verbs, both of them here. */
static void add_two(struct words *w, const char *before, const char *verb, const char *then)
{
	add(w, before, verb, "");
	add(w, ", then ", then, "\n");
}

static bool are_loopback(const struct classic_conf *conf)
{
	struct ip first = pool_at(&conf->clients, 0);

	return ip_is_loopback(&first);
}

/* Aliases that ifup has added, or somebody. */
static bool has_aliases(const struct classic_case *of)
{
	return of->host->clients_here > 0 && !are_loopback(of->conf);
}

static void add_neither(struct words *w)
{
	const char *config = w->of->config;

	text_add(
		&w->t,
		"next: this host is neither of the two: server-ip %s is not its own, and it has no "
		"%s: correct %s, or go to the hosts that it names\n",
		w->of->conf->server_ip, w->of->conf->device,
		text_quote(config, strlen(config)).text);
}

/* Where answers to client-ips would not find back by the link alone. */
static void add_route_note(struct words *w)
{
	const struct classic_host *host = w->of->host;
	char text[IP_TEXT_BYTES];

	if (host->place != CLASSIC_CLIENT || host->has_network || !host->has_device ||
	    host->own.family == 0 || are_loopback(w->of->conf))
		return;
	text_add(
		&w->t,
		"note: client-ips are in no network of %s: the server needs a route to them by way "
		"of %s\n",
		w->of->conf->device, ip_format(&host->own, text));
}

static void after_tune(struct words *w)
{
	switch (w->of->host->place) {
	case CLASSIC_ONE_HOST:
		add_two(w, "next: ", "run-srv", "run-cli");
		break;
	case CLASSIC_SERVER:
		add(w, "next: ", "run-srv", "; on the client: make tune, then make ping\n");
		break;
	case CLASSIC_CLIENT:
		add(w, "next: ", "ping", "; on the server: make tune, then make run-srv\n");
		break;
	case CLASSIC_NEITHER:
		add_neither(w);
		break;
	}
}

static void after_ping(struct words *w)
{
	const struct classic_host *host = w->of->host;

	add_route_note(w);
	if (host->place == CLASSIC_ONE_HOST)
		add_two(w, "next: ", "run-srv", "run-cli");
	else if (host->place == CLASSIC_SERVER)
		add(w, "next, on the client: make ping; this is the server's host: here ",
		    "run-srv", "\n");
	else if (host->place == CLASSIC_NEITHER)
		add_neither(w);
	else if (host->clients_here == host->clients)
		add(w, "next: client-ips are up: ", "run-cli",
		    ", when the server runs (on it: make run-srv)\n");
	else
		add(w, "next: ", "ifup", "\n");
}

static void after_ping_taken(struct words *w)
{
	const char *config = w->of->config;

	text_add(&w->t, "next: put other addresses, that nobody has, into client-ips of %s",
	         text_quote(config, strlen(config)).text);
	add(w, ", then ", "ping", " again\n");
}

static void after_up(struct words *w)
{
	add_route_note(w);
	if (w->of->host->has_server)
		add_two(w, "next: server-ip is this host's, too: ", "run-srv", "run-cli");
	else
		add(w, "next: ", "run-cli", ", when the server runs (on it: make run-srv)\n");
}

static void after_run_srv(struct words *w)
{
	if (w->of->host->place == CLASSIC_ONE_HOST)
		add(w, "next: ", "run-cli", "\n");
	else
		text_add(&w->t, "next, on the client: make ping, make ifup, then make run-cli\n");
}

static void after_stop_cli(struct words *w)
{
	bool is_one = w->of->host->has_server;

	if (has_aliases(w->of) && is_one)
		add_two(w, "next: ", "ifdown", "stop-srv");
	else if (has_aliases(w->of))
		add(w, "next: ", "ifdown", "; on the server: make stop-srv\n");
	else if (is_one)
		add(w, "next: ", "stop-srv", "\n");
	else
		add(w, "next: ", "untune", "; on the server: make stop-srv\n");
}

static void after_down(struct words *w)
{
	if (w->of->host->has_server)
		add_two(w, "next: ", "stop-srv", "untune");
	else
		add(w, "next: ", "untune", "; on the server: make stop-srv, then make untune\n");
}

static void after_stop_srv(struct words *w)
{
	if (has_aliases(w->of))
		add_two(w, "next: ", "ifdown", "untune");
	else
		add(w, "next: ", "untune", "\n");
}

static void after_untune(struct words *w)
{
	if (has_aliases(w->of))
		add(w, "next: client-ips are still up: ", "ifdown", "\n");
	else
		text_add(&w->t, "next: nothing; this host is as it was\n");
}

static void (*const steps[CLASSIC_STEP_COUNT])(struct words *w) = {
	[CLASSIC_TUNED] = after_tune,
	[CLASSIC_PINGED] = after_ping,
	[CLASSIC_PINGED_TAKEN] = after_ping_taken,
	[CLASSIC_UP] = after_up,
	[CLASSIC_SERVING] = after_run_srv,
	[CLASSIC_ENDED_CLIENT] = after_stop_cli,
	[CLASSIC_DOWN] = after_down,
	[CLASSIC_ENDED_SERVER] = after_stop_srv,
	[CLASSIC_UNTUNED] = after_untune,
};

void classic_next_text(enum classic_step after, const struct classic_case *of, char *out,
                       size_t size)
{
	struct words w = {.of = of};

	text_init(&w.t, out, size);
	steps[after](&w);
}

void classic_next(enum classic_step after, const char *config)
{
	static struct classic_conf conf;
	struct classic_host host;
	char out[TEXT_BYTES];
	struct err err;

	if (!config || classic_conf_read(config, &conf, &err) < 0 ||
	    classic_host_look(&conf, &host, &err) < 0)
		return;
	const struct classic_case of = {
		.conf = &conf, .host = &host, .config = config, .is_root = geteuid() == 0};

	classic_next_text(after, &of, out, sizeof(out));
	printf("%s", out);
}
