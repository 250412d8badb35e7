/* unit_merge: made-up results of hosts that made one run together, judged. */
#include "merged.h"
#include "out/merge_sum.h"
#include "out/merge_text.h"
#include "out/result_read.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

/* --- counts ------------------------------------------------------------------------------- */

static void all_shards_are_the_whole(void **state)
{
	(void)state;
	take_all_but(20, 0, 0);
	expect(VERDICT_PASS, "20 shards, 1,000,000 connections established, proved, held");
	assert_string_equal(m.result.role, "merge");
	assert_int_equal(m.result.target, ALL);
	assert_int_equal(m.result.established.client, ALL);
	assert_int_equal(m.result.established.kernel, ALL);
	assert_true(m.result.established.server == RESULT_UNKNOWN);
	assert_int_equal(m.result.proved.echoed, ALL);
	assert_int_equal(m.result.proved.repeated, 2 * 20);
	assert_int_equal(result_ramped(&m.result), ALL);
	assert_int_equal(m.result.source_ips, 20 * 20);
	assert_int_equal(m.result.shard.of, 0);
	assert_int_equal(m.spread_ns, 19 * NS_PER_MS);
	assert_int_equal(m.note_count, 0);
	/* 12.5 s each, and the last began 19 ms after the first. */
	assert_int_equal(m.result.timing.started_unix_ns, BEGAN + NS_PER_MS);
	assert_int_equal(m.result.timing.ramp_ns, 12519 * NS_PER_MS);
	assert_int_equal(m.result.timing.rate_per_s, (uint64_t)(20 * 80000 * 12.5 * 1000 / 12519));
}

/* Whoever says that it passed with less than all. */
static void a_pass_has_its_counts(void **state)
{
	(void)state;
	for (uint64_t reconnected = 0; reconnected < 2; reconnected++) {
		merge_begin(&m);
		for (uint32_t k = 1; k <= 3; k++) {
			make(k, 3);
			r.reconnected = reconnected;
			r.established.client -= k == 2;
			assert_int_equal(take(), 0);
		}
		if (reconnected > 0)
			expect(VERDICT_PASS, "3 shards, 999,999 connections established");
		else
			expect(VERDICT_FAIL, "but their counts do not: 999,999 of 1,000,000");
	}
}

static void causes_and_bill_are_added_line_by_line(void **state)
{
	int64_t sum = 0;

	(void)state;
	merge_begin(&m);
	for (uint32_t k = 1; k <= 4; k++) {
		make(k, 4);
		r.retried = k;
		r.retried_by_cause[CAUSE_REFUSED] = k;
		r.memory.bill.lines[BILL_TCP].bytes = INT64_C(1000) * k;
		r.memory.bill.lines[BILL_TCP].objects = INT64_C(10) * k;
		sum += r.memory.bill.lines[BILL_BIND].bytes;
		assert_int_equal(take(), 0);
	}
	expect(VERDICT_PASS, "4 shards");
	assert_int_equal(m.result.retried, 10);
	assert_int_equal(m.result.retried_by_cause[CAUSE_REFUSED], 10);
	assert_int_equal(m.result.memory.bill.lines[BILL_TCP].bytes, 10000);
	assert_int_equal(m.result.memory.bill.lines[BILL_TCP].objects, 100);
	assert_int_equal(m.result.memory.bill.lines[BILL_BIND].bytes, sum);
	assert_int_equal(m.result.memory.connections, 4 * r.memory.connections);
	/* What one does not know is not known of all. */
	make(4, 4);
	int64_t bytes = r.memory.bill.lines[BILL_TCP].bytes;
	r.memory.bill.lines[BILL_TCP].bytes = BILL_UNKNOWN;
	merge_begin(&m);
	assert_int_equal(take(), 0);
	make(3, 4);
	assert_int_equal(r.memory.bill.lines[BILL_TCP].bytes, bytes);
	assert_int_equal(take(), 0);
	assert_true(m.result.memory.bill.lines[BILL_TCP].bytes == BILL_UNKNOWN);
}

