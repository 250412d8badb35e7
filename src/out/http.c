/* http: libmicrohttpd asks for an answer in its thread; samples are published in the caller's. Both
 * meet in the feed (out/feed), under its lock.
 *
 * A reader of events that has read all is suspended, and resumed by the next sample. The end: all
 * of them are resumed, read the last event, and then the thread is stopped. */
#include "out/http.h"

#include "base/text.h"
#include "out/api.h"
#include "out/feed.h"
#include "out/figure_json.h"
#include "out/http_address.h"
#include "out/page.h"
#include "out/prom.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define READERS_MAX  (HTTP_CLIENTS_MAX / 2) /* of events, so that others find a place */
#define EVENTS_BLOCK 16384
#define END_MS       500 /* how long readers may take to read the last event */
#define BACKLOG      64

#define TYPE_TEXT   "text/plain; charset=utf-8"
#define TYPE_JSON   "application/json"
#define TYPE_EVENTS "text/event-stream"
#define ALLOW_READ  "GET, HEAD"
#define NOT_YET     "no sample yet: there is one in a second\n"

struct http {
	struct MHD_Daemon *daemon;
	struct http_token token;
	bool has_api;
	pthread_mutex_t api_lock;
	const struct api_source *api; /* under it; NULL: it is gone */
	struct feed *feed;
	char url[HTTP_URL_BYTES];
};

/* --- answers ------------------------------------------------------------------------------ */

/* The page is all that a browser may run or load here, and it may speak to us alone. */
static const char *const headers[][2] = {
	{"Cache-Control", "no-store"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Content-Security-Policy",
         "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
         "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'"},
};
#define HEADER_COUNT (sizeof(headers) / sizeof(headers[0]))

/* Gives the answer out of hand. Without memory for it the connection is closed. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
                              const char *type, struct MHD_Response *response)
{
	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < HEADER_COUNT; i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	if (type)
		MHD_add_response_header(response, "Content-Type", type);
	if (status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"megaconn\"");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, "Retry-After", "1");
	enum MHD_Result queued = MHD_queue_response(connection, status, response);

	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result answer_static(struct MHD_Connection *connection, unsigned int status,
                                     const char *type, const char *text, size_t len)
{
	/* It is not written to; libmicrohttpd has no way to say so yet. */
	const union {
		const char *said;
		void *wanted;
	} bytes = {.said = text};

	return answer(connection, status, type,
	              MHD_create_response_from_buffer(len, bytes.wanted, MHD_RESPMEM_PERSISTENT));
}

/* With what the path does take. */
static enum MHD_Result answer_method(struct MHD_Connection *connection, const char *allow)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "only %s\n", allow);
	struct MHD_Response *response = MHD_create_response_from_buffer((size_t)len, line,
	                                                                MHD_RESPMEM_MUST_COPY);

	if (response)
		MHD_add_response_header(response, "Allow", allow);
	return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, TYPE_TEXT, response);
}

static enum MHD_Result answer_line(struct MHD_Connection *connection, unsigned int status,
                                   const char *line)
{
	return answer_static(connection, status, TYPE_TEXT, line, strlen(line));
}

/* What `write` writes. */
static enum MHD_Result answer_written(struct http *http, struct MHD_Connection *connection,
                                      const char *type, bool (*write)(struct feed *, FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return MHD_NO;
	bool is_there = write(http->feed, out);
	bool is_whole = ferror(out) == 0;

	if (fclose(out) != 0 || !is_whole || !is_there) {
		free(text);
		return is_there ? MHD_NO
		                : answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NOT_YET);
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text,
	                                                                MHD_RESPMEM_MUST_FREE);

	if (!response)
		free(text);
	return answer(connection, MHD_HTTP_OK, type, response);
}

static enum MHD_Result answer_page(struct http *http, struct MHD_Connection *connection)
{
	size_t len;
	const char *text = page_text(&len);

	(void)http;
	return answer_static(connection, MHD_HTTP_OK, "text/html; charset=utf-8", text, len);
}

static enum MHD_Result answer_metrics(struct http *http, struct MHD_Connection *connection)
{
	return answer_written(http, connection, PROM_CONTENT_TYPE, feed_write_metrics);
}

static enum MHD_Result answer_sample(struct http *http, struct MHD_Connection *connection)
{
	return answer_written(http, connection, TYPE_JSON, feed_write_line);
}

static bool write_figures(struct feed *feed, FILE *out)
{
	json_t *figures = figure_json();
	bool is_there = figures && json_dumpf(figures, out, JSON_COMPACT) == 0;

	(void)feed;
	json_decref(figures);
	return is_there;
}

static enum MHD_Result answer_figures(struct http *http, struct MHD_Connection *connection)
{
	return answer_written(http, connection, TYPE_JSON, write_figures);
}

/* --- events ------------------------------------------------------------------------------- */

static void rest(void *connection)
{
	MHD_suspend_connection(connection);
}

static void wake(void *connection)
{
	MHD_resume_connection(connection);
}

