/* unit_out: what a user reads on the screen: the live line and the summary. */
#include "out/progress.h"
#include "out/summary.h"

#include "filled.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define COLUMNS     100

/* What a function printed lately. */
static char caught[16384];

/* Points stderr at a new nameless file; release() reads it back. */
static int divert(FILE **file)
{
	int saved;

	fflush(stderr);
	*file = tmpfile();
	assert_non_null(*file);
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_int_equal(dup2(fileno(*file), STDERR_FILENO), STDERR_FILENO);
	return saved;
}

static void release(FILE *file, int saved)
{
	size_t len;

	fflush(stderr);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	rewind(file);
	len = fread(caught, 1, sizeof(caught) - 1, file);
	caught[len] = '\0';
	fclose(file);
}

static void expect_text(const char *part)
{
	if (!strstr(caught, part))
		fail_msg("\"%s\" is not in:\n%s", part, caught);
}

static void expect_no_text(const char *part)
{
	if (strstr(caught, part))
		fail_msg("\"%s\" is in:\n%s", part, caught);
}

/* --- the live line --------------------------------------------------------------------------- */

static struct live live_ramp(void)
{
	return (struct live){
		.phase = LIVE_RAMP,
		.target = 1000000,
		.opened = 412345,
		.rate_per_s = 98765,
		.eta_ns = 6 * SECOND,
		.kernel_bytes_per_connection = 7777,
		.memory_left_bytes = 12 * GIB,
	};
}

static void expect_line(const struct live *live, const char *expected)
{
	char buffer[256];
	struct text t;

	text_init(&t, buffer, sizeof(buffer));
	progress_format(&t, live);
	assert_string_equal(buffer, expected);
	assert_false(t.cut);
}

static void test_progress_text(void **state)
{
	struct live live = live_ramp();

	(void)state;
	expect_line(&live, "ramp  412,345 / 1,000,000  98,765/s  ETA 6.00 s  "
	                   "kernel 7,777 B/conn  12.0 GiB left");
	live.failed = 1203;
	live.failed_by_cause[CAUSE_REFUSED] = 3;
	live.failed_by_cause[CAUSE_TIMEOUT] = 1200;
	expect_line(&live, "ramp  412,345 / 1,000,000  98,765/s  failed 1,203 (refused 3, "
	                   "timeout 1,200)  ETA 6.00 s  kernel 7,777 B/conn  12.0 GiB left");
	/* What is not known is not shown. */
	live = (struct live){.phase = LIVE_PROOF, .target = 5, .eta_ns = UINT64_MAX};
	expect_line(&live, "proof 0 / 5");
	live.eta_ns = 0;
	live.opened = 5;
	expect_line(&live, "proof 5 / 5  ETA 0 ns");
}

/* The widest that a run without failures shows; and a buffer that is too small only cuts. */
static void test_progress_width(void **state)
{
	static const uint64_t counts[] = {1, 999, 1000000, 10000000, UINT64_C(1) << 30};
	char buffer[COLUMNS + 1], small[40];
	struct live live = live_ramp();
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		live.phase = LIVE_START;
		live.target = counts[i];
		live.opened = counts[i];
		live.rate_per_s = 1234567;
		live.eta_ns = 59 * SECOND;
		live.memory_left_bytes = 1000 * GIB;
		text_init(&t, buffer, sizeof(buffer));
		progress_format(&t, &live);
		assert_false(t.cut);
		assert_true(strlen(buffer) <= COLUMNS);
	}
	live.failed = UINT64_MAX;
	for (int i = 0; i < CAUSE_COUNT; i++)
		live.failed_by_cause[i] = UINT64_MAX;
	text_init(&t, small, sizeof(small));
	progress_format(&t, &live);
	assert_true(t.cut);
	assert_int_equal(strlen(small), sizeof(small) - 1);
	for (const char *c = small; *c; c++)
		assert_in_range(*c, ' ', '~');
}

/* Elsewhere than on a terminal: when a phase begins, and every two seconds; no control characters.
 */
static void test_progress_plain(void **state)
{
	struct live live = live_ramp();
	struct progress p, quiet;
	FILE *file;
	int saved = divert(&file);

	(void)state;
	progress_init(&p, false);
	progress_init(&quiet, true);
	for (uint64_t tenth = 0; tenth <= 50; tenth++) {
		live.opened = tenth;
		progress_draw(&p, &live, 100 * SECOND + tenth * SECOND / 10);
		progress_draw(&quiet, &live, 100 * SECOND + tenth * SECOND / 10);
	}
	live.phase = LIVE_HOLD;
	progress_draw(&p, &live, 105 * SECOND + 1);
	progress_say(&p, "said");
	progress_say(&quiet, "unsaid");
	progress_end(&p);
	progress_end(&quiet);
	release(file, saved);
	assert_false(p.is_terminal);
	assert_memory_equal(caught, "ramp  0 / ", 10);
	expect_text("\nramp  20 / ");
	expect_text("\nramp  40 / ");
	expect_text("left\nhold  50 / ");
	expect_text("left\nmegaconn: said\n");
	expect_no_text("unsaid");
	expect_no_text("\r");
	expect_no_text("\033");
	int lines = 0;

	for (const char *c = caught; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 5);
}

