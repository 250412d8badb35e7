/* opt: command-line options declared as a table. getopt_long splits; names, values, bounds and
 * error texts are done here. */
#include "base/opt.h"

#include "base/text.h"
#include "base/unit.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TABLE_MAX   64
#define LONG_BASE   256 /* getopt_long returns LONG_BASE + index for a long name */
#define SHOWN_MAX   48  /* bytes of a user's word in an error text */
#define HELP_COLUMN 32  /* where help starts at the latest */

#define PERCENT_PARTS 10000.0 /* of a million */
#define PERCENT_ALL   1000000

struct parser {
	const struct opt *opts;
	size_t count;
	const char *command;
	char **argv;
	unsigned char *out;
	struct err *err;
	struct option longs[TABLE_MAX + 1];
	char shorts[2 * TABLE_MAX + 2];
};

/* What an error text shows of one option: "--hold" or "-n", as it was typed. */
struct name {
	char text[SHOWN_MAX + 8];
};

/* A unit as the user may type it, largest first, for bounds in error texts. */
struct scale {
	uint64_t factor;
	const char *suffix;
};

static struct name name_of(const char *dashes, const char *word, size_t len)
{
	struct name name;
	int shown = len < SHOWN_MAX ? (int)len : SHOWN_MAX;

	snprintf(name.text, sizeof(name.text), "%s%.*s%s", dashes, shown, word,
	         len > SHOWN_MAX ? "..." : "");
	return name;
}

static struct name shown_value(const char *value)
{
	return name_of("", value, strlen(value));
}

static struct name letter_name(int letter)
{
	char c = (char)letter;

	return name_of("-", &c, 1);
}

static int unknown_option(const struct parser *p, const struct name *name)
{
	const char *command = p->command ? p->command : "";

	return err_set(p->err, -EINVAL, "unknown option %s (see 'megaconn %s%s--help')", name->text,
	               command, command[0] != '\0' ? " " : "");
}

static const char *form_of(enum opt_kind kind)
{
	switch (kind) {
	case OPT_COUNT:
		return "a count (try 1000, 10k, 1M)";
	case OPT_COUNT_MAX:
		return "a count (try 1000, 10k, 1M, or max)";
	case OPT_RATE:
		return "a rate (try 1000, 10k/s, 1M/s)";
	case OPT_RATE_MAX:
		return "a rate (try 1000, 10k/s, or max)";
	case OPT_SIZES:
		return "a size, or two (try 64, 64-4KiB)";
	case OPT_PERCENT:
		return "a part (try 30%, 0.001%)";
	case OPT_SIZE:
		return "a size (try 512, 64KiB, 2GiB)";
	case OPT_DURATION:
		return "a duration (try 30s, 500ms, 2m)";
	case OPT_PORTS:
		return "a port or a range of ports within 1-65535 (try 8090, 8090-8119)";
	default:
		return "a value";
	}
}

static int bad_form(const struct parser *p, const struct opt *opt, const struct name *name,
                    const char *value)
{
	struct name shown = shown_value(value);

	return err_set(p->err, -EINVAL, "%s %s: not %s", name->text, shown.text,
	               form_of(opt->kind));
}

/* Appends a bound exactly, in the largest unit that leaves it whole. */
static void add_bound(struct text *t, enum opt_kind kind, uint64_t bound)
{
	static const struct scale sizes[] = {
		{UINT64_C(1) << 40, "TiB"},
		{UINT64_C(1) << 30, "GiB"},
		{UINT64_C(1) << 20, "MiB"},
		{UINT64_C(1) << 10, "KiB"},
		{1, ""},
	};
	static const struct scale durations[] = {
		{UINT64_C(3600000000000), "h"},
		{UINT64_C(60000000000), "m"},
		{UINT64_C(1000000000), "s"},
		{1000000, "ms"},
		{1000, "us"},
		{1, "ns"},
	};
	static const struct scale rates[] = {{1, "/s"}};
	static const struct scale counts[] = {{1, ""}};
	const struct scale *scale = counts;

	if (kind == OPT_PERCENT) {
		text_add(t, "%g%%", (double)bound / PERCENT_PARTS);
		return;
	}
	if (kind == OPT_SIZE || kind == OPT_SIZES)
		scale = sizes;
	else if (kind == OPT_DURATION)
		scale = durations;
	else if (kind == OPT_RATE || kind == OPT_RATE_MAX)
		scale = rates;
	while (scale->factor > 1 && (bound == 0 || bound % scale->factor != 0))
		scale++;
	text_add(t, "%" PRIu64 "%s", bound / scale->factor, scale->suffix);
}

