/* web: one request a connection. */
#include "web.h"

#include "apart.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAYS "metrics and live page: http://127.0.0.1:"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

uint16_t web_port(struct trial *trial)
{
	trial_wait_text(trial, SAYS, 10);
	unsigned long port = strtoul(strstr(trial->err, SAYS) + strlen(SAYS), NULL, 10);

	assert_in_range(port, 1, UINT16_MAX);
	return (uint16_t)port;
}

/* Reads until the end, a reset, or the time has come. */
static void read_all(int fd, int most_ms, struct web_answer *out)
{
	int64_t until_ms = now_ms() + most_ms;
	struct pollfd one = {.fd = fd, .events = POLLIN};

	while (out->len < WEB_BYTES - 1) {
		int64_t left_ms = until_ms - now_ms();
		ssize_t got = 0;

		if (left_ms > 0 && poll(&one, 1, (int)left_ms) == 1)
			got = recv(fd, out->text + out->len, WEB_BYTES - 1 - out->len, 0);
		if (got <= 0)
			return;
		out->len += (size_t)got;
	}
}

void web_send(uint16_t port, const char *bytes, size_t len, int most_ms, struct web_answer *out)
{
	int fd = apart_dial("127.0.0.1", port);
	size_t sent = 0;

	/* What does not take it all may have answered before. */
	while (sent < len) {
		ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	out->len = 0;
	read_all(fd, most_ms, out);
	close(fd);
	out->text[out->len] = '\0';
	out->body = strstr(out->text, "\r\n\r\n");
	out->body = out->body ? out->body + 4 : out->text + out->len;
	out->status = out->len == 0 ? 0 : -1;
	if (strncmp(out->text, "HTTP/1.", 7) == 0 && out->len > 12)
		out->status = (int)strtol(out->text + 9, NULL, 10);
}

void web_get(uint16_t port, const char *path, int status, struct web_answer *out)
{
	char request[512];
	int len = snprintf(request, sizeof(request),
	                   "GET %s HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
	                   path);

	web_send(port, request, (size_t)len, 10000, out);
	if (out->status != status)
		fail_msg("GET %s: %d, not %d: %.300s", path, out->status, status, out->text);
}
