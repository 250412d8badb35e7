/* err: an error is a negative errno below, and words above.
 *
 * A function that can fail for a reason its caller cannot guess takes a `struct err *` and leaves
 * one sentence in it: what happened, why, and what to do. Only cmd/ and main print it. */
#pragma once

struct err {
	char text[512]; /* one line, no newline at its end; empty when nothing was said */
};

/* Sets the sentence and returns `code` (a negative errno), so that `return err_set(...)` reads
 * well. `e` may be NULL: then only the code is returned. A text that is too long is cut. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Prints "megaconn: <text>\n" to stderr in one write. */
void err_print(const struct err *e);
