/* web: a small HTTP client for tests, which says just what it is told to. */
#pragma once

#include "trial.h"

#include <stddef.h>
#include <stdint.h>

#define WEB_BYTES (1024 * 1024)

struct web_answer {
	int status; /* -1: what came is no answer, 0: nothing came */
	size_t len;
	char *body;           /* after the head, within text */
	char text[WEB_BYTES]; /* head and body, as they came */
};

/* The port of the line "metrics and live page: http://127.0.0.1:PORT/", which is waited for. */
uint16_t web_port(struct trial *trial);

/* Connects, sends the bytes, and reads until the other end closes, or for `most_ms`. */
void web_send(uint16_t port, const char *bytes, size_t len, int most_ms, struct web_answer *out);

/* "GET PATH", and the connection is closed after it; asserts the status. */
void web_get(uint16_t port, const char *path, int status, struct web_answer *out);
