/* unit_screen: the monitor's page as it stands on the screen, compared with pages that were looked
 * at (tests/fixtures/screen); at every size; with nothing known; and its plain lines.
 *
 * MEGACONN_WRITE=1 in the environment writes the fixtures anew, to be looked at. */
#include "base/text.h"
#include "out/lines.h"
#include "out/number.h"
#include "out/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)

#define PAGE_BYTES (GRID_HEIGHT_MOST * (GRID_WIDTH_MOST * 3 + 1))

static struct sample first, before, now;
static struct history history;
static struct near_table near;
static struct ports_table ports;
static struct bill bill;
static struct grid grid;
static char page[PAGE_BYTES], expected[PAGE_BYTES];

/* --- a host under load --------------------------------------------------------------------- */

static void put(struct sample *sample, enum figure_id id, const char *label, uint64_t value)
{
	assert_true(figure_put(figure_at(id), sample, label, value));
}

static void put_cpu(struct sample *sample, const char *name, uint64_t busy_ms, uint64_t softirq_ms,
                    uint64_t idle_ms)
{
	put(sample, FIGURE_CPU_BUSY, name, busy_ms * 1000000);
	put(sample, FIGURE_CPU_SOFTIRQ, name, softirq_ms * 1000000);
	put(sample, FIGURE_CPU_IDLE, name, idle_ms * 1000000);
}

static void put_slab(struct sample *sample, const char *name, uint64_t objects, uint64_t bytes)
{
	put(sample, FIGURE_SLAB, name, bytes);
	put(sample, FIGURE_SLAB_OBJECTS, name, objects);
}

/* The i-th second of a ramp of 40,000 a second. */
static void make(struct sample *sample, uint64_t i)
{
	uint64_t sockets = 40000 * i;

	figure_clear(sample);
	sample->at_ns = (100 + i) * SECOND;
	sample->unix_ns = (1700000000 + i) * SECOND;
	put(sample, FIGURE_TCP_ESTABLISHED, "", 2 * sockets);
	put(sample, FIGURE_TCP_INUSE, "", 2 * sockets + 3);
	put(sample, FIGURE_TCP6_INUSE, "", 0);
	put(sample, FIGURE_TCP_TIME_WAIT, "", 12);
	put(sample, FIGURE_TCP_ORPHANS, "", 0);
	put(sample, FIGURE_TCP_ALLOCATED, "", 2 * sockets + 5);
	put(sample, FIGURE_TCP_MEMORY, "", 3 * MIB / 2);
	put(sample, FIGURE_TCP_ACTIVE_OPENS, "", sockets);
	put(sample, FIGURE_TCP_PASSIVE_OPENS, "", sockets - i * 7);
	put(sample, FIGURE_TCP_IN_SEGMENTS, "", sockets * 3);
	put(sample, FIGURE_TCP_OUT_SEGMENTS, "", sockets * 3);
	for (int id = 0; id < FIGURE_COUNT; id++) {
		if (figure_at((enum figure_id)id)->group == FIGURE_TROUBLE)
			put(sample, (enum figure_id)id, "", 0);
	}
	put(sample, FIGURE_TCP_RESETS_SENT, "", 23432043);
	put(sample, FIGURE_LISTEN_OVERFLOWS, "", 452 + i * 3);
	put(sample, FIGURE_LISTEN_DROPS, "", 455 + i * 3);
	put(sample, FIGURE_TCP_RETRANSMITS, "", i >= 3);
	put(sample, FIGURE_CONNTRACK, "", 228000);
	put(sample, FIGURE_CONNTRACK_MAX, "", 262144);
	put(sample, FIGURE_FILES, "", 2 * sockets + 700);
	put(sample, FIGURE_MEMORY_TOTAL, "", 24 * GIB);
	put(sample, FIGURE_MEMORY_FREE, "", 20 * GIB - i * 330 * MIB);
	put(sample, FIGURE_MEMORY_AVAILABLE, "", 22 * GIB - i * 250 * MIB);
	put(sample, FIGURE_MEMORY_LEFT, "", 21 * GIB - i * 330 * MIB);
	put(sample, FIGURE_MEMORY_SLAB, "", 200 * MIB + i * 320 * MIB);
	put(sample, FIGURE_MEMORY_SLAB_RECLAIMABLE, "", 150 * MIB + i * 80 * MIB);
	put_cpu(sample, "0", 780 * i, 230 * i, 220 * i);
	put_cpu(sample, "1", 1000 * i, 0, 0);
	put_slab(sample, "TCP", 2 * sockets, 2 * sockets * 2520);
	put_slab(sample, "sock_inode_cache", 2 * sockets, 2 * sockets * 862);
	put_slab(sample, "filp", 2 * sockets + 700, 2 * sockets * 195);
	put_slab(sample, "ext4_inode_cache", 92652, 104 * MIB);
	put_slab(sample, "a_cache_that_shrinks", 100 - i, (100 - i) * 4096);
}