static ssize_t read_events(void *reader, uint64_t position, char *into, size_t size)
{
	ssize_t done = feed_read(reader, into, size);

	(void)position;
	return done == FEED_END ? MHD_CONTENT_READER_END_OF_STREAM : done;
}

static void close_events(void *reader)
{
	feed_close(reader);
}

static enum MHD_Result answer_events(struct http *http, struct MHD_Connection *connection)
{
	struct feed_reader *reader = feed_open(http->feed, connection, READERS_MAX);
	struct MHD_Response *response;

	if (!reader)
		return answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
		                   "too many read events already\n");
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENTS_BLOCK, read_events,
	                                             reader, close_events);
	if (!response)
		feed_close(reader);
	return answer(connection, MHD_HTTP_OK, TYPE_EVENTS, response);
}

static enum MHD_Result answer_icon(struct http *http, struct MHD_Connection *connection)
{
	(void)http;
	return answer(connection, MHD_HTTP_NO_CONTENT, NULL,
	              MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

/* --- requests ----------------------------------------------------------------------------- */

static const struct {
	const char *path;
	enum MHD_Result (*answer)(struct http *http, struct MHD_Connection *connection);
} paths[] = {
	{"/", answer_page},
	{"/metrics", answer_metrics},
	{"/api/v1/sample", answer_sample},
	{"/api/v1/events", answer_events},
	{"/api/v1/figures", answer_figures},
	{"/favicon.ico", answer_icon},
};
#define PATH_COUNT (sizeof(paths) / sizeof(paths[0]))

#define NO_PAGE                                                   \
	"no such page: / /metrics /api/v1/sample /api/v1/events " \
	"/api/v1/figures\n"
#define NO_TOKEN                                                                          \
	"a token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN in the address " \
	"(the server's host has it: --http-token-file, or a line at its start)\n"

static enum MHD_Result answer_path(struct http *http, struct MHD_Connection *connection,
                                   const char *path, bool has_body)
{
	for (size_t i = 0; i < PATH_COUNT; i++) {
		if (strcmp(path, paths[i].path) != 0)
			continue;
		/* libmicrohttpd would end a stream that has no body with a last chunk. */
		if (paths[i].answer == answer_events && !has_body)
			return answer_static(connection, MHD_HTTP_OK, TYPE_EVENTS, "", 0);
		return paths[i].answer(http, connection);
	}
	return answer_line(connection, MHD_HTTP_NOT_FOUND, NO_PAGE);
}

/* Whether it is one of "GET, HEAD". */
static bool is_one_of(const char *method, const char *allow)
{
	size_t len = strlen(method);

	for (; *allow != '\0'; allow += strcspn(allow, " "), allow += *allow == ' ') {
		if (strncmp(allow, method, len) == 0 && strcspn(allow, ",") == len)
			return true;
	}
	return false;
}

/* By the header; a browser's page and its events have only the address. */
static bool may_ask(const struct http *http, struct MHD_Connection *connection, const char *method)
{
	static const char scheme[] = "Bearer ";
	const char *said = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
	                                               MHD_HTTP_HEADER_AUTHORIZATION);

	if (http->token.text[0] == '\0')
		return true;
	if (said && strncasecmp(said, scheme, strlen(scheme)) == 0)
		return http_token_is(&http->token, said + strlen(scheme));
	said = is_one_of(method, ALLOW_READ)
	               ? MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token")
	               : NULL;
	return said && http_token_is(&http->token, said);
}

/* --- runs of other hosts ------------------------------------------------------------------ */

/* What comes after a request's head. */
struct posted {
	size_t len;
	bool is_too_long;
	char body[API_BODY_MOST];
};

static enum MHD_Result answer_api(struct http *http, struct MHD_Connection *connection,
                                  const char *path, const char *method, const struct posted *posted)
{
	const struct api_request request = {
		.method = method,
		.path = path,
		.body = posted ? posted->body : "",
		.body_len = posted ? posted->len : 0,
	};
	struct api_answer said = {0};

	if (posted && posted->is_too_long)
		return answer_line(connection, MHD_HTTP_CONTENT_TOO_LARGE,
		                   "a run's announcement has at most 16 KiB\n");
	pthread_mutex_lock(&http->api_lock);
	bool is_gone = !http->api;
	bool is_answered = !is_gone && api_answer(http->api, &request, &said);

	pthread_mutex_unlock(&http->api_lock);
	if (is_gone)
		return answer_line(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the server ends\n");
	if (!is_answered) {
		free(said.body);
		return MHD_NO;
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(
		said.len, said.body, said.body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

	if (!response)
		free(said.body);
	return answer(connection, said.status, said.type, response);
}

/* A page of another site may have a browser post without asking, but not this type. */
static bool is_json(struct MHD_Connection *connection)
{
	const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
	                                               MHD_HTTP_HEADER_CONTENT_TYPE);

	return type && strncasecmp(type, TYPE_JSON, strlen(TYPE_JSON)) == 0;
}

/* --- on a request ------------------------------------------------------------------------- */

static char has_head;

/* Its head has come: refused at once, or *state is set for what comes after it. */
static enum MHD_Result on_head(const struct http *http, struct MHD_Connection *connection,
                               const char *path, const char *method, void **state)
{
	const char *allow = http->has_api ? api_allow(path) : NULL;
	bool is_post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;

	if (!may_ask(http, connection, method))
		return answer_line(connection, MHD_HTTP_UNAUTHORIZED, NO_TOKEN);
	if (!is_one_of(method, allow ? allow : ALLOW_READ))
		return answer_method(connection, allow ? allow : ALLOW_READ);
	if (is_post && !is_json(connection))
		return answer_line(connection, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
		                   "Content-Type: application/json is wanted\n");
	*state = is_post ? calloc(1, sizeof(struct posted)) : (void *)&has_head;
	return *state ? MHD_YES : MHD_NO;
}

static void keep_body(void *state, const char *body, size_t len)
{
	struct posted *posted = state;

	if (state == &has_head)
		return;
	if (len > sizeof(posted->body) - posted->len) {
		posted->is_too_long = true;
		return;
	}
	memcpy(posted->body + posted->len, body, len);
	posted->len += len;
}

/* Called twice and more for a request: for its head, for what comes after it, and at its end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *body, size_t *body_len, void **state)
{
	struct http *http = context;

	(void)version;
	if (!*state)
		return on_head(http, connection, path, method, state);
	if (*body_len > 0) { /* answered when the request has been read */
		keep_body(*state, body, *body_len);
		*body_len = 0;
		return MHD_YES;
	}
	if (http->has_api && api_allow(path))
		return answer_api(http, connection, path, method,
		                  *state == &has_head ? NULL : *state);
	return answer_path(http, connection, path, strcmp(method, MHD_HTTP_METHOD_GET) == 0);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
	(void)context;
	(void)connection;
	(void)why;
	if (*state != &has_head)
		free(*state);
	*state = NULL;
}

/* --- listening ---------------------------------------------------------------------------- */

static int refuse_listen(const char *address, int code, struct err *err)
{
	const char *what = code == -EADDRINUSE      ? "another program listens there: take another "
	                                              "port, or 0 for any that is free"
	                   : code == -EADDRNOTAVAIL ? "this host has no such address"
	                   : code == -EACCES ? "a port that only root may use: take one above 1023"
	                                     : strerror(-code);

	return err_set(err, code, "--http %s: %s", address, what);
}

/* A socket that listens, or a negative errno with `err`; sets the port that was bound. */
static int listen_on(const char *text, struct http_address *address, struct err *err)
{
	struct sockaddr_storage at;
	int failed = http_address_parse(text, address, err);
	const int yes = 1;

	if (failed != 0)
		return failed;
	socklen_t len = ip_sockaddr(&address->ip, address->port, &at);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return refuse_listen(text, -errno, err);
	/* Ours of an earlier run may still be in TIME_WAIT. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
	    bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
		failed = -errno;
		close(fd);
		return refuse_listen(text, failed, err);
	}
	address->port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
	                                               : ((struct sockaddr_in *)&at)->sin_port);
	return fd;
}

int http_check(const char *address, struct err *err)
{
	struct http_address parsed;
	int fd = listen_on(address, &parsed, err);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* The thread inherits the mask: signals are for the others. */
static struct MHD_Daemon *start(struct http *http, int fd)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
		http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)HTTP_CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)HTTP_TIMEOUT_S, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

