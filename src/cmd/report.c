/* report: parses the options of `megaconn report`, reads one record or two, has them drawn. */
#include "cmd/report.h"

#include "base/opt.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/choices.h"
#include "cmd/tell.h"
#include "out/compare.h"
#include "out/compare_html.h"
#include "out/compare_text.h"
#include "out/report.h"
#include "out/report_html.h"
#include "out/report_text.h"
#include "out/whole_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct command {
	bool compare, text, help;
	const char *output;
};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"compare", 'c', OPT_FLAG, AT(compare), 0, 0, NULL, NULL,
         "two records side by side, differences that exceed noise marked"},
	{"text", 't', OPT_FLAG, AT(text), 0, 0, NULL, NULL,
         "plain text of 80 columns in place of HTML"},
	{"output", 'o', OPT_TEXT, AT(output), 0, 0, NULL, "FILE",
         "where to (- for stdout; default DIR/report.html; with --text or --compare stdout)"},
	CHOICES_ROW_HELP,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static void print_help(void)
{
	printf("usage: megaconn report DIR [-o FILE] [--text]\n"
	       "       megaconn report --compare DIR DIR [-o FILE] [--text]\n\n"
	       "Draws the record of a run (--out DIR; of one that was killed, up to its last\n"
	       "second), or a result alone (--json FILE), as one HTML file that needs nothing\n"
	       "else.\n\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nexit codes: 0 written, 1 cannot be written, 2 no record, or damaged, or of a\n"
	       "newer megaconn, 4 not permitted\n");
}

static int parse(int argc, char **argv, struct command *c, int *operands, struct err *err)
{
	int failed = opt_parse(options, OPTION_COUNT, "report", argc, argv, c, operands, err);
	int wanted = c->compare ? 2 : 1;

	if (failed != 0 || c->help)
		return failed;
	if (argc - *operands < wanted)
		return err_set(err, -EINVAL,
		               c->compare ? "--compare: which two records? (see 'megaconn report "
		                            "--help')"
		                          : "which record? (see 'megaconn report --help')");
	if (argc - *operands > wanted)
		return err_set(
			err, -EINVAL, "unexpected '%s' (see 'megaconn report --help')",
			text_quote(argv[*operands + wanted], strlen(argv[*operands + wanted]))
				.text);
	return 0;
}

static int code_of(int failed)
{
	return failed == -EACCES || failed == -EPERM ? EXIT_REFUSED : EXIT_USAGE;
}

static void put_html(FILE *to, const void *report)
{
	report_html(to, report);
}

static void put_text(FILE *to, const void *report)
{
	report_text(to, report);
}

static void put_compare_html(FILE *to, const void *compare)
{
	compare_html(to, compare);
}

static void put_compare_text(FILE *to, const void *compare)
{
	compare_text(to, compare);
}

/* Writes it, and says where, unless that is stdout. */
static int write_to(const char *path, void (*put)(FILE *, const void *), const void *context,
                    struct err *err)
{
	if (whole_file_write(path, put, context, err) != 0)
		return EXIT_FAILED;
	if (strcmp(path, "-") != 0)
		printf("%s\n", path);
	return EXIT_PASS;
}

/* DIR/report.html; of a result alone FILE.html. */
static void default_path(const char *path, char *out, size_t size)
{
	struct stat st;
	size_t len = strlen(path);
	bool is_directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	while (is_directory && len > 1 && path[len - 1] == '/')
		len--;
	snprintf(out, size, "%.*s%s", (int)len, path, is_directory ? "/report.html" : ".html");
}

static int one(const struct command *c, const char *path, struct err *err)
{
	static struct report report;
	char output[PATH_MAX];
	int failed = report_load(path, &report, err);

	if (failed != 0)
		return code_of(failed);
	default_path(path, output, sizeof(output));
	int code = write_to(c->output ? c->output
	                    : c->text ? "-"
	                              : output,
	                    c->text ? put_text : put_html, &report, err);

	report_free(&report);
	return code;
}

static int two(const struct command *c, char *const *paths, struct err *err)
{
	static struct report reports[2];
	static struct compare compare;
	int failed = report_load(paths[0], &reports[0], err);

	if (failed != 0)
		return code_of(failed);
	failed = report_load(paths[1], &reports[1], err);
	if (failed != 0) {
		report_free(&reports[0]);
		return code_of(failed);
	}
	for (int i = 0; i < 2; i++) /* two of one name differ in where they are */
		snprintf(reports[i].name, sizeof(reports[i].name), "%s", paths[i]);
	compare_make(&reports[0], &reports[1], &compare);
	int code = write_to(c->output ? c->output : "-",
	                    c->text ? put_compare_text : put_compare_html, &compare, err);

	report_free(&reports[0]);
	report_free(&reports[1]);
	return code;
}

int cmd_report(int argc, char **argv)
{
	struct command c = {0};
	struct err err = {""};
	int operands, failed = parse(argc, argv, &c, &operands, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	int code = c.compare ? two(&c, argv + operands, &err) : one(&c, argv[operands], &err);

	if (code != EXIT_PASS)
		err_print(&err);
	return code;
}
