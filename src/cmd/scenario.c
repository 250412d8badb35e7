/* scenario: see the header.
 *
 * The file is walked twice: which command it is of decides what the keys of [scenario] are, and may
 * stand anywhere in it. */
#include "cmd/scenario.h"

#include "base/text.h"
#include "cmd/living.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

enum place { PLACE_NONE, PLACE_SCENARIO, PLACE_RAMP, PLACE_STAGE };

struct ramp_keys {
	uint64_t connections, rate_per_s;
};

#define AT(field) offsetof(struct ramp_keys, field)
static const struct opt ramp_rows[] = {
	{"connections", 0, OPT_COUNT, AT(connections), 1, 0, NULL, "N", "open after the ramp"},
	{"rate", 0, OPT_RATE, AT(rate_per_s), 1, 0, NULL, "R", "at which they are opened"},
};
#define RAMP_ROWS (sizeof(ramp_rows) / sizeof(ramp_rows[0]))

#define AT_STAGE(field) offsetof(struct living_stage, field)
static const struct opt stage_rows[] = {
	{"for", 0, OPT_DURATION, AT_STAGE(for_ns), 1, LIVING_MOST_NS, NULL, "T", "how long"},
	{"connections", 0, OPT_COUNT, AT_STAGE(connections), 1, 0, NULL, "N",
         "how many are to be open"},
	{"rate", 0, OPT_RATE, AT_STAGE(rate_per_s), 1, 0, NULL, "R",
         "at which they are opened, or closed"},
	LIVING_ROWS_STAGE,
	LIVING_ROW_IN_FLIGHT,
};
#define STAGE_ROWS (sizeof(stage_rows) / sizeof(stage_rows[0]))

struct walk {
	const struct scenario_command *commands;
	size_t command_count;
	const struct scenario_command *command; /* NULL: on the first walk, not found yet */
	bool is_first;                          /* only the command is looked for */
	struct scenario *out;
	enum place place;
	unsigned int scenario_line, ramp_line, target_line, command_line; /* 0: not there */
	unsigned int stage_lines[STAGES_MAX];
	struct ramp_keys ramp;
	unsigned int given[STAGE_ROWS]; /* in which lines, of the stage or ramp that is read */
	alignas(max_align_t) unsigned char scratch[SCENARIO_SCRATCH_BYTES];
};

static const struct opt *find_row(const struct opt *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

/* --- sections ----------------------------------------------------------------------------- */

/* A name is shown in tables and kept in results. */
static bool is_good_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                          "0123456789-_.");

	return len > 0 && name[len] == '\0' && len < STAGE_NAME_BYTES;
}

static int begin_stage(struct walk *w, const char *name, unsigned int line, struct err *err)
{
	struct scenario *s = w->out;

	if (!is_good_name(name))
		return err_set(err, -EINVAL,
		               "[stage %s]: a name has 1 to %d letters, digits, - _ or .",
		               text_quote(name, strlen(name)).text, STAGE_NAME_BYTES - 1);
	for (uint32_t i = 0; i < s->stage_count; i++) {
		if (strcmp(s->stages[i].name, name) == 0)
			return err_set(err, -EINVAL,
			               "[stage %s]: there is one of that name (line %u)", name,
			               w->stage_lines[i]);
	}
	if (s->stage_count == STAGES_MAX)
		return err_set(err, -EINVAL, "more than %d stages", STAGES_MAX);
	w->stage_lines[s->stage_count] = line;
	s->stages[s->stage_count] = (struct living_stage){0};
	memcpy(s->stages[s->stage_count++].name, name, strlen(name) + 1);
	return 0;
}

static int begin_once(struct walk *w, unsigned int *seen, unsigned int line, struct err *err)
{
	if (*seen > 0)
		return err_set(err, -EINVAL, "there is one already (line %u)", *seen);
	if (w->place == PLACE_RAMP && w->out->stage_count > 0)
		return err_set(err, -EINVAL, "[ramp] comes before the stages (line %u)",
		               w->stage_lines[0]);
	*seen = line;
	return 0;
}

static enum place place_of(const char *title)
{
	if (strcmp(title, "scenario") == 0)
		return PLACE_SCENARIO;
	if (strcmp(title, "ramp") == 0)
		return PLACE_RAMP;
	return strncmp(title, "stage ", 6) == 0 ? PLACE_STAGE : PLACE_NONE;
}

