/* page: the live page: one file of HTML, style and script, which needs nothing but /api/v1. */
#pragma once

#include <stddef.h>

/* Its text, static, and its length. */
const char *page_text(size_t *len);