/* What stands in a file may be anything. */
static void no_sum_overflows(void **state)
{
	(void)state;
	assert_true(merge_add(UINT64_MAX - 1, UINT64_MAX - 1) == UINT64_MAX - 1);
	assert_true(merge_add(UINT64_MAX - 1, 0) == UINT64_MAX - 1);
	assert_true(merge_add(UINT64_MAX, 1) == RESULT_UNKNOWN);
	assert_int_equal(merge_add(3, 4), 7);
	merge_begin(&m);
	for (uint32_t k = 1; k <= 4; k++) {
		make(k, 4);
		r.failed = r.lost = r.timing.ramp_ns = UINT64_MAX - 5;
		r.timing.rate_per_s = UINT64_MAX - 5;
		r.memory.kernel_bytes = INT64_MAX;
		r.source_ips = UINT32_MAX;
		assert_int_equal(take(), 0);
	}
	assert_int_equal(merge_end(&m, &err), 0);
	assert_true(m.result.failed == UINT64_MAX - 1);
	assert_int_equal(m.result.source_ips, UINT32_MAX);
	assert_true(m.result.memory.kernel_bytes > 0);
}

/* --- the whole ---------------------------------------------------------------------------- */

static void missing_shards_are_named(void **state)
{
	(void)state;
	take_all_but(20, 4, 7);
	expect(VERDICT_FAIL, "shards 4 and 7 of 20 are missing: indexes 150,000-199,999 and "
	                     "300,000-349,999");
	take_all_but(20, 20, 0);
	expect(VERDICT_FAIL, "shard 20 of 20 is missing: indexes 950,000-999,999");
	assert_int_equal(result_ramped(&m.result), ALL);
	take_all_but(20, 1, 2);
	expect(VERDICT_FAIL, "shards 1-2 of 20 are missing: indexes 0-99,999");
	merge_begin(&m);
	make(4096, 4096);
	assert_int_equal(take(), 0);
	expect(VERDICT_FAIL, "shards 1-4095 of 4096 are missing: indexes 0-999,754");
}

static void many_gaps_end_in_dots(void **state)
{
	(void)state;
	merge_begin(&m);
	for (uint32_t k = 2; k <= 100; k += 2) {
		make(k, 100);
		assert_int_equal(take(), 0);
	}
	expect(VERDICT_FAIL, "shards 1, 3, 5, 7, 9, 11, ... of 100 are missing");
}

static void one_twice_is_named_and_counted_once(void **state)
{
	(void)state;
	take_all_but(4, 0, 0);
	make(3, 4);
	assert_int_equal(merge_take(&m, "copy", "1", &r, &logs, &err), 0);
	expect(VERDICT_FAIL, "shard 3 is there twice (host3, copy): indexes 500,000-749,999");
	assert_int_equal(m.result.established.client, ALL);
	assert_null(strstr(m.result.reason, "missing"));
}

/* Hosts whose --source differ in length: shard 2 begins where it likes. */
static void overlap_and_gap_of_indexes_are_named(void **state)
{
	(void)state;
	take_all_but(4, 2, 0);
	make(2, 4);
	r.shard.first -= 50000;
	assert_int_equal(take(), 0);
	expect(VERDICT_FAIL, "no shard has indexes 450,000-499,999; shards 1 and 2 both have "
	                     "indexes from 200,000 on");
}

static void other_runs_are_refused(void **state)
{
	(void)state;
	take_all_but(4, 4, 0);
	make(4, 5);
	assert_int_equal(take(), -EINVAL);
	assert_string_equal(err.text, "host4: of another run: shard 4 of 5, and host1 is of 4");
	make(4, 4);
	r.shard.connections = UINT64_C(2) * ALL;
	assert_int_equal(take(), -EINVAL);
	assert_non_null(strstr(err.text, "of 2000000 connections, and host1 is of 1000000"));
	make(4, 4);
	memcpy(r.to, "198.18.0.2:8090", sizeof("198.18.0.2:8090"));
	assert_int_equal(take(), -EINVAL);
	assert_non_null(strstr(err.text, "to 198.18.0.2:8090, and host1 is to 198.18.0.1:8090"));
	make(4, 4); /* what was refused has left nothing */
	assert_int_equal(take(), 0);
	expect(VERDICT_PASS, "4 shards");
}

