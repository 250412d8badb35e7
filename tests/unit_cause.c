/* unit_cause: which errno is which cause, and the words of each. */
#include "base/cause.h"

#include "plan/walls.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	int code;
	enum cause cause;
} known[] = {
	{ECONNREFUSED, CAUSE_REFUSED},
	{ETIMEDOUT, CAUSE_TIMEOUT},
	{EADDRINUSE, CAUSE_NO_PORT},
	{EADDRNOTAVAIL, CAUSE_NO_PORT},
	{EMFILE, CAUSE_NO_DESCRIPTOR},
	{ENFILE, CAUSE_NO_FILE},
	{ENOSPC, CAUSE_NO_WATCH},
	{ENOMEM, CAUSE_NO_MEMORY},
	{ENOBUFS, CAUSE_NO_MEMORY},
	{ECONNRESET, CAUSE_RESET},
	{EPIPE, CAUSE_RESET},
	{ECONNABORTED, CAUSE_RESET},
	{ENETUNREACH, CAUSE_UNREACHABLE},
	{EHOSTUNREACH, CAUSE_UNREACHABLE},
	{ENETDOWN, CAUSE_UNREACHABLE},
	{EHOSTDOWN, CAUSE_UNREACHABLE},
	{EACCES, CAUSE_FORBIDDEN},
	{EPERM, CAUSE_FORBIDDEN},
};

/* Every errno there is: those above, and the rest is "other". */
static void test_errnos(void **state)
{
	(void)state;
	for (int code = 0; code < 4096; code++) {
		enum cause expected = CAUSE_OTHER;

		for (size_t i = 0; i < COUNT_OF(known); i++) {
			if (known[i].code == code)
				expected = known[i].cause;
		}
		if (cause_of_errno(-code) != expected)
			fail_msg("errno %d: %s", code, cause_name(cause_of_errno(-code)));
		/* A positive number is no error of ours. */
		assert_int_equal(cause_of_errno(code), CAUSE_OTHER);
	}
}

/* Of a connection that was open, silence and the want of a way are the path's end. */
static void test_losses(void **state)
{
	static const int gone[] = {ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN};

	(void)state;
	for (int code = 0; code < 4096; code++) {
		enum cause expected = cause_of_errno(-code);

		for (size_t i = 0; i < COUNT_OF(gone); i++) {
			if (gone[i] == code)
				expected = CAUSE_PATH_GONE;
		}
		assert_int_equal(cause_of_loss(-code), expected);
	}
	for (int i = 0; i < CAUSE_COUNT; i++)
		assert_int_equal(cause_is_silence((enum cause)i), i == CAUSE_TIMEOUT ||
		                                                          i == CAUSE_PATH_GONE ||
		                                                          i == CAUSE_SOURCE_GONE);
}

/* They stand in results: never renamed. */
static const char *const names[] = {
	[CAUSE_REFUSED] = "refused",
	[CAUSE_TIMEOUT] = "timeout",
	[CAUSE_LISTEN_OVERFLOW] = "listen_overflow",
	[CAUSE_NO_PORT] = "no_port",
	[CAUSE_NO_DESCRIPTOR] = "no_descriptor",
	[CAUSE_NO_FILE] = "no_file",
	[CAUSE_NO_WATCH] = "no_watch",
	[CAUSE_NO_MEMORY] = "no_memory",
	[CAUSE_RESET] = "reset",
	[CAUSE_CLOSED] = "closed",
	[CAUSE_MISMATCH] = "mismatched",
	[CAUSE_UNREACHABLE] = "unreachable",
	[CAUSE_FORBIDDEN] = "forbidden",
	[CAUSE_PATH_GONE] = "path_gone",
	[CAUSE_SOURCE_GONE] = "source_gone",
	[CAUSE_WORKER_DIED] = "worker_died",
	[CAUSE_OTHER] = "other",
};

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(COUNT_OF(names), CAUSE_COUNT);
	for (int i = 0; i < CAUSE_COUNT; i++) {
		assert_string_equal(cause_name((enum cause)i), names[i]);
		for (const char *c = names[i]; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '_');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(names[i], names[j]);
	}
}

/* One clause of plain text that can stand after "12 refused: ". */
static void test_advice(void **state)
{
	(void)state;
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const char *advice = cause_advice((enum cause)i);
		size_t len = strlen(advice);

		assert_in_range(len, 15, 160);
		for (const char *c = advice; *c; c++)
			assert_true(isprint((unsigned char)*c));
		assert_null(strstr(advice, "  "));
		assert_null(strchr(".;:, ", advice[len - 1]));
		assert_int_not_equal(advice[0], ' ');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(advice, cause_advice((enum cause)j));
	}
	assert_non_null(strstr(cause_advice(CAUSE_NO_PORT), "source IPs"));
	assert_non_null(strstr(cause_advice(CAUSE_NO_DESCRIPTOR), "ulimit -n"));
	assert_non_null(strstr(cause_advice(CAUSE_LISTEN_OVERFLOW), "somaxconn"));
}

static const char *const rows[CAUSE_COUNT] = {
	[CAUSE_TIMEOUT] = "conntrack_max",     [CAUSE_LISTEN_OVERFLOW] = "somaxconn",
	[CAUSE_NO_PORT] = "source_ports",      [CAUSE_NO_FILE] = "file_max",
	[CAUSE_NO_DESCRIPTOR] = "nofile_hard", [CAUSE_NO_MEMORY] = "memory",
	[CAUSE_WORKER_DIED] = "memory",
};

/* Whatever row is named is one that the doctor has. */
static void test_rows(void **state)
{
	(void)state;
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const char *row = cause_row((enum cause)i);

		assert_string_equal(row, rows[i] ? rows[i] : "");
		if (row[0] != '\0')
			assert_true(walls_has(row));
	}
}

static void test_explain(void **state)
{
	char text[256], cut[16];

	(void)state;
	cause_explain(CAUSE_NO_FILE, text, sizeof(text));
	assert_string_equal(text, "the machine is out of open files: raise fs.file-max "
	                          "(megaconn doctor: file_max)");
	cause_explain(CAUSE_CLOSED, text, sizeof(text));
	assert_string_equal(text, cause_advice(CAUSE_CLOSED));
	cause_explain(CAUSE_NO_FILE, cut, sizeof(cut));
	assert_string_equal(cut, "the machine is ");
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const char *row = cause_row((enum cause)i);

		cause_explain((enum cause)i, text, sizeof(text));
		/* With "accepting failed at 1,000,000,000 connections: " it is a notice. */
		assert_in_range(strlen(text), strlen(cause_advice((enum cause)i)), 200);
		assert_true(!strstr(text, "doctor") == (row[0] == '\0'));
		assert_true(row[0] == '\0' || strstr(text, row));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errnos),  cmocka_unit_test(test_names),
		cmocka_unit_test(test_advice),  cmocka_unit_test(test_rows),
		cmocka_unit_test(test_explain), cmocka_unit_test(test_losses),
	};

	return cmocka_run_group_tests_name("unit_cause", tests, NULL, NULL);
}
