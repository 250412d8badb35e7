/* unit_api: what a client and a server's API say to each other: there and back, paths and methods,
 * what is no such thing; where to ask; and what is made of two hosts' counts. */
#include "out/api.h"
#include "out/api_json.h"
#include "out/fetch.h"
#include "out/http_token.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* --- there and back ------------------------------------------------------------------------- */

static void announcements(void **state)
{
	struct roll_said said = {.key = UINT64_C(0xfedcba9876543210),
	                         .first = 4294967000,
	                         .count = 296,
	                         .has_sources = true,
	                         .sources = "198.18.0.1-198.18.0.20,198.18.1.1",
	                         .host = "client-1"};
	static struct roll_said back;
	struct err err = {""};

	(void)state;
	for (int i = 0; i < 2; i++) {
		char *json = api_json_said(&said);

		assert_non_null(json);
		assert_int_equal(api_read_said(json, strlen(json), &back, &err), 0);
		assert_true(said.key == back.key && said.has_sources == back.has_sources);
		assert_int_equal(said.first, back.first);
		assert_int_equal(said.count, back.count);
		assert_string_equal(said.sources, back.sources);
		assert_string_equal(said.host, back.host);
		free(json);
		said.has_sources = false;
		memset(said.sources, 0, sizeof(said.sources));
	}
}

static void servers(void **state)
{
	const struct api_server server = {.version = "1.2",
	                                  .host = "far",
	                                  .kernel = "6.1",
	                                  .engine = "uring",
	                                  .mode = "echo",
	                                  .ports = "8090-8119,9000",
	                                  .room = 1000000,
	                                  .workers = 2,
	                                  .uptime_ns = 1500000000,
	                                  .runs = 3,
	                                  .has_bill = true};
	struct api_server back;
	struct err err = {""};
	char *json = api_json_server(&server);

	(void)state;
	assert_int_equal(api_read_server(json, strlen(json), &back, &err), 0);
	assert_memory_equal(&server, &back, sizeof(back));
	free(json);
}

static void looks(void **state)
{
	static const struct roll_said said = {.count = 10};
	const struct api_look look = {.open = 10,
	                              .accepted = 12,
	                              .run_open = 9,
	                              .proved = {10, 0},
	                              .kernel = API_UNKNOWN,
	                              .kernel_of_sources = API_UNKNOWN,
	                              .age_ns = 2000000000,
	                              .path = {.syns_in = 7,
	                                       .resets_in = API_UNKNOWN,
	                                       .peer_low = "198.18.0.1",
	                                       .peer_high = "198.18.0.20"}};
	struct api_look back;
	struct err err = {""};
	uint32_t id = 0;
	char *json = api_json_look(77, &said, &look);

	(void)state;
	assert_int_equal(api_read_look(json, strlen(json), &back, &err), 0);
	assert_memory_equal(&look, &back, sizeof(back));
	assert_int_equal(api_read_id(json, strlen(json), &id, &err), 0);
	assert_int_equal(id, 77);
	free(json);
}

static void bills(void **state)
{
	static struct result_memory memory, back;
	struct err err = {""};

	(void)state;
	memory.connections = 1000;
	memory.kernel_bytes = 4000000;
	memory.server_user_bytes = 20000;
	memory.bill.connections = 1000;
	memory.bill.lines[BILL_TCP] = (struct bill_line){.bytes = 2500000, .objects = 1000};
	snprintf(memory.bill.lines[BILL_TCP].of, sizeof(memory.bill.lines[BILL_TCP].of), "%s",
	         "TCP\x1b[2J");
	char *json = api_json_bill(&memory);

	assert_int_equal(api_read_bill(json, strlen(json), &back, &err), 0);
	assert_int_equal(back.connections, 1000);
	assert_int_equal(back.kernel_bytes, 4000000);
	assert_int_equal(back.server_user_bytes, 20000);
	assert_int_equal(back.bill.lines[BILL_TCP].bytes, 2500000);
	assert_string_equal(back.bill.lines[BILL_TCP].of, "TCP?[2J");
	free(json);
}

/* --- what is no such thing -------------------------------------------------------------------- */

