/* lab_report: a run leaves a report with its own numbers; `megaconn report` as its user sees it:
 * what is drawn where, one line for what is wrong, exit codes; and, in the full run, what Chromium
 * makes of the page on a screen, a phone, in the dark and on paper. */
#include "trial.h"
#include "wellformed.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PASSED      "tests/fixtures/record_passed"
#define KILLED      "tests/fixtures/record_killed"
#define PAGE_MOST   (4 * 1024 * 1024)

static char directory[64]; /* of this test's own */
static char page[PAGE_MOST];

static const char *in_directory(const char *name)
{
	static char paths[16][192];
	static int next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/lab_report.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static int remove_directory(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- running it ----------------------------------------------------------------------------- */

struct said {
	int code;
	char out[65536], err[4096];
};

static void read_all(int fd, char *to, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while (len + 1 < size && (got = pread(fd, to + len, size - 1 - len, (off_t)len)) > 0)
		len += (size_t)got;
	to[len] = '\0';
	close(fd);
}

static int new_file(const char *name)
{
	return open(in_directory(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/* Runs `program ARGS` (NULL-terminated). */
static struct said *run(const char *program, const char *const *args)
{
	static struct said said;
	int out = new_file("out"), err = new_file("err"), status;
	char *argv[16] = {NULL};

	assert_true(out >= 0 && err >= 0);
	for (size_t i = 0; args[i]; i++) {
		assert_true(i + 2 < COUNT_OF(argv));
		memcpy(&argv[i + 1], &args[i], sizeof(args[i]));
	}
	memcpy(&argv[0], &program, sizeof(program));

	pid_t pid = fork();

	if (pid == 0) {
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		execvp(program, argv);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	said.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	read_all(out, said.out, sizeof(said.out));
	read_all(err, said.err, sizeof(said.err));
	return &said;
}

#define REPORT(...) run(trial_program(), (const char *const[]){"report", __VA_ARGS__, NULL})

static void assert_said(const struct said *said, int code, const char *out, const char *err)
{
	if (said->code != code || !strstr(said->out, out) || !strstr(said->err, err))
		fail_msg("exit code %d, %.300s, %s", said->code, said->out, said->err);
}

static const char *read_page(const char *path)
{
	struct wellformed w;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	read_all(fd, page, sizeof(page));
	if (!wellformed_is(page, &w))
		fail_msg("%s: %s", path, w.why);
	return page;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not in it: %s", part);
}

/* --- a run ---------------------------------------------------------------------------------- */

static void test_a_run(void **state)
{
	const char *record = in_directory("record");
	const char *const args[] = {"-n", "2000", "--hold", "100ms", "--out", record, NULL};
	char words[128];
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, 2000);
	snprintf(words, sizeof(words), "report: %s/report.html\n", record);
	assert_has(trial.err, words);
	trial_end(&trial);
	snprintf(words, sizeof(words), "%s/report.html", record);
	assert_has(read_page(words), "<em>PASS</em>2,000 connections established");
	assert_has(page, "<li><b>2,000</b><span>clients <i class=\"right\">");
	assert_has(page, "<li><b>2,000</b><span>kernel <i class=\"right\">");
	assert_has(page, " -n 2000 --hold 100ms --out ");
	assert_has(page, "seen by clients <b>most 2,000</b>");
	/* Drawn anew it is the same. */
	char *before = strdup(page);

	assert_non_null(before);
	assert_said(REPORT(record), 0, "/record/report.html\n", "");
	assert_string_equal(read_page(words), before);
	free(before);
}

/* --- the command ---------------------------------------------------------------------------- */

static void test_where_to(void **state)
{
	(void)state;
	const char *path = in_directory("page.html");

	assert_said(REPORT(PASSED, "-o", path), 0, "page.html\n", "");
	assert_has(read_page(path), "<em>PASS</em>6,000 connections");
	assert_said(REPORT(KILLED, "-o", "-"), 0, "<!DOCTYPE html>", "");
	assert_said(REPORT(PASSED, "--text"), 0, "PASS: 6,000 connections", "");
	assert_said(REPORT(KILLED, "-t", "-o", path), 0, "page.html\n", "");
}

static void test_compare(void **state)
{
	const char *path = in_directory("two.html");

	(void)state;
	assert_said(REPORT("--compare", PASSED, PASSED, "-t"), 0, "no difference exceeds noise",
	            "");
	assert_said(REPORT("--compare", PASSED, KILLED, "-o", path), 0, "two.html\n", "");
	assert_has(read_page(path), "lab -n 60k --rate 5k");
	assert_has(page, ">NO RESULT<");
}

static const struct {
	const char *args[5];
	int code;
	const char *says;
} wrong[] = {
	{{NULL}, 2, "which record? (see 'megaconn report --help')"},
	{{PASSED, KILLED}, 2, "unexpected 'tests/fixtures/record_killed'"},
	{{"--compare", PASSED}, 2, "--compare: which two records?"},
	{{"/nowhere"}, 2, "/nowhere: No such file or directory"},
	{{"tests/fixtures"}, 2, "tests/fixtures: no record of a run"},
	{{"Makefile"}, 2, "Makefile: line 1: not whole JSON"},
	{{PASSED "/walls.json"}, 2, "not of schema megaconn.result/1"},
	{{"tests/fixtures/fuzz_result/newer"}, 2, "written by a newer megaconn"},
	{{"tests/fixtures/fuzz_result/truncated"}, 2, "truncated or damaged"},
	{{PASSED, "-o", "/nowhere/x.html"}, 1, "cannot write /nowhere/x.html: No such file"},
	{{PASSED, "-o", "/dev/full"}, 1, "cannot write /dev/full: No space left"},
	{{PASSED, "--foo"}, 2, "unknown option --foo"},
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		const char *args[8] = {"report"};
		const struct said *said;

		for (size_t a = 0; a < COUNT_OF(wrong[i].args) && wrong[i].args[a]; a++)
			args[a + 1] = wrong[i].args[a];
		said = run(trial_program(), args);
		assert_said(said, wrong[i].code, "", wrong[i].says);
		/* One line, and nothing else. */
		assert_true(strchr(said->err, '\n') == said->err + strlen(said->err) - 1);
		assert_string_equal(said->out, "");
	}
}

/* --- Chromium ------------------------------------------------------------------------------- */

#define LOGS "build/test-logs"

static bool has_chromium(void)
{
	return access("/usr/bin/chromium", X_OK) == 0;
}

#define LIGHT "--blink-settings=preferredColorScheme=1"
#define DARK  "--blink-settings=preferredColorScheme=0"
#define WIDE  "--window-size=1280,4200"
#define SLIM  "--window-size=500,5200"

static struct said *browse(const char *what, const char *size, const char *scheme, const char *url)
{
	static char profile[256];

	snprintf(profile, sizeof(profile), "--user-data-dir=%s", in_directory("profile"));
	return run("/usr/bin/timeout",
	           (const char *const[]){"60", "/usr/bin/chromium", "--headless", "--no-sandbox",
	                                 "--disable-gpu", "--hide-scrollbars",
	                                 "--no-pdf-header-footer", profile, what, size, scheme, url,
	                                 NULL});
}

static void assert_made(const char *path, off_t least)
{
	struct stat st;

	if (stat(path, &st) != 0 || st.st_size < least)
		fail_msg("%s: %s", path, strerror(errno));
}

/* As XML, which Chromium refuses to show where one bracket is wrong; and pictures to look at. */
static void test_in_a_browser(void **state)
{
	static const struct {
		const char *what, *size, *scheme;
	} pictures[] = {
		{"--screenshot=" LOGS "/report_screen.png", WIDE, LIGHT},
		{"--screenshot=" LOGS "/report_dark.png", WIDE, DARK},
		{"--screenshot=" LOGS "/report_phone.png", SLIM, LIGHT},
		{"--print-to-pdf=" LOGS "/report_paper.pdf", WIDE, LIGHT},
	};
	const char *path = in_directory("page.xhtml");
	char url[256];

	(void)state;
	if (!trial_is_full() || !has_chromium()) {
		print_message("only in the full run, with chromium\n");
		skip();
	}
	mkdir("build", 0755);
	mkdir(LOGS, 0755);
	assert_said(REPORT(PASSED, "-o", path), 0, "page.xhtml", "");
	snprintf(url, sizeof(url), "file://%s", path);
	const struct said *said = browse("--dump-dom", WIDE, LIGHT, url);

	assert_int_equal(said->code, 0);
	assert_null(strstr(said->out, "parsererror"));
	assert_has(said->out, "6,000</b>");
	assert_has(said->out, "<path class=\"line c1\"");
	for (size_t i = 0; i < COUNT_OF(pictures); i++) {
		assert_int_equal(
			browse(pictures[i].what, pictures[i].size, pictures[i].scheme, url)->code,
			0);
		assert_made(strchr(pictures[i].what, '=') + 1, 20000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_run, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_where_to, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_compare, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_wrong, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(test_in_a_browser, make_directory,
	                                        remove_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
