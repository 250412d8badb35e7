/* err: one sentence about a failure, kept in the caller's struct until cmd/ or main prints it. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What users typed ends up in these texts: a newline or an escape in it must not break the line. */
static void make_one_line(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
	}
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	char text[sizeof(e->text)]; /* apart from e->text, which may be one of the arguments */
	va_list args;

	if (!e)
		return code;
	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	make_one_line(text);
	memcpy(e->text, text, strlen(text) + 1);
	return code;
}

void err_print(const struct err *e)
{
	char line[sizeof(e->text) + sizeof("megaconn: \n")];
	int len;

	if (!e || e->text[0] == '\0')
		return;
	len = snprintf(line, sizeof(line), "megaconn: %s\n", e->text);
	if (len <= 0)
		return;
	/* Nothing can be done or said where even stderr does not take it. */
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return;
}