/* Five seconds of it. */
static struct screen ramp(void)
{
	history_clear(&history);
	for (uint64_t i = 0; i < 5; i++) {
		make(&now, i);
		if (i == 0)
			first = now;
		history_add(&history, i > 0 ? &before : NULL, &now);
		if (i < 4)
			before = now;
	}
	near.count = 0;
	near_add(&near,
	         &(struct near_row){.id = "conntrack_max",
	                            .used = 228000,
	                            .most = 262144,
	                            .fix = "sysctl -w net.netfilter.nf_conntrack_max=570000"});
	near_add(&near,
	         &(struct near_row){
			 .id = "tcp_mem", .used = 3 * GIB, .most = 5 * GIB, .unit = FIGURE_BYTES});
	bill = (struct bill){.connections = 320005, .has_slabs = true};
	for (int i = 0; i < BILL_LINE_COUNT; i++)
		bill.lines[i].bytes = BILL_UNKNOWN;
	bill.lines[BILL_TCP].bytes = INT64_C(320005) * 2520;
	bill.lines[BILL_INODE].bytes = INT64_C(320005) * 862;
	bill.lines[BILL_FILE].bytes = INT64_C(320005) * 195;
	bill.lines[BILL_BIND].bytes = 4096;
	return (struct screen){
		.host = "db7",
		.clock = "14:03:22",
		.interval_ns = SECOND,
		.first = &first,
		.before = &before,
		.now = &now,
		.history = &history,
		.bill = &bill,
		.near = &near,
		.has_keys = true,
	};
}

static void make_ports(void)
{
	ports = (struct ports_table){
		.seen = 160001,
		.is_partial = true,
		.row_count = 2,
		.rows = {{8090, true, 160000, {159990, 3, 0, 7, 0}},
	                 {5432, false, 1, {0, 0, 1, 0, 0}}},
	};
}

/* --- pages as text ------------------------------------------------------------------------- */

static void add_character(struct text *t, uint32_t c)
{
	if (c < 0x80)
		text_add(t, "%c", (int)(c ? c : ' '));
	else if (c < 0x800)
		text_add(t, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
	else
		text_add(t, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)),
		         (int)(0x80 | (c & 0x3f)));
}

/* Without blanks at the ends of lines. */
static void read_page(void)
{
	struct text t;

	text_init(&t, page, sizeof(page));
	for (uint32_t y = 0; y < grid.height; y++) {
		uint32_t end = grid.width;

		while (end > 0 && (grid.cells[y][end - 1].character == 0 ||
		                   grid.cells[y][end - 1].character == ' '))
			end--;
		for (uint32_t x = 0; x < end; x++)
			add_character(&t, grid.cells[y][x].character);
		text_add(&t, "\n");
	}
	assert_false(t.cut);
}

static void draw(const struct screen *screen, uint32_t width, uint32_t height, bool is_utf8)
{
	grid.is_utf8 = is_utf8;
	grid_reset(&grid, width, height);
	screen_draw(screen, &grid);
	read_page();
}

