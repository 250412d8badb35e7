/* engine: the engines there are, and which one a run takes. */
#include "engine/engine.h"

#include "engine/epoll.h"
#include "engine/layout.h"
#include "engine/uring.h"

#include <assert.h>
#include <errno.h>

static const char *const names[] = {
	[ENGINE_AUTO] = "auto", [ENGINE_URING] = "uring",   [ENGINE_EPOLL] = "epoll",
	[ENGINE_TUN] = "tun",   [ENGINE_PACKET] = "packet",
};
static_assert(sizeof(names) / sizeof(names[0]) == ENGINE_KIND_COUNT, "each kind has its name");

const char *engine_kind_name(enum engine_kind kind)
{
	return names[kind];
}

uint32_t engine_send_most(uint32_t message_bytes)
{
	uint32_t most = ENGINE_SEND_MAX;

	while (most < message_bytes && most < ENGINE_SEND_MOST)
		most *= 2;
	return most;
}

int engine_choose(enum engine_kind wanted, enum engine_kind *out, struct err *why)
{
	int failed = 0;

	why->text[0] = '\0';
	if (wanted != ENGINE_EPOLL)
		failed = uring_probe(why);
	if (wanted == ENGINE_URING && failed != 0)
		return failed;
	*out = wanted == ENGINE_EPOLL || failed != 0 ? ENGINE_EPOLL : ENGINE_URING;
	return 0;
}

int engine_open(enum engine_kind kind, const struct engine_config *config, struct engine **out,
                struct err *err)
{
	switch (kind) {
	case ENGINE_URING:
		return uring_open(config, out, err);
	case ENGINE_EPOLL:
		return epoll_open(config, out, err);
	case ENGINE_AUTO:
	case ENGINE_TUN:
	case ENGINE_PACKET:
	case ENGINE_KIND_COUNT:
		break;
	}
	return err_set(err, -EINVAL, "an engine of kernel sockets must be chosen first");
}

uint32_t engine_most(enum engine_kind kind, uint32_t listeners, uint64_t nofile,
                     uint64_t memlock_bytes)
{
	return kind == ENGINE_EPOLL ? epoll_most(listeners, nofile)
	                            : layout_most(listeners, nofile, memlock_bytes);
}