static void bad_announcements(void **state)
{
	static const struct {
		const char *json, *says;
	} bad[] = {
		{"", "not an object of JSON"},
		{"[]", "not an object of JSON"},
		{"{\"schema\":\"megaconn.run/1\"", "not an object of JSON"},
		{"{\"schema\":\"megaconn.run/1\",\"schema\":\"megaconn.run/1\"}", "not an object"},
		{"{\"schema\":1}", "not of schema megaconn.run/1"},
		{"{\"schema\":\"megaconn.run/2\"}", "this megaconn speaks megaconn.run/1"},
#define BEGIN "{\"schema\":\"megaconn.run/1\",\"key\":"
#define KEY   BEGIN "\"0123456789abcdef\","
#define REST  ",\"host\":\"h\"}"
		{BEGIN "1}", "'key'"},
		{BEGIN "\"0123456789ABCDEF\"}", "'key'"},
		{BEGIN "\"0123456789abcde\"}", "'key'"},
		{KEY "\"first\":-1}", "'first'"},
		{KEY "\"first\":4294967296}", "'first'"},
		{KEY "\"first\":0,\"count\":1.5}", "'count'"},
		{KEY "\"first\":0,\"count\":1e3,\"sources\":null" REST, "'count'"},
		{KEY "\"first\":0,\"count\":1,\"sources\":4" REST, "'sources'"},
		{KEY "\"first\":0,\"count\":1,\"sources\":\"a\\u0000b\"" REST, "not an object"},
		{KEY "\"first\":0,\"count\":1,\"sources\":\"\\u001b\"" REST, "'sources'"},
		{KEY "\"first\":0,\"count\":1,\"sources\":null}", "'host'"},
	};
	static struct roll_said said;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct err err = {""};

		assert_true(api_read_said(bad[i].json, strlen(bad[i].json), &said, &err) < 0);
		if (!strstr(err.text, bad[i].says))
			fail_msg("%s: %s", bad[i].json, err.text);
	}
}

/* --- paths ------------------------------------------------------------------------------------ */

static struct roll *roll;

static void describe(void *context, struct api_server *out)
{
	(void)context;
	snprintf(out->host, sizeof(out->host), "far");
}

static int take(void *context, const struct roll_said *said, uint32_t *id, struct err *err)
{
	(void)context;
	return roll_enter(roll, said, 1, id, err);
}

static bool look_at(void *context, uint32_t id, struct api_look *out)
{
	(void)context;
	out->open = 5;
	return roll_find(roll, id) != NULL;
}

static bool strike(void *context, uint32_t id)
{
	(void)context;
	return roll_strike(roll, id, 1);
}

static bool no_bill(void *context, struct result_memory *out)
{
	(void)context;
	(void)out;
	return false;
}

#define RUN KEY "\"first\":8,\"count\":9,\"sources\":null" REST

static void paths(void **state)
{
	static const struct {
		const char *method, *path, *body;
		unsigned int status;
	} rows[] = {
		{"GET", "/api/v1/server", "", 200},
		{"HEAD", "/api/v1/server", "", 200},
		{"POST", "/api/v1/server", "", 405},
		{"GET", "/api/v1/bill", "", 404},
		{"GET", "/api/v1/runs/1", "", 404},
		{"POST", "/api/v1/runs", "{", 400},
		{"POST", "/api/v1/runs", RUN, 201},
		{"GET", "/api/v1/runs", "", 405},
		{"GET", "/api/v1/runs/1", "", 200},
		{"GET", "/api/v1/runs/01", "", 200},
		{"GET", "/api/v1/runs/0", "", 404},
		{"GET", "/api/v1/runs/", "", 404},
		{"GET", "/api/v1/runs/1/", "", 404},
		{"GET", "/api/v1/runs/-1", "", 404},
		{"GET", "/api/v1/runs/4294967297", "", 404},
		{"GET", "/api/v1/runs/99999999999999999999999", "", 404},
		{"GET", "/api/v1/runs/1/proved", "", 404},
		{"GET", "/api/v1/runs/1/proved/0", "", 404},
		{"GET", "/api/v1/runs/1/proved/1", "", 200},
		{"GET", "/api/v1/runs/1/proved/2", "", 200},
		{"GET", "/api/v1/runs/1/proved/3", "", 404},
		{"DELETE", "/api/v1/runs/1/proved/1", "", 405},
		{"PATCH", "/api/v1/runs/1", "", 405},
		{"DELETE", "/api/v1/runs/2", "", 404},
		{"DELETE", "/api/v1/runs/1", "", 204},
		{"GET", "/api/v1/runs/1/proved/1", "", 404},
		{"GET", "/api/v2/server", "", 404},
	};
	const struct api_source source = {.describe = describe,
	                                  .enter = take,
	                                  .look = look_at,
	                                  .strike = strike,
	                                  .bill = no_bill,
	                                  .roll = roll = roll_make(1, 1000)};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct api_request request = {rows[i].method, rows[i].path, rows[i].body,
		                                    strlen(rows[i].body)};
		struct api_answer answer;

		assert_true(api_answer(&source, &request, &answer));
		if (answer.status != rows[i].status)
			fail_msg("%s %s: %u", rows[i].method, rows[i].path, answer.status);
		assert_true((answer.body != NULL) == (answer.status != 204));
		if (strstr(rows[i].path, "/proved/") && answer.status == 200)
			assert_int_equal(answer.len, 2);
		free(answer.body);
	}
	assert_string_equal(api_allow("/api/v1/runs/7"), "GET, HEAD, DELETE");
	assert_null(api_allow("/api/v1/sample"));
	roll_drop(roll);
}

