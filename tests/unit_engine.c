/* unit_engine: one test of the engine contract (engine/engine.h) for every engine there is. The
 * tests are in unit_engine/: over two engines that are joined (connect, data, accept), and over one
 * that is joined to plain sockets (peers). Traffic stays on 127.0.0.1 and ::1.
 *
 * ENGINE=epoll runs one engine's only, TEST='test_fin*' these tests only. Kernels that lack one
 * thing alone are for FULL=1 (and for ENGINE=): what lacks both goes through the same code. */
#include "unit_engine/groups.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct variant variants[] = {
	{.name = "uring", .kind = ENGINE_URING},
	{.name = "uring-bind",
         .kind = ENGINE_URING,
         .without = ENGINE_WITHOUT_BIND,
         .is_late = true},
	{.name = "uring-defer",
         .kind = ENGINE_URING,
         .without = ENGINE_WITHOUT_DEFER,
         .is_late = true},
	{.name = "uring-bind-defer",
         .kind = ENGINE_URING,
         .without = ENGINE_WITHOUT_BIND | ENGINE_WITHOUT_DEFER},
	{.name = "epoll", .kind = ENGINE_EPOLL},
	{.name = "fake", .is_fake = true},
};

static int run(const struct variant *v, const struct group *group)
{
	char name[64];

	variant = v;
	(void)snprintf(name, sizeof(name), "%s: %s", v->name, group->name);
	return _cmocka_run_group_tests(name, group->tests, group->count, NULL, NULL);
}

int main(void)
{
	static const struct group *const groups[] = {&group_connect, &group_data, &group_accept};
	enum engine_kind chosen;
	struct err why;
	const char *only = getenv("ENGINE");
	int failed = 0;

	if (getenv("TEST"))
		cmocka_set_test_filter(getenv("TEST"));
	signal(SIGPIPE, SIG_DFL); /* an engine must not raise it */
	for (size_t i = 0; i < COUNT_OF(variants); i++) {
		struct variant *v = &variants[i];

		if (only ? strcmp(only, v->name) != 0 : v->is_late && !getenv("FULL"))
			continue;
		v->is_refused = !v->is_fake && engine_choose(v->kind, &chosen, &why) != 0;
		for (size_t g = 0; g < COUNT_OF(groups); g++)
			failed += run(v, groups[g]);
		if (!v->is_fake)
			failed += run(v, &group_peers);
	}
	return failed;
}