struct http *http_open(const char *address, const struct http_gate *gate, struct err *err)
{
	struct http_address parsed;
	struct http *http;
	int fd = listen_on(address, &parsed, err);

	if (fd < 0)
		return NULL;
	http = calloc(1, sizeof(*http));
	if (http)
		http->feed = feed_new(HTTP_PAST, rest, wake);
	if (http) {
		http->token = *gate->token;
		http->api = gate->api;
		http->has_api = gate->api != NULL;
		pthread_mutex_init(&http->api_lock, NULL);
	}
	if (http && http->feed) {
		http_address_url(&parsed, http->url);
		http->daemon = start(http, fd);
	}
	if (http && http->daemon)
		return http;
	err_set(err, -ENOMEM, "--http %s: the thread that would answer cannot be started", address);
	close(fd);
	if (http && http->feed)
		feed_free(http->feed);
	free(http);
	return NULL;
}

const char *http_url(const struct http *http)
{
	return http->url;
}

void http_publish(struct http *http, const struct sample *sample)
{
	feed_publish(http->feed, sample);
}

void http_result(struct http *http, const struct result *result)
{
	feed_result(http->feed, result);
}

void http_leave_api(struct http *http)
{
	pthread_mutex_lock(&http->api_lock);
	http->api = NULL;
	pthread_mutex_unlock(&http->api_lock);
}

void http_close(struct http *http)
{
	if (!http)
		return;
	feed_end(http->feed, END_MS);
	MHD_stop_daemon(http->daemon);
	pthread_mutex_destroy(&http->api_lock);
	feed_free(http->feed);
	free(http);
}