/* --- tokens, addresses ------------------------------------------------------------------------ */

static void tokens(void **state)
{
	const struct http_token token = {.text = "abcdefghijklmnop"};
	char longest[HTTP_TOKEN_MOST + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_true(http_token_is(&token, "abcdefghijklmnop"));
	assert_false(http_token_is(&token, "abcdefghijklmno"));
	assert_false(http_token_is(&token, "abcdefghijklmnopq"));
	assert_false(http_token_is(&token, "Abcdefghijklmnop"));
	assert_false(http_token_is(&token, ""));
	assert_false(http_token_is(&token, longest));
	assert_true(http_token_is_one(longest, HTTP_TOKEN_MOST));
	assert_false(http_token_is_one(longest, HTTP_TOKEN_MOST + 1));
	assert_false(http_token_is_one("abcdefghijklmno", 15));
	assert_false(http_token_is_one("abcdefgh ijklmnop", 17));
	assert_false(http_token_is_one("abcdefgh\0ijklmnop", 17));
}

static void addresses(void **state)
{
	static const struct {
		const char *url, *base;
	} rows[] = {
		{"http://10.0.0.1:9464", "http://10.0.0.1:9464"},
		{"http://[2001:db8::1]:9464/", "http://[2001:db8::1]:9464"},
		{"http://server.example:80", "http://server.example:80"},
		{"http://10.0.0.1", NULL},
		{"http://10.0.0.1:9464/api", NULL},
		{"http://10.0.0.1:9464/?token=x", NULL},
		{"http://10.0.0.1:9464#x", NULL},
		{"http://user:word@10.0.0.1:9464", NULL},
		{"https://10.0.0.1:9464", NULL},
		{"file:///etc/passwd", NULL},
		{"10.0.0.1:9464", NULL},
		{"http://10.0.0.1:94640", NULL},
		{"http:// :9464", NULL},
		{"", NULL},
	};
	char base[FETCH_BASE_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = {""};
		int failed = fetch_base("--server-api", rows[i].url, base, &err);

		if ((failed == 0) != (rows[i].base != NULL))
			fail_msg("%s: %d %s", rows[i].url, failed, err.text);
		if (rows[i].base)
			assert_string_equal(base, rows[i].base);
	}
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Takes the connection (by its backlog), and says nothing. */
static void nobody_answers(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	struct fetch_host host = {.token = "", .connect_ns = 1000000000, .whole_ns = 200000000};
	char into[16];
	const struct fetch what = {"GET", "/", NULL, into, sizeof(into)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned int status = 0;
	struct err err = {""};
	size_t got;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(host.base, sizeof(host.base), "http://127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(fetch(&host, &what, &status, &got, &err), -ECONNREFUSED);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(fetch(&host, &what, &status, &got, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "does not answer in 0.2 s");
	assert_int_equal(got, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announcements),
		cmocka_unit_test(servers),
		cmocka_unit_test(looks),
		cmocka_unit_test(bills),
		cmocka_unit_test(bad_announcements),
		cmocka_unit_test(paths),
		cmocka_unit_test(tokens),
		cmocka_unit_test(addresses),
		cmocka_unit_test(nobody_answers),
	};

	return cmocka_run_group_tests_name("unit_api", tests, NULL, NULL);
}
