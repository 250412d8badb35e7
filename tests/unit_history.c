/* unit_history: what the monitor remembers: the ring and its peaks, when memory will be gone,
 * limits that are near, sockets by port. */
#include "base/history.h"
#include "base/near.h"
#include "base/ports.h"

#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define MIB    (UINT64_C(1) << 20)

static struct history history;
static struct sample before, now;

static void assert_value(double value, double expected)
{
	assert_true(value > expected - 1e-6 && value < expected + 1e-6);
}

/* The i-th of a row of samples, a second apart, of which nothing is known. */
static struct sample *blank(int i)
{
	before = now;
	figure_clear(&now);
	now.at_ns = (uint64_t)(i + 1) * SECOND;
	return &now;
}

static void add(int i)
{
	history_add(&history, i > 0 ? &before : NULL, &now);
}

static void rates_and_peaks(void **state)
{
	static const uint64_t opens[] = {100, 350, 400, 400, 30};

	(void)state;
	history_clear(&history);
	for (int i = 0; i < 5; i++) {
		struct sample *sample = blank(i);

		sample->tcp.curr_estab = i == 2 ? 90 : 10;
		sample->tcp.active_opens = opens[i];
		add(i);
		assert_value(history.rate_peak[FIGURE_TCP_ACTIVE_OPENS],
		             i == 0 ? HISTORY_UNKNOWN : 250);
	}
	assert_value(history_value(&history, HISTORY_CONNECTS, 4), HISTORY_UNKNOWN);
	assert_value(history_value(&history, HISTORY_CONNECTS, 3), 250);
	assert_value(history_value(&history, HISTORY_CONNECTS, 2), 50);
	assert_value(history_value(&history, HISTORY_CONNECTS, 1), 0);
	assert_value(history_value(&history, HISTORY_CONNECTS, 0), HISTORY_UNKNOWN); /* fell */
	assert_value(history_value(&history, HISTORY_CONNECTS, 5), HISTORY_UNKNOWN);
	assert_value(history_value(&history, HISTORY_ESTABLISHED, 2), 90);
	assert_value(history_value(&history, HISTORY_MEMORY_LEFT, 0), HISTORY_UNKNOWN);
	assert_value(history.peak[HISTORY_ESTABLISHED], 90);
	assert_value(history.peak[HISTORY_CONNECTS], 250);
	assert_value(history.peak[HISTORY_MEMORY_LEFT], HISTORY_UNKNOWN);
	assert_int_equal(history.moved[FIGURE_TCP_ACTIVE_OPENS], 300);
	assert_int_equal(history.moved[FIGURE_TCP_RETRANSMITS], 0);
	history_clear_peaks(&history);
	assert_value(history.peak[HISTORY_ESTABLISHED], HISTORY_UNKNOWN);
	assert_value(history.rate_peak[FIGURE_TCP_ACTIVE_OPENS], HISTORY_UNKNOWN);
	assert_int_equal(history.moved[FIGURE_TCP_ACTIVE_OPENS], 300);
}

/* What is known of drops is their sum. */
static void sums(void **state)
{
	(void)state;
	history_clear(&history);
	for (int i = 0; i < 2; i++) {
		struct sample *sample = blank(i);

		sample->tcp.listen_drops = (uint64_t)i * 30;
		sample->vitals.backlog_drops = (uint64_t)i * 4;
		add(i);
	}
	assert_value(history_value(&history, HISTORY_DROPS, 0), 34);
}

static void ring_forgets(void **state)
{
	int count = HISTORY_POINTS + 30;

	(void)state;
	history_clear(&history);
	for (int i = 0; i < count; i++) {
		blank(i)->tcp.curr_estab = (uint64_t)i;
		add(i);
	}
	assert_value(history_value(&history, HISTORY_ESTABLISHED, 0), count - 1);
	assert_value(history_value(&history, HISTORY_ESTABLISHED, HISTORY_POINTS - 1), 30);
	assert_value(history_value(&history, HISTORY_ESTABLISHED, HISTORY_POINTS), HISTORY_UNKNOWN);
	assert_value(history.peak[HISTORY_ESTABLISHED], count - 1);
}

static uint64_t full_after(int count, uint64_t left_bytes, uint64_t each_bytes)
{
	history_clear(&history);
	for (int i = 0; i < count; i++) {
		blank(i)->memory_left_bytes = left_bytes - (uint64_t)i * each_bytes;
		add(i);
	}
	return history_full_in_ns(&history);
}

static void full(void **state)
{
	(void)state;
	assert_true(full_after(0, 0, 0) == UINT64_MAX);
	assert_true(full_after(3, 1000 * MIB, 100 * MIB) == UINT64_MAX); /* too early to say */
	assert_int_equal(full_after(5, 1000 * MIB, 100 * MIB), 6 * SECOND);
	assert_int_equal(full_after(20, 2000 * MIB, 10 * MIB), 181 * SECOND);
	assert_true(full_after(20, 2000 * MIB, 0) == UINT64_MAX);
	assert_true(full_after(20, 86400 * MIB * 2, MIB) == UINT64_MAX); /* in two days */
	for (int i = 0; i < 20; i++) {                                   /* comes back */
		blank(i)->memory_left_bytes = MIB * (uint64_t)(i + 1);
		add(i);
	}
	assert_true(history_full_in_ns(&history) == UINT64_MAX);
	history_clear(&history);
	for (int i = 0; i < 5; i++) { /* the cgroup has less than the machine */
		blank(i)->memory_left_bytes = 90000 * MIB;
		blank(i)->cgroup_left_bytes = 1000 * MIB - (uint64_t)i * 100 * MIB;
		add(i);
	}
	assert_int_equal(history_full_in_ns(&history), 6 * SECOND);
}