static void expect_page(const char *name)
{
	const char *directory = getenv("MEGACONN_FIXTURES");
	bool is_written = getenv("MEGACONN_WRITE") != NULL;
	char path[512];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/screen/%s", directory ? directory : "tests/fixtures",
	         name);
	file = fopen(path, is_written ? "w" : "r");
	if (!file)
		fail_msg("cannot open %s", path);
	if (is_written) {
		fputs(page, file);
		fclose(file);
		return;
	}
	len = fread(expected, 1, sizeof(expected) - 1, file);
	expected[len] = '\0';
	fclose(file);
	if (strcmp(page, expected) != 0)
		fail_msg("%s is not as it was; now:\n%s", path, page);
}

static void expect(const char *text)
{
	if (!strstr(page, text))
		fail_msg("\"%s\" is not in:\n%s", text, page);
}

static void expect_not(const char *text)
{
	if (strstr(page, text))
		fail_msg("\"%s\" is in:\n%s", text, page);
}

/* --- pages --------------------------------------------------------------------------------- */

static void pages(void **state)
{
	struct screen screen = ramp();

	(void)state;
	draw(&screen, 80, 24, true);
	expect_page("80x24");
	draw(&screen, 40, 12, true);
	expect_page("40x12");
	make_ports();
	screen.ports = &ports;
	screen.netns = "web";
	screen.url = "http://127.0.0.1:9464/";
	draw(&screen, 120, 40, true);
	expect_page("120x40");
	expect("\n ports, 49 %      sockets ");
	draw(&screen, 80, 40, false);
	expect_page("80x40_ascii");
	screen.has_help = true;
	draw(&screen, 80, 24, true);
	expect_page("help");
}

/* The same numbers wherever there is room for them. */
static void numbers(void **state)
{
	struct screen screen = ramp();

	(void)state;
	draw(&screen, 100, 50, true);
	expect(" established       320,000 ");
	expect(" connects/s         40,000 ");
	expect(" accepts/s          39,993 ");
	expect(" memory left      19.7 GiB ");
	expect("  a socket 3,577 B  a new socket 4,194 B ");
	expect("\n a socket:   TCP socket 2,520 B  socket inode 862 B  file 195 B\n");
	expect("full in 1m01s");
	expect("near: conntrack_max 86 %  228,000 of 262,144  sysctl -w ");
	expect("near: tcp_mem 60 %  3.0 GiB of 5.0 GiB");
	expect("tracked 228,000 of 262,144 (86 %)");
	expect("  78 %  softirq  23 %");
	expect(" 100 %  softirq   0 %");
	expect("23.4 M");
}

static uint8_t style_of(const char *text)
{
	const char *at = page;

	for (uint32_t y = 0; y < grid.height; y++, at = strchr(at, '\n') + 1) {
		const char *found = strstr(at, text);

		if (!found || found >= strchr(at, '\n'))
			continue;
		uint32_t x = 0;

		for (const char *c = at; c < found; c++)
			x += ((unsigned char)*c & 0xc0) != 0x80;
		return grid.cells[y][x].style;
	}
	fail_msg("\"%s\" is not in:\n%s", text, page);
	return GRID_PLAIN;
}

static void what_moves_is_lit_and_first(void **state)
{
	struct screen screen = ramp();

	(void)state;
	draw(&screen, 80, 24, true);
	assert_int_equal(style_of("listen overflows"), GRID_LIT);
	assert_int_equal(style_of("retransmits"), GRID_LABEL); /* a second ago */
	assert_int_equal(style_of("time-outs"), GRID_LABEL);
	assert_true(strstr(page, "listen drops") < strstr(page, "given up"));
	draw(&screen, 40, 12, true); /* one row: what moves now */
	expect(" listen overflows          3       464\n");
	expect_not("retransmits");
	assert_int_equal(style_of("near: conntrack_max"), GRID_WARN);
	near.rows[0].used = 262144;
	draw(&screen, 80, 24, true);
	assert_int_equal(style_of("near: conntrack_max"), GRID_LIT);
}

