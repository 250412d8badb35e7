/* fetch: see the header. One handle a request: they are few, and the server may be another one by
 * then. */
#include "out/fetch.h"

#include "base/clock.h"
#include "base/mix.h"
#include "base/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER_BYTES 320
#define PORT_LOW     20000
#define PORTS        10000
#define PORTS_TRIED  500L

struct taking {
	const struct fetch *what;
	size_t len;
	bool is_too_long;
};

/* Less than was given ends the request. */
static size_t take(char *data, size_t size, size_t count, void *context)
{
	struct taking *t = context;
	size_t bytes = size * count;

	if (bytes > t->what->size - t->len) {
		t->is_too_long = true;
		return 0;
	}
	memcpy(t->what->into + t->len, data, bytes);
	t->len += bytes;
	return bytes;
}

/* The run binds its connections' ports itself, all that the kernel chooses from perhaps: then the
 * kernel has none to choose for us (__inet_hash_connect passes over ports that were bound). And a
 * port of ours, in TIME_WAIT then, must be no obstacle to the run. So we bind as the run does:
 * a port by number, that may be used again. */
static int share_port(void *context, curl_socket_t fd, curlsocktype purpose)
{
	const int yes = 1;

	(void)context;
	(void)purpose;
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0
	               ? CURL_SOCKOPT_OK
	               : CURL_SOCKOPT_ERROR;
}

static void choose_port(CURL *curl)
{
	curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, share_port);
	curl_easy_setopt(curl, CURLOPT_LOCALPORT, (long)(PORT_LOW + mix64(clock_now_ns()) % PORTS));
	curl_easy_setopt(curl, CURLOPT_LOCALPORTRANGE, PORTS_TRIED);
}

/* --- where -------------------------------------------------------------------------------- */

static int refuse_url(const char *option, const char *url, struct err *err)
{
	return err_set(err, -EINVAL, "%s %s: not http://HOST:PORT (http://10.0.0.1:9464)", option,
	               text_quote(url, strlen(url)).text);
}

static bool is_part(CURLU *url, CURLUPart part, const char *wanted)
{
	char *text = NULL;
	CURLUcode code = curl_url_get(url, part, &text, 0);
	bool is = wanted ? code == CURLUE_OK && strcmp(text, wanted) == 0 : code != CURLUE_OK;

	curl_free(text);
	return is;
}

/* HOST:PORT and nothing else. */
static bool is_plain(CURLU *url)
{
	return is_part(url, CURLUPART_SCHEME, "http") && is_part(url, CURLUPART_PATH, "/") &&
	       is_part(url, CURLUPART_USER, NULL) && is_part(url, CURLUPART_QUERY, NULL) &&
	       is_part(url, CURLUPART_FRAGMENT, NULL) && !is_part(url, CURLUPART_PORT, NULL);
}

int fetch_base(const char *option, const char *url, char base[FETCH_BASE_BYTES], struct err *err)
{
	size_t len = strlen(url);
	CURLU *parsed = curl_url();
	bool is_good = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
	               is_plain(parsed);

	curl_url_cleanup(parsed);
	if (len > 0 && url[len - 1] == '/')
		len--;
	if (!is_good || len >= FETCH_BASE_BYTES)
		return refuse_url(option, url, err);
	memcpy(base, url, len);
	base[len] = '\0';
	return 0;
}

/* --- what went wrong ---------------------------------------------------------------------- */

static int refuse(CURL *curl, CURLcode code, const struct taking *taking,
                  const struct fetch_host *host, struct err *err)
{
	long connect_errno = 0;
	curl_off_t connected_us = 0; /* 0: it never was */

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &connect_errno);
	curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected_us);
	if (taking->is_too_long)
		return err_set(err, -EMSGSIZE, "answers with more than %zu bytes",
		               taking->what->size);
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(
			err, -ETIMEDOUT,
			connected_us == 0 ? "no connection in %.3g s" : "does not answer in %.3g s",
			(double)(connected_us == 0 ? host->connect_ns : host->whole_ns) / 1e9);
	case CURLE_COULDNT_RESOLVE_HOST:
		return err_set(err, -ENOENT, "no such host");
	case CURLE_COULDNT_CONNECT:
		return err_set(err, connect_errno > 0 ? -(int)connect_errno : -ECONNREFUSED, "%s",
		               connect_errno > 0 ? strerror((int)connect_errno) : "no connection");
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return err_set(err, -ECONNRESET, "ends the connection without a whole answer");
	case CURLE_OUT_OF_MEMORY:
		return err_set(err, -ENOMEM, "no memory to ask with");
	default:
		return err_set(err, -EPROTO, "speaks no HTTP: %s", curl_easy_strerror(code));
	}
}

/* --- the request -------------------------------------------------------------------------- */

static struct curl_slist *headers_of(const struct fetch_host *host, const struct fetch *what)
{
	char token[HEADER_BYTES];
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	if (what->body)
		list = curl_slist_append(list, "Content-Type: application/json");
	if (host->token[0] != '\0') {
		snprintf(token, sizeof(token), "Authorization: Bearer %s", host->token);
		list = curl_slist_append(list, token);
	}
	return list;
}

static void set_up(CURL *curl, const struct fetch_host *host, const struct fetch *what,
                   struct taking *taking)
{
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, what->method);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
	curl_easy_setopt(curl, CURLOPT_NOBODY, (long)(strcmp(what->method, "HEAD") == 0));
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(host->connect_ns / NS_PER_MS));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(host->whole_ns / NS_PER_MS));
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, taking);
	choose_port(curl);
	if (what->body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, what->body);
}

static int perform(CURL *curl, const struct fetch_host *host, struct taking *taking,
                   unsigned int *status, struct err *err)
{
	CURLcode code = curl_easy_perform(curl);
	long said = 0;

	if (code != CURLE_OK)
		return refuse(curl, code, taking, host, err);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &said);
	*status = (unsigned int)said;
	return 0;
}

int fetch(const struct fetch_host *host, const struct fetch *what, unsigned int *status,
          size_t *len, struct err *err)
{
	char url[FETCH_BASE_BYTES + 64];
	struct taking taking = {.what = what};
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = headers_of(host, what);
	int failed = curl && headers ? 0 : err_set(err, -ENOMEM, "no memory to ask with");

	if (failed == 0) {
		snprintf(url, sizeof(url), "%s%s", host->base, what->path);
		set_up(curl, host, what, &taking);
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		failed = perform(curl, host, &taking, status, err);
	}
	*len = taking.len;
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return failed;
}