static void no_parts_are_refused(void **state)
{
	(void)state;
	merge_begin(&m);
	make(1, 4);
	r.shard.of = 0;
	assert_int_equal(take(), -EINVAL);
	assert_non_null(strstr(err.text, "not a part of a run"));
	make(1, 4);
	r.shard.count = ALL + 1;
	assert_int_equal(take(), -EINVAL);
	make(1, 4);
	r.shard.first = UINT64_MAX - 3;
	assert_int_equal(take(), -EINVAL);
	make(1, 4);
	r.shard.of = UINT32_MAX;
	r.shard.number = UINT32_MAX;
	assert_int_equal(take(), -EINVAL);
	make(1, 4);
	r.has_search = true;
	assert_int_equal(take(), -EINVAL);
	make(1, 4);
	memcpy(r.role, "merge", sizeof("merge"));
	assert_int_equal(take(), -EINVAL);
	assert_non_null(strstr(err.text, "merged already"));
	assert_int_equal(merge_end(&m, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no shard's result"));
}

static void one_that_failed_is_named(void **state)
{
	(void)state;
	take_all_but(4, 2, 0);
	make(2, 4);
	r.verdict = VERDICT_FAIL;
	snprintf(r.reason, sizeof(r.reason), "1,000 could not be opened (refused 1,000)");
	assert_int_equal(take(), 0);
	expect(VERDICT_FAIL, "shard 2: 1,000 could not be opened (refused 1,000)");
	take_all_but(4, 2, 0);
	make(2, 4);
	r.verdict = VERDICT_PARTIAL;
	snprintf(r.reason, sizeof(r.reason), "no more\nfit: descriptors");
	assert_int_equal(take(), 0);
	expect(VERDICT_PARTIAL, "shard 2: no more?fit: descriptors");
}

static void take_refused(uint32_t number, uint32_t of)
{
	make(number, of);
	r.verdict = VERDICT_REFUSED;
	r.established.client = r.established.kernel = RESULT_UNKNOWN;
	memset(&r.timing, 0xff, sizeof(r.timing));
	snprintf(r.reason, sizeof(r.reason), "source IP 198.18.0.9 is not an address");
	assert_int_equal(merge_take(&m, "refused", "1", &r, &logs, &err), 0);
}

/* One that was refused has counts of nothing, and does not make all unknown. */
static void one_that_never_began_is_left_out(void **state)
{
	(void)state;
	take_all_but(4, 2, 0);
	take_refused(2, 4);
	expect(VERDICT_FAIL, "shard 2: source IP 198.18.0.9 is not an address");
	assert_int_equal(m.result.established.client, ALL / 4 * 3);
	assert_null(strstr(m.result.reason, "missing"));
}

/* Whatever order they are given in. */
static void one_that_was_tried_again_stands_for_its_shard(void **state)
{
	static const char says[] = "refused: never began (source IP 198.18.0.9 is not an address): "
				   "shard 2 is that of host2";

	(void)state;
	for (int is_first = 0; is_first < 2; is_first++) {
		take_all_but(4, 2, 0);
		if (is_first)
			take_refused(2, 4);
		make(2, 4);
		assert_int_equal(take(), 0);
		if (!is_first)
			take_refused(2, 4);
		expect(VERDICT_PASS, "4 shards, 1,000,000 connections established");
		assert_int_equal(m.note_count, 1);
		assert_string_equal(m.notes[0], says);
	}
	take_all_but(4, 2, 0);
	take_refused(2, 4);
	take_refused(2, 4);
	expect(VERDICT_FAIL, "shard 2: source IP 198.18.0.9 is not an address");
}

static void one_that_was_never_planned_is_missing(void **state)
{
	(void)state;
	take_all_but(4, 2, 0);
	make(2, 4);
	r.verdict = VERDICT_REFUSED;
	memset(&r.shard, 0, sizeof(r.shard));
	snprintf(r.reason, sizeof(r.reason), "no\033such device");
	assert_int_equal(merge_take(&m, "host2", "1", &r, &logs, &err), 0);
	expect(VERDICT_FAIL, "shard 2 of 4 is missing");
	assert_string_equal(
		m.notes[0],
		"host2: was refused (no?such device) before its shard was known: it is of none");
}

/* The second began when the first had ended: never were all open. */
static void hosts_that_were_not_up_together_are_no_run(void **state)
{
	(void)state;
	take_all_but(2, 2, 0);
	make(2, 2);
	r.timing.started_unix_ns = BEGAN + 3600 * NS_PER_S;
	assert_int_equal(take(), 0);
	expect(VERDICT_FAIL, "shard 2 began 59m35s after shard 1 had ended, by their clocks");
	take_all_but(2, 2, 0);
	make(2, 2);
	r.timing.started_unix_ns = BEGAN + 20 * NS_PER_S;
	r.timing.ramp_ns = 10 * NS_PER_S;
	assert_int_equal(take(), 0);
	expect(VERDICT_FAIL, "shard 2 had opened its last one 5.50 s after shard 1 had ended");
}

static void starts_that_nobody_says_are_taken_for_one(void **state)
{
	(void)state;
	take_all_but(2, 2, 0);
	make(2, 2);
	r.timing.started_unix_ns = RESULT_UNKNOWN;
	r.timing.ramp_ns = 20 * NS_PER_S;
	assert_int_equal(take(), 0);
	expect(VERDICT_PASS, "2 shards");
	assert_true(m.spread_ns == RESULT_UNKNOWN);
	assert_int_equal(m.result.timing.ramp_ns, 20 * NS_PER_S);
}

static void take_server(uint64_t held)
{
	fill_result(&r, VERDICT_PASS);
	memcpy(r.role, "serve", sizeof("serve"));
	r.established.client = RESULT_UNKNOWN;
	r.established.server = held;
	memset(&logs, 0, sizeof(logs));
	assert_int_equal(merge_take(&m, "server", "1", &r, &logs, &err), 0);
}

static void servers_have_to_agree(void **state)
{
	(void)state;
	take_all_but(4, 0, 0);
	take_server(ALL / 2);
	take_server(ALL / 2);
	expect(VERDICT_PASS, "4 shards");
	assert_int_equal(m.result.established.server, ALL);
	take_all_but(4, 0, 0);
	take_server(ALL - 1);
	expect(VERDICT_FAIL, "the counts do not agree: clients 1,000,000, servers 999,999");
}

static void a_server_that_did_not_pass_is_noted(void **state)
{
	(void)state;
	take_all_but(4, 0, 0);
	fill_result(&r, VERDICT_PARTIAL);
	memcpy(r.role, "serve", sizeof("serve"));
	r.established.server = ALL;
	r.accept_errors = r.accept_errors_by_cause[CAUSE_NO_DESCRIPTOR] = 7;
	snprintf(r.reason, sizeof(r.reason), "it had to stop accepting");
	assert_int_equal(merge_take(&m, "server", "1", &r, &logs, &err), 0);
	expect(VERDICT_PASS, "4 shards");
	assert_string_equal(m.notes[0],
	                    "server: this server did not pass: it had to stop accepting");
	assert_int_equal(m.result.accept_errors, 7);
	assert_int_equal(m.result.accept_errors_by_cause[CAUSE_NO_DESCRIPTOR], 7);
}

static void notes_without_room_are_counted(void **state)
{
	(void)state;
	take_all_but(2, 0, 0);
	for (int i = 0; i < MERGE_NOTES_MOST + 3; i++)
		merge_take_nothing(&m, "killed");
	expect(VERDICT_PASS, "2 shards");
	assert_int_equal(m.note_count, MERGE_NOTES_MOST - 2);
	assert_string_equal(m.notes[m.note_count - 1], "and 6 more");
}

static void other_versions_are_noted(void **state)
{
	(void)state;
	take_all_but(2, 2, 0);
	make(2, 2);
	assert_int_equal(merge_take(&m, "host2", "2", &r, &logs, &err), 0);
	expect(VERDICT_PASS, "2 shards");
	assert_int_equal(m.note_count, 1);
	assert_string_equal(m.notes[0], "host2: of megaconn 2, the first is of 1");
}

static void what_has_no_result_is_noted(void **state)
{
	(void)state;
	take_all_but(2, 2, 0);
	merge_take_nothing(&m, "host2");
	expect(VERDICT_FAIL, "shard 2 of 2 is missing");
	assert_non_null(strstr(m.notes[0], "host2: has no result"));
}

/* --- what is told ------------------------------------------------------------------------- */

static void its_document_is_a_result(void **state)
{
	static char word[] = "megaconn";
	char *const argv[] = {word, NULL};

	(void)state;
	take_all_but(4, 3, 0);
	assert_int_equal(merge_end(&m, &err), 0);
	json_t *document = merge_text_json(&m, 1, argv);
	const json_t *merged = json_object_get(document, "merged");

	assert_int_equal(result_read_document(document, "merged", &r, &err), 0);
	assert_string_equal(r.role, "merge");
	assert_int_equal(r.established.client, ALL / 4 * 3);
	assert_int_equal(json_integer_value(json_object_get(merged, "of")), 4);
	assert_int_equal(json_array_size(json_object_get(merged, "shards")), 3);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(merged, "missing"), 0)),
	                 3);
	assert_int_equal(merge_take(&m, "again", "1", &r, &logs, &err), -EINVAL);
	json_decref(document);
}

