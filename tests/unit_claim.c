/* unit_claim: names of claims, as /proc/net/unix shows them. */
#include "kernel/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *name, const char *first, uint32_t count)
{
	struct range range;
	char text[IP_TEXT_BYTES];

	assert_true(claim_parse(name, 3, &range));
	assert_string_equal(ip_format(&range.first, text), first);
	assert_int_equal(range.count, count);
}

static void names_of_claims(void **state)
{
	(void)state;
	expect("@megaconn-lan/3/198.18.1.200/51", "198.18.1.200", 51);
	expect("@megaconn-lan/3/2001:2::1:200/1", "2001:2::1:200", 1);
}

static void other_names(void **state)
{
	static const char *const names[] = {
		"",
		"@",
		"/run/systemd/notify",
		"@megaconn-lan/",
		"@megaconn-lan/4/198.18.1.200/51", /* of another link */
		"@megaconn-lan/33/198.18.1.200/51",
		"@megaconn-lan/3/198.18.1.200",
		"@megaconn-lan/3/198.18.1.200/",
		"@megaconn-lan/3/198.18.1.200/0",
		"@megaconn-lan/3/198.18.1.200/5x",
		"@megaconn-lan/3/198.18.1/51",
		"@megaconn-lan/3//51",
		"@megaconn-lan/3/2001:2001:2001:2001:2001:2001:2001:2001:2001:2001:2001:2001/5",
		"megaconn-lan/3/198.18.1.200/51", /* not abstract */
	};
	struct range range;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_false(claim_parse(names[i], 3, &range));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_claims),
		cmocka_unit_test(other_names),
	};

	return cmocka_run_group_tests_name("unit_claim", tests, NULL, NULL);
}