static int on_section(void *context, const char *title, unsigned int line, struct err *err)
{
	struct walk *w = context;

	memset(w->given, 0, sizeof(w->given));
	w->place = place_of(title);
	if (w->is_first && w->place != PLACE_NONE)
		return 0;
	switch (w->place) {
	case PLACE_SCENARIO:
		return begin_once(w, &w->scenario_line, line, err);
	case PLACE_RAMP:
		return begin_once(w, &w->ramp_line, line, err);
	case PLACE_STAGE:
		return begin_stage(w, title + 6 + strspn(title + 6, " "), line, err);
	case PLACE_NONE:
		break;
	}
	return err_set(err, -EINVAL,
	               "unknown section [%s] (there are [scenario], [ramp], [stage NAME])",
	               text_quote(title, strlen(title)).text);
}

/* --- keys --------------------------------------------------------------------------------- */

/* Keeps "BEFORE NAME = VALUE" as one word. */
static char *keep(struct scenario *s, const char *before, const char *name, const char *equals,
                  const char *value, struct err *err)
{
	struct text t;
	char *word = s->text + s->text_bytes;

	text_init(&t, word, sizeof(s->text) - s->text_bytes);
	text_add(&t, "%s%s%s%s", before, name, equals, value);
	if (t.cut || s->text_bytes + t.len + 1 >= sizeof(s->text)) {
		err_set(err, -EINVAL, "the values are too long together (at most %d bytes)",
		        SCENARIO_TEXT_BYTES - 1);
		return NULL;
	}
	s->text_bytes += t.len + 1;
	return word;
}

static int add_word(struct walk *w, const char *name, const char *value, unsigned int line,
                    struct err *err)
{
	struct scenario *s = w->out;
	size_t len = strlen(name);

	for (uint32_t i = 0; i < s->count; i++) {
		const char *before = s->words[i] + 2;

		if (strncmp(before, name, len) == 0 && (before[len] == '=' || before[len] == '\0'))
			return err_set(err, -EINVAL, "%s is given twice (first in line %u)", name,
			               s->lines[i]);
	}
	if (s->count == SCENARIO_WORDS_MOST)
		return err_set(err, -EINVAL, "more than %d keys", SCENARIO_WORDS_MOST);
	char *word = keep(s, "--", name, value ? "=" : "", value ? value : "", err);

	if (!word)
		return -EINVAL;
	s->lines[s->count] = line;
	s->words[s->count++] = word;
	return 0;
}

static int set_target(struct walk *w, const char *value, unsigned int line, struct err *err)
{
	if (!w->command->has_target)
		return err_set(err, -EINVAL, "target is of command = connect: a %s has none",
		               w->command->name);
	if (w->target_line > 0)
		return err_set(err, -EINVAL, "target is given twice (first in line %u)",
		               w->target_line);
	w->target_line = line;
	w->out->target = keep(w->out, "", value, "", "", err);
	return w->out->target ? 0 : -EINVAL;
}

/* What a stage has, [scenario] has not: but for these, which mean something in both. */
static bool is_of_stages(const struct walk *w, const char *name)
{
	if (strcmp(name, "connections") == 0 || strcmp(name, "rate") == 0)
		return false;
	if (strcmp(name, "in-flight") == 0)
		return !w->command->has_target;
	return find_row(stage_rows, STAGE_ROWS, name) != NULL;
}

static int set_flag(struct walk *w, const char *name, const char *value, unsigned int line,
                    struct err *err)
{
	if (strcmp(value, "yes") == 0)
		return add_word(w, name, NULL, line, err);
	if (strcmp(value, "no") == 0)
		return 0;
	return err_set(err, -EINVAL, "%s %s: must be yes or no", name,
	               text_quote(value, strlen(value)).text);
}

/* A row of the command's table that [scenario] may have. */
static const struct opt *find_option(const struct walk *w, const char *name)
{
	static const char *const others[] = {"hold", "help", "find-max"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(name, others[i]) == 0)
			return NULL;
	}
	return find_row(w->command->options, w->command->count, name);
}

static int set_option(struct walk *w, const char *name, const char *value, unsigned int line,
                      struct err *err)
{
	const struct opt *row = find_option(w, name);

	if (strcmp(name, "hold") == 0)
		return err_set(err, -EINVAL, "hold: each [stage NAME] says for how long (for)");
	if (is_of_stages(w, name))
		return err_set(err, -EINVAL, "%s belongs in [stage NAME]", name);
	if (!row)
		return err_set(err, -EINVAL,
		               "unknown key %s in [scenario] (the options of 'megaconn %s --help')",
		               text_quote(name, strlen(name)).text, w->command->name);
	if (row->kind == OPT_FLAG)
		return set_flag(w, name, value, line, err);
	int failed = opt_set(row, name, value, w->scratch, err);

	return failed == 0 ? add_word(w, name, value, line, err) : failed;
}

