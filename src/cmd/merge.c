/* merge: parses the options of `megaconn merge`, adds up, prints what came of it. */
#include "cmd/merge.h"

#include "base/opt.h"
#include "base/text.h"
#include "cmd/tell.h"
#include "out/json.h"
#include "out/merge.h"
#include "out/merge_read.h"
#include "out/merge_record.h"
#include "out/merge_text.h"
#include "out/whole_file.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct command {
	const char *out, *json;
	bool quiet, help;
};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"out", 'o', OPT_TEXT, AT(out), 0, 0, NULL, "DIR",
         "make a record of all of them, in a new directory"},
	{"json", 'j', OPT_TEXT, AT(json), 0, 0, NULL, "FILE", "write the result (- for stdout)"},
	{"quiet", 'q', OPT_FLAG, AT(quiet), 0, 0, NULL, NULL, "print nothing"},
	{"help", 'h', OPT_FLAG, AT(help), 0, 0, NULL, NULL, "this text"},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static void print_help(void)
{
	printf("usage: megaconn merge DIR|FILE... [--out DIR] [--json FILE]\n\n"
	       "Adds up what the hosts of one run recorded, each of which was given\n"
	       "'connect --shard K/M': records (--out), or results alone (--json), which have no\n"
	       "exact times. Names shards that are missing or there twice. The record of their\n"
	       "server may be among them: then its count has to be theirs.\n\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nexit codes: 0 all shards are there and passed, 1 not so, 2 usage, or no results\n"
	       "of one run, 4 not permitted\n");
}

static int parse(int argc, char **argv, struct command *c, int *operands, struct err *err)
{
	int failed = opt_parse(options, OPTION_COUNT, "merge", argc, argv, c, operands, err);

	if (failed != 0 || c->help)
		return failed;
	if (*operands == argc)
		return err_set(err, -EINVAL,
		               "which records? megaconn merge DIR... (see 'megaconn merge "
		               "--help')");
	return c->json ? whole_file_check(c->json, err) : 0;
}

static int code_of(int failed)
{
	return failed == -EACCES || failed == -EPERM ? EXIT_REFUSED : EXIT_USAGE;
}

static int write_json(const struct merge *m, const char *path, int argc, char **argv,
                      struct err *err)
{
	json_t *document = merge_text_json(m, argc + 1, argv - 1);
	int failed = json_write_document(path, document, err);

	json_decref(document);
	return failed;
}

/* What cannot be written makes a merge that passed fail. */
static int tell(const struct command *c, const struct merge *m, int argc, char **argv)
{
	bool is_json = c->json && strcmp(c->json, "-") == 0;
	char report[PATH_MAX] = "";
	struct err err = {""};
	int failed = 0;

	if (c->out)
		failed = merge_record(m, c->out, argc + 1, argv - 1, report, &err);
	if (failed != 0)
		err_print(&err);
	if (!c->quiet)
		merge_text_print(is_json ? stderr : stdout, m);
	if (!c->quiet && report[0] != '\0')
		fprintf(stderr, "megaconn: report: %s\n", report);
	if (c->json && write_json(m, c->json, argc, argv, &err) != 0) {
		err_print(&err);
		failed = -EIO;
	}
	if (failed == -EEXIST || failed == -EACCES)
		return EXIT_REFUSED;
	return failed != 0 ? EXIT_FAILED : m->result.exit_code;
}

int cmd_merge(int argc, char **argv)
{
	static struct merge m;
	struct command c = {0};
	struct err err = {""};
	int operands, failed = parse(argc, argv, &c, &operands, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	merge_begin(&m);
	for (int i = operands; i < argc && failed == 0; i++)
		failed = merge_read(&m, argv[i], &err);
	if (failed == 0)
		failed = merge_end(&m, &err);
	if (failed != 0) {
		err_print(&err);
		return code_of(failed);
	}
	return tell(&c, &m, argc, argv);
}