/* A terminal hands its output on in pieces. */
static void read_until(int master, const char *end)
{
	size_t len = 0;

	caught[0] = '\0';
	while (!strstr(caught, end)) {
		ssize_t count = read(master, caught + len, sizeof(caught) - 1 - len);

		assert_true(count > 0);
		len += (size_t)count;
		caught[len] = '\0';
	}
}

/* On a terminal of 40 columns: always in place, never so wide that it scrolls. */
static void test_progress_terminal(void **state)
{
	const struct winsize size = {.ws_row = 25, .ws_col = 40};
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave = -1, saved;
	struct live live = live_ramp();
	struct progress p;

	(void)state;
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
	    (slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0)
		skip(); /* no terminals here */
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	dup2(slave, STDERR_FILENO);
	progress_init(&p, false);
	progress_draw(&p, &live, SECOND);
	progress_draw(&p, &live, SECOND);
	progress_say(&p, "said");
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	read_until(master, "said\r\n");
	assert_true(p.is_terminal);
#define LINE "\r\033[Kramp  412,345 / 1,000,000  98,765/s  ET"
	assert_int_equal(strlen(LINE), 4 + 39);
	assert_string_equal(caught, LINE LINE "\r\033[Kmegaconn: said\r\n");
#undef LINE
	close(slave);
	close(master);
}

/* --- the summary ------------------------------------------------------------------------------ */

static void summarize(const struct result *r)
{
	char *at = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&at, &len);

	assert_non_null(to);
	summary_print(to, r);
	fclose(to);
	assert_true(len < sizeof(caught));
	memcpy(caught, at, len + 1);
	free(at);
}

/* Each line that is too wide, and then a failure. */
static void expect_width(void)
{
	int wide = 0;

	for (const char *line = caught; *line;) {
		size_t len = strcspn(line, "\n");

		if (len > COLUMNS) {
			print_error("%zu columns: %.*s\n", len, (int)len, line);
			wide++;
		}
		line += len + (line[len] == '\n');
	}
	if (wide > 0)
		fail_msg("%d lines of more than %d columns", wide, COLUMNS);
}

/* Whole lines where they are short, the numbers alone where they are not. */
static void test_summary_pass(void **state)
{
	static const char *const parts[] = {
		"  asked for    1,000,000 over IPv4",
		"20 source IPs",
		"30 server ports",
		"2+3 workers",
		"uring",
		"\n  established  client 1,000,000 | server 1,000,001 | kernel 1,000,002\n",
		"\n  proved       1,000,000 (100.00 %) echoed in 2.00 s\n",
		"\n  held         10.0 s, lost 0\n",
		"\n  proved again 1,000,000 (100.00 %) echoed in 2.00 s\n",
		"\n  ramp         12.5 s, 80,000 connections/s; closed in 1.50 s\n",
		"\n  connect      p50 12.3 us  p90 23.5 us  p99 1.50 ms  p99.9 2.50 ms  ",
		"  max 12.5 ms\n",
		"\n  memory       7,854 bytes a connection",
		"kernel 7,800",
		"server 33",
		"client 21",
		"residual -123\n",
		"                  5,040 TCP socket                   125 other slab caches\n",
		"                  1,724 socket inode                  33 servers' user space\n",
		"                    390 file                          21 clients' user space\n",
		"                    388 dentry                      -123 residual\n",
		"                    133 bind buckets                  60 other programs' doings\n",
		"                                                   7,791 = lost by memory\n",
		"\n\n  PASS: a sentence\n",
	};
	const char *from = caught;

	(void)state;
	summarize(filled(VERDICT_PASS));
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		const char *found = strstr(from, parts[i]);

		if (!found) {
			fail_msg("\"%s\" is not in its place in:\n%s", parts[i], caught);
			return;
		}
		/* What ends one may begin the next. */
		from = found + strlen(parts[i]) - 2;
	}
	expect_no_text("failed");
	expect_no_text("retried");
	expect_no_text("mismatched");
	assert_int_equal(caught[strlen(caught) - 1], '\n');
}

static void test_summary_verdicts(void **state)
{
	static const char *const words[] = {
		[VERDICT_FAIL] = "\n  FAIL: a sentence\n",
		[VERDICT_PASS] = "\n  PASS: a sentence\n",
		[VERDICT_PARTIAL] = "\n  PARTIAL: a sentence\n",
		[VERDICT_REFUSED] = "\n  REFUSED: a sentence\n",
	};

	(void)state;
	assert_int_equal(COUNT_OF(words), VERDICT_COUNT);
	for (int v = 0; v < VERDICT_COUNT; v++) {
		summarize(filled((enum verdict)v));
		expect_text(words[v]);
		if (v == VERDICT_PASS)
			continue;
		/* Never rounded up to all. */
		expect_text("  proved again 999,999 (99.99 %) echoed in 2.00 s, mismatched 1, "
		            "seen by one side only 4,321\n");
		expect_text(", lost 1,234\n");
		expect_text("  failed       12 refused: ");
		expect_text("  lost         1,234 closed: ");
		expect_no_text("retried");
	}
}

