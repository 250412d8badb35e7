/* via: see the header. */
#include "base/via.h"

#include "base/text.h"
#include "base/unit.h"

#include <errno.h>
#include <string.h>

#define DESCRIPTORS_LEAST 64  /* of which a proxy has some dozen for itself         */
#define HAPROXY_LEAST     256 /* it does not begin where it cannot have 100 connections */

static const struct {
	const char *name, *unit;
	uint64_t least, most;
} kinds[VIA_KIND_COUNT] = {
	[VIA_NONE] = {"", "", 0, 0},
	[VIA_NAT] = {"nat", "ports", 1, VIA_PORTS_MOST},
	[VIA_CONNTRACK] = {"conntrack", "entries", 1, UINT32_MAX},
	[VIA_HAPROXY] = {"haproxy", "descriptors", HAPROXY_LEAST, UINT32_MAX},
	[VIA_NGINX_STREAM] = {"nginx-stream", "descriptors", DESCRIPTORS_LEAST, UINT32_MAX},
};

static enum via_kind find(const char *name, size_t len)
{
	for (int kind = VIA_NONE + 1; kind < VIA_KIND_COUNT; kind++) {
		if (strlen(kinds[kind].name) == len && memcmp(kinds[kind].name, name, len) == 0)
			return (enum via_kind)kind;
	}
	return VIA_NONE;
}

static int parse_limit(const char *text, struct via *out, struct err *err)
{
	if (unit_count(text, &out->limit) != 0)
		return err_set(err, -EINVAL, "--via %s: '%s' is no limit (try 1000, 50k)",
		               kinds[out->kind].name, text_quote(text, strlen(text)).text);
	if (out->limit < kinds[out->kind].least || out->limit > kinds[out->kind].most)
		return err_set(err, -EINVAL, "--via %s: a limit is from %llu to %llu %s",
		               kinds[out->kind].name, (unsigned long long)kinds[out->kind].least,
		               (unsigned long long)kinds[out->kind].most, kinds[out->kind].unit);
	return 0;
}

int via_parse(const char *text, struct via *out, struct err *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	*out = (struct via){.kind = find(text, len)};
	if (out->kind == VIA_NONE)
		return err_set(err, -EINVAL,
		               "--via '%s': must be nat, conntrack, haproxy or nginx-stream, with "
		               "':LIMIT' behind it or without",
		               text_quote(text, len).text);
	return colon ? parse_limit(colon + 1, out, err) : 0;
}

const char *via_name(enum via_kind kind)
{
	return kinds[kind].name;
}

const char *via_unit(enum via_kind kind)
{
	return kinds[kind].unit;
}

bool via_is_proxy(enum via_kind kind)
{
	return kind == VIA_HAPROXY || kind == VIA_NGINX_STREAM;
}
