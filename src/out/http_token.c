/* http_token: see the header. Letters are those that stand in a URL as they are (RFC 3986,
 * unreserved). */
#include "out/http_token.h"

#include "base/text.h"
#include "out/http_address.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANDOM_BYTES 16
#define FORM         "16 to 256 of A-Z a-z 0-9 . _ ~ - (openssl rand -hex 16 makes one)"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("._~-", c) != NULL);
}

bool http_token_is_one(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_letter(text[i]))
			return false;
	}
	return len >= HTTP_TOKEN_LEAST && len <= HTTP_TOKEN_MOST;
}

bool http_token_is(const struct http_token *token, const char *said)
{
	char padded[sizeof(token->text)] = "";
	unsigned int differing = strlen(said) > HTTP_TOKEN_MOST;

	snprintf(padded, sizeof(padded), "%s", said);
	for (size_t i = 0; i < sizeof(padded); i++)
		differing |= (unsigned int)(unsigned char)(padded[i] ^ token->text[i]);
	return differing == 0;
}

/* --- what is given ------------------------------------------------------------------------ */

static int refuse_file(const char *option, const char *file, int code, struct err *err)
{
	return err_set(err, code, "%s %s: %s", option, text_quote(file, strlen(file)).text,
	               strerror(-code));
}

/* Whoever can read it could ask; whoever can write it says who may. */
static int check_owner(const char *option, const char *file, int fd, struct err *err)
{
	struct stat is;

	if (fstat(fd, &is) != 0)
		return refuse_file(option, file, -errno, err);
	if (!S_ISREG(is.st_mode))
		return err_set(err, -EINVAL, "%s %s: not a file", option,
		               text_quote(file, strlen(file)).text);
	if ((is.st_mode & 077) != 0 || (is.st_uid != geteuid() && is.st_uid != 0))
		return err_set(err, -EACCES,
		               "%s %s: others may read it, or it is another user's: chmod 600, and "
		               "your own",
		               option, text_quote(file, strlen(file)).text);
	return 0;
}

static int take(const char *what, const char *text, size_t len, struct http_token *out,
                struct err *err)
{
	if (!http_token_is_one(text, len))
		return err_set(err, -EINVAL, "%s: no token: %s", what, FORM);
	memcpy(out->text, text, len);
	out->text[len] = '\0';
	return 0;
}

/* The first line of the file, which has no other. */
static int read_file(const char *option, const char *file, struct http_token *out, struct err *err)
{
	char text[HTTP_TOKEN_MOST + 2], what[300];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct text t;

	if (fd < 0)
		return refuse_file(option, file, -errno, err);
	int failed = check_owner(option, file, fd, err);
	ssize_t len = failed == 0 ? read(fd, text, sizeof(text)) : 0;

	if (len < 0)
		failed = refuse_file(option, file, -errno, err);
	close(fd);
	if (failed != 0)
		return failed;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	text_init(&t, what, sizeof(what));
	text_add(&t, "%s %s", option, text_quote(file, strlen(file)).text);
	return take(what, text, (size_t)len, out, err);
}

int http_token_given(const char *option, const char *file, struct http_token *out, struct err *err)
{
	const char *text = getenv(HTTP_TOKEN_ENV);

	memset(out, 0, sizeof(*out));
	if (file)
		return read_file(option, file, out, err);
	if (text && text[0] != '\0')
		return take(HTTP_TOKEN_ENV, text, strlen(text), out, err);
	return 0;
}

/* --- what is made ------------------------------------------------------------------------- */

static int make(struct http_token *out, struct err *err)
{
	unsigned char bytes[RANDOM_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set(err, -EIO,
		               "no random bytes for a token: give one "
		               "(--http-token-file)");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out->text + 2 * i, 3, "%02x", bytes[i]);
	out->is_made = true;
	return 0;
}

int http_token_choose(const char *address, const char *file, struct http_token *out,
                      struct err *err)
{
	struct http_address parsed;
	int failed = http_address_parse(address, &parsed, err);

	memset(out, 0, sizeof(*out));
	if (failed == 0)
		failed = http_token_given("--http-token-file", file, out, err);
	if (failed == 0 && out->text[0] == '\0' && !ip_is_loopback(&parsed.ip))
		failed = make(out, err);
	return failed;
}

/* --- what is said of it ------------------------------------------------------------------- */

void http_token_page(const struct http_token *token, const char *url, struct text *t)
{
	text_add(t, "%s", url);
	if (token->is_made)
		text_add(t, "?token=%s", token->text);
	else if (token->text[0] != '\0')
		text_add(t, "?token=... (the one given)");
}

/* All addresses of the host are none to connect to. */
static void add_base(struct text *t, const char *url)
{
	const char *colon = strrchr(url, ':');
	bool is_any = strncmp(url, "http://0.0.0.0:", 15) == 0 ||
	              strncmp(url, "http://[::]:", 12) == 0;
	size_t len = strlen(url) - 1; /* without the last / */

	if (is_any && colon)
		text_add(t, "http://HOST%.*s", (int)(strlen(colon) - 1), colon);
	else
		text_add(t, "%.*s", (int)len, url);
}

void http_token_tell(const struct http_token *token, const char *file, const char *url,
                     struct text *t)
{
	text_add(t, "on a client's host: ");
	if (token->is_made)
		text_add(t, "%s=%s ", HTTP_TOKEN_ENV, token->text);
	text_add(t, "megaconn connect ... --server-api ");
	add_base(t, url);
	if (token->is_made)
		text_add(t, " (a token made for this run; --http-token-file FILE keeps one)");
	else if (file)
		text_add(t, " --server-token-file FILE (a copy of %s)",
		         text_quote(file, strlen(file)).text);
	else
		text_add(t, ", with the same %s", HTTP_TOKEN_ENV);
}
