/* fixture: files that were captured, or made like them, in tests/fixtures or $MEGACONN_FIXTURES. */
#pragma once

#include "kernel/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Reads a whole one into `text`. Returns its length; fails the test where it cannot be read. */
static inline size_t fixture_load(const char *name, char *text, size_t size)
{
	const char *directory = getenv("MEGACONN_FIXTURES");
	char path[512];
	long len;

	snprintf(path, sizeof(path), "%s/%s", directory ? directory : "tests/fixtures", name);
	len = probe_read_file(path, text, size);
	if (len <= 0)
		fail_msg("cannot read %s", path);
	return (size_t)len;
}
