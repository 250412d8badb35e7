/* unit_reconcile: what is made of two hosts' counts and bits; and what a result says of it, there
 * and back. */
#include "run/reconcile.h"

#include "base/map.h"
#include "out/result_server.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N 100

static struct experiment *x;
static struct shm *shm;
static struct result result;

/* Two ends that agree about all. */
static int set_up(void **state)
{
	const struct api_look look = {.open = N + 7,
	                              .accepted = N + 9,
	                              .run_open = N,
	                              .kernel = N + 7,
	                              .kernel_of_sources = N};

	(void)state;
	x = map_private(sizeof(*x));
	shm = shm_make(N);
	assert_true(x && shm);
	x->kind = RUN_CONNECT;
	x->n = N;
	x->proof = true;
	x->index_first = 1000;
	assert_int_equal(ip_parse("198.18.0.1", &x->tuples.target), 0);
	pool_set(&x->tuples.sources, &x->tuples.target, 4);
	x->tuples.source_count = 4;
	x->tuples.target_port_low = 8090;
	x->tuples.target_port_count = 1;
	tuple_set_ports(&x->tuples, 40000, 40999, NULL, 1000);
	for (uint32_t i = 0; i < N; i++) {
		for (unsigned int round = 0; round < TOKEN_ROUNDS; round++) {
			shm_prove(shm, ROLE_CLIENT, round, i);
			shm_prove(shm, ROLE_SERVER, round, i);
		}
	}
	result_init(&result);
	result.has_proof = true;
	result.established.client = result.established.kernel = result.open_at_end = N;
	result.server.has = true;
	for (int i = 0; i < API_ROUNDS; i++) {
		result.server.has_look[i] = true;
		result.server.looks[i] = look;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	map_drop(shm, shm->total_bytes);
	map_drop(x, sizeof(*x));
	return 0;
}

static const char *disagreement(void)
{
	static char line[512];
	struct text t;

	text_init(&t, line, sizeof(line));
	assert_true(reconcile_agrees(&result, N, &t) == (t.len == 0));
	return line;
}

static void all_the_same(void **state)
{
	(void)state;
	reconcile_fill(x, shm, &result);
	assert_int_equal(result.established.server, N);
	assert_int_equal(result.established.server_kernel, N);
	assert_int_equal(result.server.differing_count, 0);
	assert_false(result.server.is_translated);
	assert_true(reconcile_is_known(&result));
	assert_string_equal(disagreement(), "");
}

static void counts_differ(void **state)
{
	(void)state;
	result.server.looks[1].run_open = N - 1;
	reconcile_fill(x, shm, &result);
	assert_string_equal(disagreement(),
	                    "the counts do not agree after the hold: client 100, server 99, its "
	                    "kernel 100 (from our addresses, 107 from all)");
	result.server.looks[0].kernel_of_sources = N + 2;
	reconcile_fill(x, shm, &result);
	assert_string_equal(disagreement(),
	                    "the counts do not agree after the ramp: client 100, server 100, its "
	                    "kernel 102 (from our addresses, 107 from all)");
	result.server.has_look[1] = false;
	assert_false(reconcile_is_known(&result));
}

/* All of its peers are a box's; then all count, if they are as many. */
static void translated(void **state)
{
	(void)state;
	for (int i = 0; i < API_ROUNDS; i++) {
		result.server.looks[i].kernel_of_sources = 0;
		result.server.looks[i].kernel = N;
	}
	reconcile_fill(x, shm, &result);
	assert_true(result.server.is_translated);
	assert_int_equal(result.established.server_kernel, N);
	assert_string_equal(disagreement(), "");
	result.server.looks[0].kernel = N + 1;
	reconcile_fill(x, shm, &result);
	assert_false(result.server.is_translated);
	assert_int_equal(result.established.server_kernel, 0);
	assert_string_not_equal(disagreement(), "");
	for (int i = 0; i < API_ROUNDS; i++) { /* nobody knows the sources */
		result.server.looks[i].kernel_of_sources = API_UNKNOWN;
		result.server.looks[i].kernel = N;
	}
	reconcile_fill(x, shm, &result);
	assert_int_equal(result.established.server_kernel, N);
	assert_string_equal(disagreement(), "");
}

static void mark_all_of_server_but(uint32_t index)
{
	uint8_t bits[(N + 7) / 8];

	memset(bits, 0xff, sizeof(bits));
	bits[index / 8] &= (uint8_t) ~(1U << (index % 8));
	shm_set_bits(shm, ROLE_SERVER, 0, bits);
}

static void by_index(void **state)
{
	char line[512];
	struct text t;

	(void)state;
	mark_all_of_server_but(5);
	assert_int_equal(shm_proved(shm, ROLE_SERVER, 0), N - 1); /* none beyond n */
	result.proved_ramp.differing = shm_proof_difference(shm, 0);
	result.proved.differing = shm_proof_difference(shm, 1);
	reconcile_fill(x, shm, &result);
	text_init(&t, line, sizeof(line));
	reconcile_add(&result, &t);
	assert_string_equal(line, "; 1 is proved at one end only: index 1,005 (198.18.0.2:40001 to "
	                          "198.18.0.1:8090): echoed for the client, never seen by the "
	                          "server");
	x->spares = 10; /* a churn may have given it another tuple */
	reconcile_fill(x, shm, &result);
	text_init(&t, line, sizeof(line));
	result_say_differing(&result.server.differing[0], &t);
	assert_string_equal(line, "index 1,005: echoed for the client, never seen by the server");
}

static void the_first_ones(void **state)
{
	static const uint8_t none[(N + 7) / 8];

	(void)state;
	shm_set_bits(shm, ROLE_CLIENT, 1, none);
	reconcile_fill(x, shm, &result);
	assert_int_equal(result.server.differing_count, RESULT_DIFFERING_MAX);
	for (uint32_t i = 0; i < RESULT_DIFFERING_MAX; i++) {
		assert_int_equal(result.server.differing[i].index, 1000 + i);
		assert_int_equal(result.server.differing[i].round, 1);
		assert_true(result.server.differing[i].server);
		assert_false(result.server.differing[i].client);
	}
}

static void there_and_back(void **state)
{
	static struct result_server back;
	struct err err = {""};

	(void)state;
	mark_all_of_server_but(5);
	reconcile_fill(x, shm, &result);
	result.server.id = 3;
	result.server.is_translated = true;
	result.server.looks[1].kernel = API_UNKNOWN;
	memcpy(result.server.host, "far", 4);
	json_t *document = json_pack("{s:o}", "server", result_server_json(&result.server));

	assert_int_equal(result_server_read(document, "r", &back, &err), 0);
	assert_true(back.has && back.is_translated && back.has_look[0] && back.has_look[1]);
	assert_false(back.has_memory);
	assert_int_equal(back.id, 3);
	assert_string_equal(back.host, "far");
	assert_int_equal(back.looks[0].run_open, N);
	assert_true(back.looks[1].kernel == API_UNKNOWN);
	assert_int_equal(back.differing_count, 1);
	assert_memory_equal(&back.differing[0], &result.server.differing[0],
	                    sizeof(back.differing[0]));
	json_object_set_new(document, "server", json_integer(1));
	assert_true(result_server_read(document, "r", &back, &err) < 0);
	json_decref(document);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_the_same), TEST(counts_differ),  TEST(translated),
		TEST(by_index),     TEST(the_first_ones), TEST(there_and_back),
	};

	return cmocka_run_group_tests_name("unit_reconcile", tests, NULL, NULL);
}