/* Clients of our own: only what is not as on a clean wire is worth a line. */
static void test_summary_packets(void **state)
{
	struct result *r = filled(VERDICT_PASS);

	(void)state;
	memcpy(r->client_engine, "tun", sizeof("tun"));
	r->has_packets = true;
	r->packets = (struct packets){.sent = 7000000, .received = 4000000, .foreign = 3};
	summarize(r);
	expect_text("2+3 workers (uring+tun)");
	expect_no_text("  packets ");
	r->packets.retransmitted = 12;
	r->packets.dropped = 1234;
	r->packets.bad_checksum = 5;
	r->packets.conflicts = 2;
	summarize(r);
	expect_text(
		"\n  packets      7,000,000 sent, 4,000,000 received; retransmitted 12; dropped by "
		"the kernel 1,234;\n               bad checksums 5; from others "
		"with our addresses 2\n");
	memset(&r->packets, 0xff, sizeof(r->packets));
	summarize(r);
	expect_width();
}

static void test_summary_unknown(void **state)
{
	struct result *r = filled(VERDICT_PASS);

	(void)state;
	r->established.kernel = RESULT_UNKNOWN;
	r->proved.done = false;
	r->memory.has_slabs = false;
	r->memory.slab_count = 0;
	r->ipv6 = true;
	r->source_ips = 1;
	r->server_ports = 1;
	summarize(r);
	expect_text(" over IPv6: 1 source IP to 1 server port; ");
	expect_text(" | kernel unknown\n");
	expect_text("  proved again not done\n");
	expect_text("  slabs        not shown one by one: ");
	expect_no_text("18,446,744");
	memset(&r->memory, 0, sizeof(r->memory));
	r->target = 0;
	summarize(r);
	expect_no_text("memory");
	expect_no_text("slabs");
	expect_no_text("18,446,744");
}

static void test_summary_width(void **state)
{
	(void)state;
	for (int v = 0; v < VERDICT_COUNT; v++) {
		summarize(filled((enum verdict)v));
		expect_width();
	}
}

/* Whatever went wrong, and however often, it fits the screen. */
static void test_summary_width_of_causes(void **state)
{
	struct result *r = filled(VERDICT_FAIL);

	(void)state;
	for (int i = 0; i < CAUSE_COUNT; i++)
		r->failed_by_cause[i] = 1000000;
	r->failed = UINT64_C(1000000) * CAUSE_COUNT;
	summarize(r);
	for (int i = 0; i < CAUSE_COUNT; i++) {
		char line[64];

		snprintf(line, sizeof(line),
		         "\n  failed       1,000,000 %s: ", cause_name((enum cause)i));
		expect_text(line);
	}
	expect_width();
}

static void test_summary_width_of_numbers(void **state)
{
	static const char *const slabs[] = {"sock_inode_cache", "request_sock_TCPv6", "TCPv6",
	                                    "kmalloc-rcl-64", "tw_sock_TCPv6"};
	struct result *r = filled(VERDICT_PASS);

	(void)state;
	r->target = 10000000;
	r->source_ips = 200;
	r->server_ports = 2048;
	r->server_workers = 64;
	r->client_workers = 64;
	r->established.client = 10000000;
	r->established.server = 10000000;
	r->established.kernel = 10000000;
	r->memory.connections = 10000000;
	r->memory.kernel_bytes = 89000000000;
	r->memory.server_user_bytes = 9990000000;
	r->memory.client_user_bytes = 9990000000;
	r->memory.residual_bytes = -9990000000;
	r->memory.slab_count = COUNT_OF(slabs);
	for (size_t i = 0; i < COUNT_OF(slabs); i++) {
		strncpy(r->memory.slabs[i].name, slabs[i], sizeof(r->memory.slabs[i].name) - 1);
		r->memory.slabs[i].bytes = 12340000000;
	}
	summarize(r);
	expect_width();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_progress_text),
		cmocka_unit_test(test_progress_width),
		cmocka_unit_test(test_progress_plain),
		cmocka_unit_test(test_progress_terminal),
		cmocka_unit_test(test_summary_pass),
		cmocka_unit_test(test_summary_verdicts),
		cmocka_unit_test(test_summary_packets),
		cmocka_unit_test(test_summary_unknown),
		cmocka_unit_test(test_summary_width),
		cmocka_unit_test(test_summary_width_of_causes),
		cmocka_unit_test(test_summary_width_of_numbers),
	};

	return cmocka_run_group_tests_name("unit_out", tests, NULL, NULL);
}