static void orders(void **state)
{
	static const struct {
		enum screen_sort sort;
		const char *head, *first;
	} rows[] = {
		{SCREEN_BY_BYTES, " slab caches by bytes ", "\n TCP "},
		{SCREEN_BY_OBJECTS, " slab caches by objects ", "\n filp "},
		{SCREEN_BY_GROWTH, " slab caches by growth ", "\n TCP "},
		{SCREEN_BY_NAME, " slab caches by name ", "\n a_cache_that_shrinks "},
	};
	struct screen screen = ramp();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		screen.sort = rows[i].sort;
		draw(&screen, 80, 60, true);
		const char *head = strstr(page, rows[i].head);

		if (!head || strstr(page, rows[i].first) != strchr(head, '\n'))
			fail_msg("\"%s\" is not the first of:\n%s", rows[i].first, page);
	}
	expect("-16.0 KiB");
}

/* --- the edges ----------------------------------------------------------------------------- */

static void unknown_is_a_dash(void **state)
{
	struct screen screen = ramp();

	(void)state;
	figure_clear(&now);
	figure_clear(&before);
	figure_clear(&first);
	now.at_ns = SECOND;
	history_clear(&history);
	history_add(&history, NULL, &now);
	near.count = 0;
	bill = (struct bill){0};
	screen.before = NULL;
	draw(&screen, 120, 60, true);
	expect_not("1844674407370955");
	expect_not("17179869184");
	expect_not(" 0 ");
	expect_not("0.0");
	expect(" established             - ");
	expect("/proc/slabinfo is for root alone");
	expect_page("unknown");
	now.at_ns = 2 * SECOND;
	before.at_ns = SECOND;
	history_add(&history, &before, &now);
	screen.before = &before;
	draw(&screen, 120, 60, true);
	expect_not("1844674407370955");
	expect_not(" 0 ");
}

/* Nothing is drawn outside, at any size, and the last line is the keys'. */
static void every_size(void **state)
{
	struct screen screen = ramp();

	(void)state;
	make_ports();
	for (uint32_t width = 1; width <= GRID_WIDTH_MOST; width += width < 130 ? 1 : 45) {
		for (uint32_t height = 1; height <= GRID_HEIGHT_MOST;
		     height += height < 50 ? 1 : 50) {
			screen.ports = (width + height) % 2 ? &ports : NULL;
			draw(&screen, width, height, true);
			if (width < GRID_WIDTH_MOST)
				assert_int_equal(grid.cells[height - 1][width].character, 0);
			if (height < GRID_HEIGHT_MOST)
				assert_int_equal(grid.cells[height][1].character, 0);
			if (height >= 3 && width >= 10)
				assert_int_equal(grid.cells[height - 1][1].character, 'q');
			if (height >= 7 && width >= 30)
				assert_non_null(strstr(page, " established       320,000"));
		}
	}
}

/* More CPUs than lines: a character each. */
static void many_cpus(void **state)
{
	struct screen screen = ramp();
	char name[8];

	(void)state;
	for (int i = 2; i < 96; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put_cpu(&before, name, 0, 0, 0);
		put_cpu(&now, name, i == 77 ? 990 : 10, 5, i == 77 ? 10 : 990);
	}
	draw(&screen, 120, 40, true);
	expect("\n CPUs    \xe2\x96\x87\xe2\x96\x88\xe2\x96\x81\xe2\x96\x81");
	expect("\n softirq \xe2\x96\x82\xe2\x96\x81\xe2\x96\x81");
	expect("busiest of 96: CPU 1 100 %, softirq   0 %\n");
	draw(&screen, 60, 40, true); /* two to a column */
	expect("\n CPUs    \xe2\x96\x88\xe2\x96\x81\xe2\x96\x81");
	expect("busiest of 96: CPU 1 100 %, softirq   0 %; above, the hi");
}

