/* engines: two libraries, one door. */
#include "run/engines.h"

#include "plan/capacity.h"
#include "utcp/utcp.h"

int engines_open(enum engine_kind kind, const struct engine_config *config, struct engine **out,
                 struct err *err)
{
	return engine_is_utcp(kind) ? utcp_open(kind, config, out, err)
	                            : engine_open(kind, config, out, err);
}

uint32_t engines_most(enum engine_kind kind, uint32_t listeners, uint64_t nofile,
                      uint64_t memlock_bytes)
{
	return engine_is_utcp(kind) ? (uint32_t)CAPACITY_INDEX_MOST
	                            : engine_most(kind, listeners, nofile, memlock_bytes);
}

int engines_choose_utcp(enum engine_kind wanted, bool is_private, enum engine_kind *out,
                        struct err *why)
{
	int failed;

	if (wanted != ENGINE_AUTO) {
		*out = wanted;
		return utcp_probe(wanted, is_private, why);
	}
	*out = ENGINE_TUN;
	failed = utcp_probe(ENGINE_TUN, is_private, why);
	if (failed == 0)
		return 0;
	*out = ENGINE_PACKET;
	return utcp_probe(ENGINE_PACKET, is_private, why);
}