static int out_of_bounds(const struct parser *p, const struct opt *opt, const struct name *name,
                         const char *value, const char *relation, uint64_t bound)
{
	struct name shown = shown_value(value);
	char buffer[32];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	add_bound(&text, opt->kind, bound);
	return err_set(p->err, -EINVAL, "%s %s: must be %s %s", name->text, shown.text, relation,
	               buffer);
}

/* What a parser said (rc) of a value from `low` to `high`: its form, and its bounds. */
static int check_number(const struct parser *p, const struct opt *opt, const struct name *name,
                        const char *value, int rc, uint64_t low, uint64_t high)
{
	uint64_t bound = opt->kind == OPT_PERCENT ? PERCENT_ALL : UINT64_MAX;
	uint64_t most = opt->max > 0 ? opt->max : bound;

	if (rc < 0 && rc != -ERANGE)
		return bad_form(p, opt, name, value);
	if (rc == -ERANGE || high > most)
		return out_of_bounds(p, opt, name, value, "at most", most);
	if (low < opt->min)
		return out_of_bounds(p, opt, name, value, "at least", opt->min);
	return 0;
}

static int set_number(const struct parser *p, const struct opt *opt, const struct name *name,
                      const char *value, int (*parse)(const char *, uint64_t *))
{
	uint64_t number = 0;
	int rc = parse(value, &number);

	rc = check_number(p, opt, name, value, rc, number, number);
	if (rc == 0)
		memcpy(p->out + opt->offset, &number, sizeof(number));
	return rc;
}

static int set_sizes(const struct parser *p, const struct opt *opt, const struct name *name,
                     const char *value)
{
	struct opt_sizes sizes = {0};
	int rc = unit_sizes(value, &sizes.low, &sizes.high);

	rc = check_number(p, opt, name, value, rc, sizes.low, sizes.high);
	if (rc == 0)
		memcpy(p->out + opt->offset, &sizes, sizeof(sizes));
	return rc;
}

static int set_percent(const struct parser *p, const struct opt *opt, const struct name *name,
                       const char *value)
{
	struct opt_percent percent = {.is_given = true};
	int rc = unit_percent(value, &percent.parts);

	rc = check_number(p, opt, name, value, rc, percent.parts, percent.parts);
	if (rc == 0)
		memcpy(p->out + opt->offset, &percent, sizeof(percent));
	return rc;
}

static int set_or_max(const struct parser *p, const struct opt *opt, const struct name *name,
                      const char *value, int (*parse)(const char *, uint64_t *))
{
	const uint64_t most = UINT64_MAX;

	if (strcmp(value, "max") != 0)
		return set_number(p, opt, name, value, parse);
	memcpy(p->out + opt->offset, &most, sizeof(most));
	return 0;
}

static int set_choice(const struct parser *p, const struct opt *opt, const struct name *name,
                      const char *value)
{
	struct name shown = shown_value(value);
	char buffer[256];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	for (int i = 0; opt->choices[i]; i++) {
		if (strcmp(opt->choices[i], value) == 0) {
			memcpy(p->out + opt->offset, &i, sizeof(i));
			return 0;
		}
		text_add(&text, "%s%s", i > 0 ? ", " : "", opt->choices[i]);
	}
	return err_set(p->err, -EINVAL, "%s %s: must be one of %s", name->text, shown.text, buffer);
}

static int set_ports(const struct parser *p, const struct opt *opt, const struct name *name,
                     const char *value)
{
	struct opt_ports ports;

	if (unit_ports(value, &ports.low, &ports.high) < 0)
		return bad_form(p, opt, name, value);
	memcpy(p->out + opt->offset, &ports, sizeof(ports));
	return 0;
}

