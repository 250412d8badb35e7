/* choices: tables, in step with each other. */
#include "cmd/choices.h"

#include "base/wall.h"
#include "engine/engine.h"

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

uint32_t choices_without_mask(int choice)
{
	static const uint32_t masks[] = {0, ENGINE_WITHOUT_BIND, ENGINE_WITHOUT_DEFER,
	                                 ENGINE_WITHOUT_BIND | ENGINE_WITHOUT_DEFER};

	return masks[choice];
}
