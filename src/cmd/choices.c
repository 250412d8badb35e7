/* choices: tables, in step with each other. */
#include "cmd/choices.h"

#include "base/moment.h"
#include "base/wall.h"
#include "engine/engine.h"

#include <errno.h>
#include <stddef.h>

const char *const choices_engine[] = {
	[ENGINE_AUTO] = "auto",
	[ENGINE_URING] = "uring",
	[ENGINE_EPOLL] = "epoll",
	[ENGINE_KIND_COUNT] = NULL,
};

const char *const choices_role[] = {
	[WALL_ROLE_BOTH] = "both",
	[WALL_ROLE_SERVER] = "server",
	[WALL_ROLE_CLIENT] = "client",
	[WALL_ROLE_COUNT] = NULL,
};

const char *const choices_without[] = {"none", "bind", "defer", "bind+defer", NULL};

int choices_start_at(const char *text, bool is_search, uint64_t *unix_ns, struct err *err)
{
	if (text && is_search)
		return err_set(err, -EINVAL, "--find-max is many runs: not with --start-at");
	return text ? moment_parse("--start-at", text, clock_unix_ns(), unix_ns, err) : 0;
}

uint32_t choices_without_mask(int choice)
{
	static const uint32_t masks[] = {0, ENGINE_WITHOUT_BIND, ENGINE_WITHOUT_DEFER,
	                                 ENGINE_WITHOUT_BIND | ENGINE_WITHOUT_DEFER};

	return masks[choice];
}