static int unknown_key(const struct walk *w, const char *section, const char *name,
                       const struct opt *rows, size_t count, struct err *err)
{
	char known[256];
	struct text t;

	if (is_of_stages(w, name))
		return err_set(err, -EINVAL, "%s belongs in [stage NAME]", name);
	if (find_option(w, name) || strcmp(name, "target") == 0)
		return err_set(err, -EINVAL, "%s belongs in [scenario]", name);
	text_init(&t, known, sizeof(known));
	for (size_t i = 0; i < count; i++)
		text_add(&t, "%s%s", i > 0 ? ", " : "", rows[i].name);
	return err_set(err, -EINVAL, "unknown key %s in [%s] (%s)",
	               text_quote(name, strlen(name)).text, section, known);
}

/* A key of a stage or of the ramp. */
static int set_row(struct walk *w, const struct opt *rows, size_t count, const char *section,
                   const char *name, const char *value, unsigned int line, void *to,
                   struct err *err)
{
	const struct opt *row = find_row(rows, count, name);

	if (!row)
		return unknown_key(w, section, name, rows, count, err);
	if (w->given[row - rows] > 0)
		return err_set(err, -EINVAL, "%s is given twice (first in line %u)", name,
		               w->given[row - rows]);
	w->given[row - rows] = line;
	return opt_set(row, name, value, to, err);
}

static int set_ramp(struct walk *w, const char *name, const char *value, unsigned int line,
                    struct err *err)
{
	int failed = set_row(w, ramp_rows, RAMP_ROWS, "ramp", name, value, line, &w->ramp, err);

	if (failed == 0 && strcmp(name, "rate") == 0)
		failed = add_word(w, "rate", value, line, err);
	w->out->ramp_to = w->ramp.connections;
	return failed;
}

static int find_command(struct walk *w, const char *value, unsigned int line, struct err *err)
{
	char known[128];
	struct text t;

	if (w->command_line > 0)
		return err_set(err, -EINVAL, "command is given twice (first in line %u)",
		               w->command_line);
	w->command_line = line;
	text_init(&t, known, sizeof(known));
	for (size_t i = 0; i < w->command_count; i++) {
		if (strcmp(w->commands[i].name, value) == 0) {
			w->command = &w->commands[i];
			w->out->command = i;
			return 0;
		}
		text_add(&t, "%s%s", i > 0 ? ", " : "", w->commands[i].name);
	}
	return err_set(err, -EINVAL, "command %s: must be one of %s",
	               text_quote(value, strlen(value)).text, known);
}

static int on_value(void *context, const char *name, const char *value, unsigned int line,
                    struct err *err)
{
	struct walk *w = context;
	bool is_command = w->place == PLACE_SCENARIO && strcmp(name, "command") == 0;

	if (w->is_first)
		return is_command ? find_command(w, value, line, err) : 0;
	switch (w->place) {
	case PLACE_SCENARIO:
		if (is_command)
			return 0;
		if (strcmp(name, "target") == 0)
			return set_target(w, value, line, err);
		return set_option(w, name, value, line, err);
	case PLACE_RAMP:
		return set_ramp(w, name, value, line, err);
	case PLACE_STAGE:
		return set_row(w, stage_rows, STAGE_ROWS, "stage NAME", name, value, line,
		               &w->out->stages[w->out->stage_count - 1], err);
	case PLACE_NONE:
		break;
	}
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------- */

static int check_stages(const struct walk *w, const char *path, struct err *err)
{
	const struct scenario *s = w->out;

	if (s->stage_count == 0) {
		err_set(err, 0, "no [stage NAME]: what is to be done?");
		return conf_blame(path, 0, -EINVAL, err);
	}
	for (uint32_t i = 0; i < s->stage_count; i++) {
		const struct living_stage *stage = &s->stages[i];
		int failed = stage->for_ns == 0
		                     ? err_set(err, -EINVAL,
		                               "[stage %s]: for how long? (for = 30s)", stage->name)
		                     : living_check_stage(stage, stage->for_ns, err);

		if (failed != 0)
			return conf_blame(path, w->stage_lines[i], failed, err);
	}
	return 0;
}

int scenario_parse(const struct scenario_command *commands, size_t count, const char *path,
                   const char *text, size_t len, struct scenario *out, struct err *err)
{
	static const struct conf_visitor visitor = {.section = on_section, .value = on_value};
	struct walk w = {
		.commands = commands,
		.command_count = count,
		.is_first = true,
		.out = out,
	};

	*out = (struct scenario){0};
	int failed = conf_walk(&visitor, &w, path, text, len, err);

	if (failed == 0 && !w.command) {
		err_set(err, 0, "no command in [scenario] (command = lab, or connect)");
		failed = conf_blame(path, 0, -EINVAL, err);
	}
	if (failed != 0)
		return failed;
	w.is_first = false;
	w.place = PLACE_NONE;
	failed = conf_walk(&visitor, &w, path, text, len, err);
	return failed == 0 ? check_stages(&w, path, err) : failed;
}
