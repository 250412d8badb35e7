/* http_token: who may ask over HTTP: whoever says the token. On a loopback address none is needed,
 * unless one is given; elsewhere one is made where none is given. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_TOKEN_LEAST 16
#define HTTP_TOKEN_MOST  256
#define HTTP_TOKEN_ENV   "MEGACONN_TOKEN"

struct http_token {
	char text[HTTP_TOKEN_MOST + 1]; /* empty: nobody is asked for one */
	bool is_made;                   /* at random: nobody knows it yet */
};

/* Of those who ask at the address, ADDR:PORT: what stands in `file` (NULL: none is given), else in
 * the environment, else one made at random where the address is not a loopback one. 0, or a
 * negative errno with one line in `err`: -EINVAL for the address, or a token that is none; -EACCES
 * where others may read the file, and what open(2) says. */
int http_token_choose(const char *address, const char *file, struct http_token *out,
                      struct err *err);

/* Of who asks: the same, but nothing is made: it is empty where none is given. `option` is what the
 * line calls the file. */
int http_token_given(const char *option, const char *file, struct http_token *out, struct err *err);

/* 16 to 256 of A-Z a-z 0-9 . _ ~ - */
bool http_token_is_one(const char *text, size_t len);

/* How to have the live page: its address, with the token where it was made now. */
struct text;
void http_token_page(const struct http_token *token, const char *url, struct text *t);

/* What to give to clients on other hosts: of a token that stands in `file` or in the environment
 * (NULL), or was made. */
void http_token_tell(const struct http_token *token, const char *file, const char *url,
                     struct text *t);

/* In a time that does not tell how much of it is right. */
bool http_token_is(const struct http_token *token, const char *said);