static void a_row_for_each_shard_is_printed(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_non_null(to);
	take_all_but(4, 3, 0);
	assert_int_equal(merge_end(&m, &err), 0);
	merge_text_print(to, &m);
	fclose(to);
	assert_non_null(strstr(text, "      2        250,000-499,999      250,000        0"));
	assert_non_null(strstr(text, "3 of 4; began within 3.00 ms of each other, by their own"));
	assert_non_null(strstr(text, "FAIL: shard 3 of 4 is missing: indexes 500,000-749,999\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_shards_are_the_whole),
		cmocka_unit_test(a_pass_has_its_counts),
		cmocka_unit_test(causes_and_bill_are_added_line_by_line),
		cmocka_unit_test(no_sum_overflows),
		cmocka_unit_test(missing_shards_are_named),
		cmocka_unit_test(many_gaps_end_in_dots),
		cmocka_unit_test(one_twice_is_named_and_counted_once),
		cmocka_unit_test(overlap_and_gap_of_indexes_are_named),
		cmocka_unit_test(other_runs_are_refused),
		cmocka_unit_test(no_parts_are_refused),
		cmocka_unit_test(one_that_failed_is_named),
		cmocka_unit_test(one_that_never_began_is_left_out),
		cmocka_unit_test(one_that_was_tried_again_stands_for_its_shard),
		cmocka_unit_test(one_that_was_never_planned_is_missing),
		cmocka_unit_test(hosts_that_were_not_up_together_are_no_run),
		cmocka_unit_test(starts_that_nobody_says_are_taken_for_one),
		cmocka_unit_test(servers_have_to_agree),
		cmocka_unit_test(a_server_that_did_not_pass_is_noted),
		cmocka_unit_test(notes_without_room_are_counted),
		cmocka_unit_test(other_versions_are_noted),
		cmocka_unit_test(what_has_no_result_is_noted),
		cmocka_unit_test(its_document_is_a_result),
		cmocka_unit_test(a_row_for_each_shard_is_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