/* --- limits that are near ------------------------------------------------------------------ */

static struct near_table near;

static void put(const char *id, uint64_t used, uint64_t most)
{
	near_add(&near, &(struct near_row){.id = id, .used = used, .most = most});
}

static void nearest_first(void **state)
{
	(void)state;
	memset(&near, 0, sizeof(near));
	put("half", 50, 100);
	put("below", 499, 1000);
	put("full", 77, 77);
	put("unknown", PROBE_UNKNOWN, 100);
	put("unlimited", 100, PROBE_UNKNOWN);
	put("none", 100, 0);
	put("most", 99, 100);
	put("beyond", UINT64_MAX / 2, 1);
	assert_int_equal(near.count, 4);
	assert_string_equal(near.rows[0].id, "beyond");
	assert_string_equal(near.rows[1].id, "full");
	assert_string_equal(near.rows[2].id, "most");
	assert_string_equal(near.rows[3].id, "half");
	assert_int_equal(near_percent(&near.rows[0]), 999);
	assert_int_equal(near_percent(&near.rows[1]), 100);
	assert_int_equal(near_percent(&near.rows[2]), 99);
	for (int i = 0; i < 2 * NEAR_ROWS_MOST; i++)
		put("more", 80, 100);
	assert_int_equal(near.count, NEAR_ROWS_MOST);
	assert_string_equal(near.rows[2].id, "most");
	assert_string_equal(near.rows[NEAR_ROWS_MOST - 1].id, "more");
}

/* --- sockets by port ----------------------------------------------------------------------- */

static struct ports_counts counts;
static struct ports_table ports;

static void count(int times, uint8_t state, uint16_t local, uint16_t remote)
{
	for (int i = 0; i < times; i++)
		ports_count(&counts, state, local, remote);
}

static void servers_and_clients(void **state)
{
	(void)state;
	memset(&counts, 0, sizeof(counts));
	counts.listening[8090 / 8] = 1u << 8090 % 8;
	count(1, TCP_LISTEN, 8090, 0);
	count(3, TCP_ESTABLISHED, 8090, 50000);
	count(2, TCP_CLOSE_WAIT, 8090, 50001);
	count(1, TCP_SYN_RECV, 8090, 50002);
	count(4, TCP_ESTABLISHED, 50000, 8090);
	count(3, TCP_TIME_WAIT, 50001, 5432);
	count(1, TCP_FIN_WAIT2, 50001, 5432);
	ports_rank(&counts, &ports);
	assert_int_equal(ports.seen, 14);
	assert_int_equal(ports.row_count, 3);
	assert_int_equal(ports.left_out, 0);
	assert_true(ports.rows[0].is_server);
	assert_int_equal(ports.rows[0].port, 8090);
	assert_int_equal(ports.rows[0].total, 6);
	assert_int_equal(ports.rows[0].by_state[PORTS_ESTABLISHED], 3);
	assert_int_equal(ports.rows[0].by_state[PORTS_CLOSE_WAIT], 2);
	assert_int_equal(ports.rows[0].by_state[PORTS_SYN], 1);
	assert_false(ports.rows[1].is_server);
	assert_int_equal(ports.rows[1].port, 5432); /* as many as the next: the lower port */
	assert_int_equal(ports.rows[1].total, 4);
	assert_int_equal(ports.rows[1].by_state[PORTS_TIME_WAIT], 3);
	assert_int_equal(ports.rows[1].by_state[PORTS_CLOSING], 1);
	assert_int_equal(ports.rows[2].port, 8090);
	assert_false(ports.rows[2].is_server);
	assert_int_equal(ports.rows[2].by_state[PORTS_ESTABLISHED], 4);
}

static void most_of_many(void **state)
{
	(void)state;
	memset(&counts, 0, sizeof(counts));
	for (int port = 1; port <= 200; port++)
		count(port, TCP_ESTABLISHED, 40000, (uint16_t)port);
	ports_rank(&counts, &ports);
	assert_int_equal(ports.row_count, PORTS_ROWS_MOST);
	assert_int_equal(ports.left_out, 200 - PORTS_ROWS_MOST);
	for (int i = 0; i < PORTS_ROWS_MOST; i++)
		assert_int_equal(ports.rows[i].total, 200 - i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_and_peaks), cmocka_unit_test(sums),
		cmocka_unit_test(ring_forgets),    cmocka_unit_test(full),
		cmocka_unit_test(nearest_first),   cmocka_unit_test(servers_and_clients),
		cmocka_unit_test(most_of_many),
	};

	return cmocka_run_group_tests_name("unit_history", tests, NULL, NULL);
}
