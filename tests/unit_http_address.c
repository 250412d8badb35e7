/* unit_http_address: what --http takes, and what it does not. */
#include "out/http_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void taken(void **state)
{
	static const struct {
		const char *text, *url;
	} table[] = {
		{"127.0.0.1:9464", "http://127.0.0.1:9464/"},
		{"0.0.0.0:0", "http://0.0.0.0:0/"},
		{"[::1]:9464", "http://[::1]:9464/"},
		{"[2001:2:0:1:ffff:ffff:ffff:ffff]:65535",
	         "http://[2001:2:0:1:ffff:ffff:ffff:ffff]:65535/"},
		{"127.0.0.1:009", "http://127.0.0.1:9/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct http_address address;
		struct err err = {""};
		char url[HTTP_URL_BYTES];

		assert_int_equal(http_address_parse(table[i].text, &address, &err), 0);
		assert_string_equal(http_address_url(&address, url), table[i].url);
		assert_string_equal(err.text, "");
	}
}

static void refused(void **state)
{
	static const char *const table[] = {
		"",
		"9464",
		":9464",
		"127.0.0.1",
		"127.0.0.1:",
		"localhost:9464",
		"::1:9464",
		"[127.0.0.1]:9464",
		"[::1]9464",
		"[::1]:",
		"[::1:9464",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"127.0.0.1:9464/",
		"127.0.0.1: 9464",
		"127.0.0.1:99999999999999999999",
		"[]:1",
		"http://127.0.0.1:9464",
		"[2001:2:0:1:2:3:4:5:6:7:8:9]:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct http_address address = {.port = 7};
		struct err err = {""};

		assert_int_equal(http_address_parse(table[i], &address, &err), -EINVAL);
		assert_non_null(strstr(err.text, "not ADDR:PORT"));
		assert_non_null(strstr(err.text, table[i]));
		assert_int_equal(address.port, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests_name("unit_http_address", tests, NULL, NULL);
}
