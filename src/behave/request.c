/* request: see the header. */
#include "behave/request.h"

#include "base/text.h"
#include "base/version.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define HOST_MOST 255

/* The words around path and host take some 80 bytes. */
static_assert(REQUEST_PATH_MOST + HOST_MOST + 256 <= REQUEST_BYTES_MOST, "every request has room");

static int refuse(struct err *err, const char *path, const char *why)
{
	return err_set(err, -EINVAL, "path %s: %s", text_quote(path, strlen(path)).text, why);
}

static int check_path(const char *path, struct err *err)
{
	size_t len = strlen(path);

	if (path[0] != '/')
		return refuse(err, path, "begins with no slash (try /index.html)");
	if (len > REQUEST_PATH_MOST)
		return err_set(err, -EINVAL, "path %s: too long: %zu bytes (at most %d)",
		               text_quote(path, len).text, len, REQUEST_PATH_MOST);
	for (size_t i = 0; i < len; i++) {
		if (path[i] <= ' ' || path[i] > '~')
			return refuse(err, path,
			              "has a blank, or a byte that is no printable ASCII (write it "
			              "as %NN: %20 is a blank)");
		if (path[i] == '#')
			return refuse(err, path,
			              "has a fragment, which is never sent (write # as %23)");
	}
	return 0;
}

int request_make(struct request *request, const char *host, uint16_t port, const char *path,
                 struct err *err)
{
	/* The scope of a link-local address is this host's matter (RFC 6874 section 1). */
	bool is_ipv6 = strchr(host, ':') != NULL;
	int host_len = (int)(is_ipv6 ? strcspn(host, "%") : strlen(host));
	struct text text;
	int failed = check_path(path, err);

	if (failed != 0)
		return failed;
	text_init(&text, request->text, sizeof(request->text));
	text_add(&text, "GET %s HTTP/1.1\r\nHost: %s%.*s%s:%u\r\n", path, is_ipv6 ? "[" : "",
	         host_len, host, is_ipv6 ? "]" : "", port);
	text_add(&text, "User-Agent: megaconn/" MEGACONN_VERSION "\r\nAccept: */*\r\n\r\n");
	assert(!text.cut);
	request->bytes = (uint32_t)text.len;
	return 0;
}