/* Through a copy, as all values: the caller's struct is only bytes here. */
static int add_text(const struct parser *p, const struct opt *opt, const struct name *name,
                    const char *value)
{
	struct name shown = shown_value(value);
	struct opt_texts texts;

	memcpy(&texts, p->out + opt->offset, sizeof(texts));
	if (texts.count >= OPT_TEXTS_MAX)
		return err_set(p->err, -EINVAL, "%s %s: given more than %d times", name->text,
		               shown.text, OPT_TEXTS_MAX);
	texts.at[texts.count++] = value;
	memcpy(p->out + opt->offset, &texts, sizeof(texts));
	return 0;
}

static int set_value(const struct parser *p, const struct opt *opt, const struct name *name,
                     const char *value)
{
	const bool yes = true;

	switch (opt->kind) {
	case OPT_FLAG:
		memcpy(p->out + opt->offset, &yes, sizeof(yes));
		return 0;
	case OPT_COUNT:
		return set_number(p, opt, name, value, unit_count);
	case OPT_COUNT_MAX:
		return set_or_max(p, opt, name, value, unit_count);
	case OPT_RATE:
		return set_number(p, opt, name, value, unit_rate);
	case OPT_RATE_MAX:
		return set_or_max(p, opt, name, value, unit_rate);
	case OPT_SIZES:
		return set_sizes(p, opt, name, value);
	case OPT_PERCENT:
		return set_percent(p, opt, name, value);
	case OPT_SIZE:
		return set_number(p, opt, name, value, unit_size);
	case OPT_DURATION:
		return set_number(p, opt, name, value, unit_duration);
	case OPT_TEXT:
		memcpy(p->out + opt->offset, &value, sizeof(value));
		return 0;
	case OPT_CHOICE:
		return set_choice(p, opt, name, value);
	case OPT_PORTS:
		return set_ports(p, opt, name, value);
	case OPT_TEXTS:
		return add_text(p, opt, name, value);
	case OPT_KIND_COUNT:
		break;
	}
	return err_set(p->err, -EINVAL, "%s: declared with no kind, a bug", name->text);
}

int opt_set(const struct opt *opt, const char *name, const char *value, void *out, struct err *err)
{
	const struct parser p = {.out = out, .err = err};
	const struct name shown = name_of("", name, strlen(name));

	return set_value(&p, opt, &shown, value);
}

static int build_tables(struct parser *p)
{
	char *at = p->shorts;

	if (p->count > TABLE_MAX)
		return err_set(p->err, -EINVAL, "more than %d options declared, a bug", TABLE_MAX);
	*at++ = ':'; /* getopt_long prints nothing and tells a missing value from an unknown name */
	for (size_t i = 0; i < p->count; i++) {
		bool valued = p->opts[i].kind != OPT_FLAG;

		p->longs[i] = (struct option){
			.name = p->opts[i].name,
			.has_arg = valued ? required_argument : no_argument,
			.val = LONG_BASE + (int)i,
		};
		if (p->opts[i].letter == '\0')
			continue;
		*at++ = p->opts[i].letter;
		if (valued)
			*at++ = ':';
	}
	*at = '\0';
	return 0;
}

static const struct opt *by_letter(const struct parser *p, int letter)
{
	for (size_t i = 0; i < p->count; i++) {
		if (letter != '\0' && (char)letter == p->opts[i].letter)
			return &p->opts[i];
	}
	return NULL;
}

/* The word "--name" or "--name=value" that getopt_long has just taken. */
static const char *long_word(const struct parser *p, const char *value)
{
	int last = optind - 1;

	if (value && value == p->argv[last])
		last--; /* "--name value" */
	return p->argv[last] + 2;
}

/* A long name, as typed: getopt_long also takes abbreviations, which would change their meaning
 * when an option is added. */
