/* probe_idle: see the header. */
#include "cmd/probe_idle.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* A target has a colon, an option a dash in front: what has neither is its value, right or not. */
static bool is_value(const char *word)
{
	return word && word[0] != '-' && !strchr(word, ':');
}

void probe_idle_complete(int argc, char **argv)
{
	static char whole[] = "--probe-idle=10m";

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--probe-idle") == 0 && !is_value(argv[i + 1]))
			argv[i] = whole;
	}
}

static bool goes_with_it(const char *name)
{
	static const char *const names[] = {
		"probe-idle", "connections", "source", "ports", "timeout",      "retries", "proof",
		"ipv4",       "ipv6",        "json",   "out",   "allow-public", "quiet",   "help"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static size_t bytes_of(enum opt_kind kind)
{
	switch (kind) {
	case OPT_FLAG:
		return sizeof(bool);
	case OPT_TEXT:
		return sizeof(const char *);
	case OPT_CHOICE:
		return sizeof(int);
	case OPT_PORTS:
		return sizeof(struct opt_ports);
	case OPT_SIZES:
		return sizeof(struct opt_sizes);
	case OPT_PERCENT: /* that it was given comes after the number */
		return sizeof(uint64_t) + sizeof(bool);
	case OPT_TEXTS:
		return sizeof(struct opt_texts);
	default:
		return sizeof(uint64_t);
	}
}

int probe_idle_check(const struct opt *options, size_t count, const void *command,
                     const void *usual, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *one = (const char *)command + options[i].offset;
		const char *other = (const char *)usual + options[i].offset;

		if (goes_with_it(options[i].name) ||
		    memcmp(one, other, bytes_of(options[i].kind)) == 0)
			continue;
		return err_set(err, -EINVAL,
		               "--%s does not go with --probe-idle, whose connections only rest",
		               options[i].name);
	}
	return 0;
}
