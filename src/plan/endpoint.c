/* endpoint: "HOST:PORT" split at its last colon; what stands in brackets may have more. */
#include "plan/endpoint.h"

#include "base/text.h"
#include "base/unit.h"
#include "plan/ip.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define DIGITS "0123456789"

/* The two parts of the text, before either has been looked into. */
struct parts {
	const char *host;
	size_t host_len;
	const char *ports; /* NULL: no colon before them */
};

static int refuse(struct err *err, const char *text, const char *why)
{
	return err_set(err, -EINVAL, "%s: %s", text_quote(text, strlen(text)).text, why);
}

static bool is_printable(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at[i] <= ' ' || at[i] > '~')
			return false;
	}
	return true;
}

/* "::1", "fe80::1%eth0" */
static bool is_ipv6(const char *at, size_t len)
{
	const char *percent = memchr(at, '%', len);
	size_t address_len = percent ? (size_t)(percent - at) : len;
	char address[IP_TEXT_BYTES];
	struct ip ip;

	if (address_len >= sizeof(address) || (percent && address_len + 1 == len))
		return false;
	memcpy(address, at, address_len);
	address[address_len] = '\0';
	return ip_parse(address, &ip) == 0 && ip.family == AF_INET6;
}

/* "[::1]:8090" */
static int split_brackets(const char *text, struct parts *out, struct err *err)
{
	const char *end = strchr(text, ']');

	if (!end)
		return refuse(err, text, "the bracket is not closed (try [::1]:8090)");
	out->host = text + 1;
	out->host_len = (size_t)(end - out->host);
	if (!is_ipv6(out->host, out->host_len))
		return refuse(err, text,
		              "what stands in brackets must be an IPv6 address "
		              "(try [::1]:8090)");
	if (end[1] == '\0')
		return refuse(err, text, "the port is missing (try [::1]:8090)");
	if (end[1] != ':')
		return refuse(err, text, "a colon must follow the bracket (try [::1]:8090)");
	out->ports = end + 2;
	return 0;
}

static int split(const char *text, struct parts *out, struct err *err)
{
	const char *colon = strchr(text, ':');

	*out = (struct parts){.host = text};
	if (text[0] == '[')
		return split_brackets(text, out, err);
	if (colon && strchr(colon + 1, ':'))
		return refuse(err, text, "an IPv6 address needs brackets: write [::1]:8090");
	if (colon) {
		out->host_len = (size_t)(colon - text);
		out->ports = colon + 1;
	} else if (text[strspn(text, DIGITS "-")] == '\0') {
		/* Digits alone: a port, or nothing that could be a host. */
		out->ports = text;
	} else {
		out->host_len = strlen(text);
	}
	return 0;
}

static int set_host(const char *text, const struct parts *parts, struct endpoint *out,
                    struct err *err)
{
	if (parts->host_len >= sizeof(out->host))
		return err_set(err, -EINVAL, "%s: the host is too long, at most %zu bytes",
		               text_quote(text, strlen(text)).text, sizeof(out->host) - 1);
	if (!is_printable(parts->host, parts->host_len))
		return refuse(err, text, "not a host: it has blanks or unprintable bytes");
	memcpy(out->host, parts->host, parts->host_len);
	out->host[parts->host_len] = '\0';
	return 0;
}

static int set_ports(const char *text, const char *ports, struct endpoint *out, struct err *err)
{
	if (!ports || ports[0] == '\0')
		return refuse(err, text, "the port is missing (try 127.0.0.1:8090)");
	if (unit_ports(ports, &out->port_low, &out->port_high) != 0)
		return err_set(err, -EINVAL,
		               "%s: \"%s\" is not a port or a range of ports within 1-65535 (try "
		               "8090, 8090-8119)",
		               text_quote(text, strlen(text)).text,
		               text_quote(ports, strlen(ports)).text);
	return 0;
}

int endpoint_parse(const char *text, const char *default_host, struct endpoint *out,
                   struct err *err)
{
	struct endpoint endpoint = {.port_low = 0};
	struct parts parts;
	int failed;

	if (text[0] == '\0')
		return err_set(err, -EINVAL, "an address and a port are missing (try %s)",
		               default_host ? "8090" : "127.0.0.1:8090");
	failed = split(text, &parts, err);
	if (failed != 0)
		return failed;
	if (parts.host_len == 0) {
		if (!default_host)
			return refuse(err, text, "the host is missing (try 127.0.0.1:8090)");
		parts.host = default_host;
		parts.host_len = strlen(default_host);
	}
	failed = set_host(text, &parts, &endpoint, err);
	if (failed == 0)
		failed = set_ports(text, parts.ports, &endpoint, err);
	if (failed == 0)
		*out = endpoint;
	return failed;
}