static bool is_exact(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

/* What getopt_long reports as ':'. */
static bool lacks_value(const struct opt *opt, const char *value)
{
	return opt->kind != OPT_FLAG && !value;
}

/* `result` is ':' (value missing), '?' (unneeded value, or unknown) or a long option. */
static int handle_long(const struct parser *p, int result, int val, const char *value)
{
	const char *word = long_word(p, value);
	size_t len = strcspn(word, "=");
	struct name name = name_of("--", word, len);
	const struct opt *opt;

	if (val < LONG_BASE)
		return unknown_option(p, &name);
	opt = &p->opts[val - LONG_BASE];
	if (!is_exact(word, len, opt->name))
		return unknown_option(p, &name);
	if (lacks_value(opt, value))
		return err_set(p->err, -EINVAL, "%s: needs a value", name.text);
	if (result == '?')
		return err_set(p->err, -EINVAL, "%s: takes no value", name.text);
	return set_value(p, opt, &name, value);
}

static int handle_short(const struct parser *p, int result, int letter, const char *value)
{
	struct name name = letter_name(letter);
	const struct opt *opt = by_letter(p, letter);

	if (result == '?' || !opt)
		return unknown_option(p, &name);
	if (lacks_value(opt, value))
		return err_set(p->err, -EINVAL, "%s: needs a value", name.text);
	return set_value(p, opt, &name, value);
}

static int handle(const struct parser *p, int result)
{
	/* optopt is 0 for an unknown long name, and may be negative for a byte above 127. */
	if (result == '?' || result == ':') {
		if (optopt == 0 || optopt >= LONG_BASE)
			return handle_long(p, result, optopt, NULL);
		return handle_short(p, result, optopt, NULL);
	}
	if (result >= LONG_BASE)
		return handle_long(p, result, result, optarg);
	return handle_short(p, result, result, optarg);
}

int opt_parse(const struct opt *opts, size_t count, const char *command, int argc, char **argv,
              void *out, int *operands, struct err *err)
{
	struct parser p = {
		.opts = opts,
		.count = count,
		.command = command,
		.argv = argv,
		.out = out,
		.err = err,
	};
	int rc = build_tables(&p);

	if (rc < 0)
		return rc;
	*operands = argc;
	if (argc < 1)
		return 0;
	optind = 0; /* glibc: forget the last command line, also where it ended in an error */
	for (;;) {
		int result;

		optarg = NULL; /* stale otherwise, after an option without a value */
		result = getopt_long(argc, argv, p.shorts, p.longs, NULL);
		if (result == -1)
			break;
		rc = handle(&p, result);
		if (rc < 0)
			return rc;
	}
	*operands = optind;
	return 0;
}

static const char *default_value_name(enum opt_kind kind)
{
	static const char *const names[OPT_KIND_COUNT] = {
		[OPT_COUNT] = "N",     [OPT_COUNT_MAX] = "N",       [OPT_RATE] = "RATE",
		[OPT_SIZE] = "SIZE",   [OPT_DURATION] = "DURATION", [OPT_TEXT] = "TEXT",
		[OPT_PORTS] = "PORTS", [OPT_TEXTS] = "TEXT",        [OPT_RATE_MAX] = "RATE",
		[OPT_SIZES] = "SIZE",  [OPT_PERCENT] = "P%",
	};

	return (unsigned int)kind < OPT_KIND_COUNT && names[kind] ? names[kind] : "";
}

/* "  -n, --conns N", "      --solution 1|2|mixed" */
static void add_usage(struct text *t, const struct opt *opt)
{
	if (opt->letter != '\0')
		text_add(t, "  -%c, --%s", opt->letter, opt->name);
	else
		text_add(t, "      --%s", opt->name);
	if (opt->kind == OPT_FLAG)
		return;
	if (opt->value || opt->kind != OPT_CHOICE) {
		text_add(t, " %s", opt->value ? opt->value : default_value_name(opt->kind));
		return;
	}
	for (size_t i = 0; opt->choices[i]; i++)
		text_add(t, "%c%s", i > 0 ? '|' : ' ', opt->choices[i]);
}

void opt_print_help(const struct opt *opts, size_t count)
{
	opt_print_help_part(opts, count, 0, count);
}

void opt_print_help_part(const struct opt *opts, size_t count, size_t first, size_t end)
{
	char buffer[128];
	struct text text;
	size_t width = 0;

	for (size_t i = 0; i < count; i++) {
		text_init(&text, buffer, sizeof(buffer));
		add_usage(&text, &opts[i]);
		if (text.len > width && text.len <= HELP_COLUMN)
			width = text.len;
	}
	for (size_t i = first; i < end; i++) {
		text_init(&text, buffer, sizeof(buffer));
		add_usage(&text, &opts[i]);
		printf("%-*s  %s\n", (int)width, buffer, opts[i].help ? opts[i].help : "");
	}
}
