/* opt: command-line options declared as a table, parsed into a typed struct.
 *
 * One table per command says name, kind, where in the struct the value goes, its bounds and its
 * help line; parsing, error text and --help are drawn from it. Options may stand before or after
 * operands; "--" ends them; "--name=value" and "--name value" are the same; names are not
 * abbreviated. getopt_long does the splitting. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
	OPT_FLAG,      /* bool                                          */
	OPT_COUNT,     /* uint64_t, unit_count                          */
	OPT_COUNT_MAX, /* the same, or "max": UINT64_MAX                */
	OPT_RATE,      /* uint64_t, unit_rate, per second               */
	OPT_RATE_MAX,  /* the same, or "max": UINT64_MAX                */
	OPT_SIZE,      /* uint64_t, unit_size, bytes                    */
	OPT_SIZES,     /* struct opt_sizes, unit_sizes, bytes           */
	OPT_PERCENT,   /* struct opt_percent, unit_percent              */
	OPT_DURATION,  /* uint64_t, unit_duration, ns                   */
	OPT_TEXT,      /* const char *, points into argv                */
	OPT_CHOICE,    /* int, index into `choices` (NULL-terminated)   */
	OPT_PORTS,     /* struct opt_ports, unit_ports                  */
	OPT_TEXTS,     /* struct opt_texts: may be given several times  */
	OPT_KIND_COUNT
};

struct opt_ports {
	uint16_t low, high; /* 0,0: not given */
};

struct opt_sizes {
	uint64_t low, high; /* 0,0: not given */
};

struct opt_percent {
	uint64_t parts; /* of a million */
	bool is_given;
};

#define OPT_TEXTS_MAX 16

/* The values of an option that adds up, in the order given: each points into argv. The caller
 * starts with count 0, or with defaults that are kept in front. */
struct opt_texts {
	const char *at[OPT_TEXTS_MAX];
	uint32_t count;
};

struct opt {
	const char *name; /* long name, without dashes                          */
	char letter;      /* short name, or 0                                   */
	enum opt_kind kind;
	size_t offset;     /* offsetof the value in the command's struct         */
	uint64_t min, max; /* of COUNT, RATE, SIZE, SIZES, PERCENT, DURATION; max 0: no bound */
	const char *const *choices; /* of CHOICE                                          */
	const char *value;          /* name of the value in --help: "N", "FILE"           */
	const char *help;           /* one line                                           */
};

/* Parses argv[1..] into `out`; values of options that were not given stay as they are. Of an
 * option that is given again the last value holds, of an OPT_TEXTS all of them. *operands is
 * set to the index in argv of the first operand (argc where there is none); argv is permuted so
 * that operands stand last. "--help"/"-h" is declared like any other flag by its command.
 * Errors are -EINVAL with one line that names the option, what was given and what would be right,
 * for instance: "--hold 10x: not a duration (try 30s, 500ms, 2m)",
 * "-n 0: must be at least 1", "--solution 3: must be one of 1, 2, mixed",
 * "unknown option --foo (see 'megaconn lab --help')", "--rate: needs a value",
 * "--server x: given more than 16 times". `command` is for
 * that hint ("lab"; NULL or "": none). At most 64 options. */
int opt_parse(const struct opt *opts, size_t count, const char *command, int argc, char **argv,
              void *out, int *operands, struct err *err);

/* Parses one value of any kind but FLAG, TEXT and TEXTS as an option does, into `out`; error texts
 * call it `name`. For tables that are not of the command line (base/conf). */
int opt_set(const struct opt *opt, const char *name, const char *value, void *out, struct err *err);

/* Prints one aligned line per option to stdout. */
void opt_print_help(const struct opt *opts, size_t count);

/* The same for those from `first` to before `end`, aligned as all of them are: for a table that has
 * headings. */
void opt_print_help_part(const struct opt *opts, size_t count, size_t first, size_t end);
