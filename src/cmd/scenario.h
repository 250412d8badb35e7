/* scenario: the file of `megaconn run` (docs/scenario.md): [scenario], what a command's options
 * say; [ramp]; and a [stage NAME] for each part of the hold, in order. Pure.
 *
 * Keys are options: a key of [scenario] is read by the row of the command's table, and handed on as
 * the word that the command line would have; a key of a stage by the rows that the command has for
 * its hold (cmd/living.h). */
#pragma once

#include "base/conf.h"
#include "base/err.h"
#include "base/opt.h"
#include "run/living.h"

#include <stddef.h>
#include <stdint.h>

#define SCENARIO_WORDS_MOST 64
#define SCENARIO_TEXT_BYTES 8192

struct scenario {
	size_t command;                   /* row of the table of commands                     */
	char *target;                     /* of a command that has one; NULL: not in the file */
	uint32_t count;                   /* of words */
	char *words[SCENARIO_WORDS_MOST]; /* "--connections=1M", as the file gives them */
	unsigned int lines[SCENARIO_WORDS_MOST];
	struct living_stage stages[STAGES_MAX];
	uint32_t stage_count;           /* >= 1 */
	uint64_t ramp_to;               /* 0: all */
	char text[SCENARIO_TEXT_BYTES]; /* where words and target lie */
	size_t text_bytes;
	/* The command line that named the file, for the record: argv[-1] is the program. */
	int argc;
	char **argv;
};

/* A command that a scenario may be of. */
struct scenario_command {
	const char *name;
	const struct opt *options;
	size_t count;
	size_t bytes; /* of the structure they are set in: at most SCENARIO_SCRATCH_BYTES */
	bool has_target;
	int (*run)(const struct scenario *scenario, int argc, char **argv);
};
#define SCENARIO_SCRATCH_BYTES 4096

/* Parses `len` bytes of text. What is wrong is -EINVAL with "path:line: " and what would be right;
 * what only the whole command can see (as --path without traffic http) is not looked at. */
int scenario_parse(const struct scenario_command *commands, size_t count, const char *path,
                   const char *text, size_t len, struct scenario *out, struct err *err);