static void ports_that_fail(void **state)
{
	struct screen screen = ramp();

	(void)state;
	ports = (struct ports_table){.failed = -1};
	screen.ports = &ports;
	draw(&screen, 80, 24, true);
	expect("ports: sock_diag: Operation not permitted");
	ports.failed = 0;
	draw(&screen, 80, 24, true);
	expect("ports: no connections");
}

static void titles(void **state)
{
	struct screen screen = ramp();

	(void)state;
	screen.is_paused = true;
	draw(&screen, 80, 24, true);
	expect("  PAUSED  14:03:22");
	expect_not("every");
	screen.is_paused = false;
	screen.has_keys = false;
	screen.interval_ns = SECOND / 5;
	screen.netns = "bad\x1b[31mname";
	draw(&screen, 80, 24, true);
	expect("every 0.2 s");
	expect("netns bad?[31mname");
	expect("no keyboard: Ctrl-C ends");
	screen.netns = NULL;
	screen.url = "http://127.0.0.1:9464/";
	draw(&screen, 80, 24, true);
	expect(" db7  http://127.0.0.1:9464/  ");
	draw(&screen, 60, 24, true);
	expect_not("http");
}

/* --- lines --------------------------------------------------------------------------------- */

static void print(const struct sample *from)
{
	FILE *file = fmemopen(page, sizeof(page), "w");

	assert_non_null(file);
	lines_head(file);
	lines_print(file, "14:03:22", from, &now, &history);
	fclose(file);
}

static void lines(void **state)
{
	const char *end;

	(void)state;
	ramp();
	print(&before);
	end = strchr(page, '\n');
	assert_non_null(end);
	assert_int_equal(strchr(end + 1, '\n') - end - 1, end - page); /* columns below heads */
	expect("\n14:03:22     320,000         12      40,000     39,993    120,000          0  "
	       "      3         0    19.7 GiB     1.4 GiB    89   12\n");
	print(NULL);
	expect("        -  ");
	figure_clear(&now);
	history_clear(&history);
	history_add(&history, NULL, &now);
	print(NULL);
	expect("14:03:22           -          -           -          -");
	expect_not("1844674407370955");
}

static void expect_number(enum figure_unit unit, double value, const char *text)
{
	struct text t;

	text_init(&t, page, sizeof(page));
	number_add_real(&t, unit, value);
	assert_string_equal(page, text);
}

static void number_words(void **state)
{
	struct text t;

	(void)state;
	expect_number(FIGURE_NUMBER, 0.5, "0.5");
	expect_number(FIGURE_NUMBER, 2.0, "2");
	expect_number(FIGURE_NUMBER, 9.94, "9.9");
	expect_number(FIGURE_NUMBER, 12345.6, "12,346");
	expect_number(FIGURE_NUMBER, -1, "-");
	expect_number(FIGURE_NUMBER, (double)PROBE_UNKNOWN, "-");
	expect_number(FIGURE_BYTES, 2048, "2.0 KiB");
	text_init(&t, page, sizeof(page));
	number_add_growth(&t, FIGURE_BYTES, -4096);
	number_add_growth(&t, FIGURE_BYTES, 1024);
	number_add_growth(&t, FIGURE_BYTES, 0);
	number_add(&t, FIGURE_NUMBER, PROBE_UNKNOWN);
	assert_string_equal(page, "-4.0 KiB+1.0 KiB0 B-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages),
		cmocka_unit_test(numbers),
		cmocka_unit_test(what_moves_is_lit_and_first),
		cmocka_unit_test(orders),
		cmocka_unit_test(unknown_is_a_dash),
		cmocka_unit_test(every_size),
		cmocka_unit_test(many_cpus),
		cmocka_unit_test(ports_that_fail),
		cmocka_unit_test(titles),
		cmocka_unit_test(lines),
		cmocka_unit_test(number_words),
	};

	return cmocka_run_group_tests_name("unit_screen", tests, NULL, NULL);
}
