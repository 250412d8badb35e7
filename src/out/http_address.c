/* http_address: an address that is listened on must be said, so there is no default; and port 0 is
 * one, other than where connections go to (plan/endpoint). */
#include "out/http_address.h"

#include "base/text.h"
#include "base/unit.h"

#include <errno.h>
#include <string.h>

static int refuse(const char *text, struct err *err)
{
	return err_set(err, -EINVAL,
	               "--http %s: not ADDR:PORT (try 127.0.0.1:9464 or [::1]:9464; port 0 is any "
	               "that is free)",
	               text_quote(text, strlen(text)).text);
}

/* The host of HOST:PORT without its brackets, which IPv6 must have. */
static int parse_host(const char *host, size_t len, struct ip *out)
{
	char text[IP_TEXT_BYTES];
	bool has_brackets = len >= 2 && host[0] == '[' && host[len - 1] == ']';

	if (has_brackets) {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(text))
		return -EINVAL;
	memcpy(text, host, len);
	text[len] = '\0';
	if (ip_parse(text, out) != 0)
		return -EINVAL;
	return has_brackets == (out->family == AF_INET6) ? 0 : -EINVAL;
}

int http_address_parse(const char *text, struct http_address *out, struct err *err)
{
	struct http_address parsed = {.port = 0};
	const char *colon = strrchr(text, ':');
	const char *end = text + strlen(text);
	uint64_t port;

	if (!colon || parse_host(text, (size_t)(colon - text), &parsed.ip) != 0)
		return refuse(text, err);
	const char *at = colon + 1;

	if (!unit_take_digits(&at, end, &port) || at != end || port > UINT16_MAX)
		return refuse(text, err);
	parsed.port = (uint16_t)port;
	*out = parsed;
	return 0;
}

const char *http_address_url(const struct http_address *address, char url[HTTP_URL_BYTES])
{
	char text[IP_TEXT_BYTES];
	struct text t;

	text_init(&t, url, HTTP_URL_BYTES);
	text_add(&t, address->ip.family == AF_INET6 ? "http://[%s]:%u/" : "http://%s:%u/",
	         ip_format(&address->ip, text), (unsigned int)address->port);
	return url;
}
