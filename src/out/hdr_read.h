/* hdr_read: lines of an HdrHistogram log that out/hdr has written, back as counts. Pure. */
#pragma once

#include "out/hdr.h"

enum hdr_kind {
	HDR_OTHER, /* a comment, the line of columns, nothing  */
	HDR_BASE,  /* BaseTime: what times are counted from    */
	HDR_STAGE, /* hdr_stage                                */
	HDR_COUNTS /* hdr_line                                 */
};

/* A line that was read. */
struct hdr_read {
	enum hdr_kind kind;
	uint32_t stage;
	uint64_t base_unix_ns;
	char tag[24];
	uint64_t from_ns, to_ns; /* after the base */
};

/* Reads a line of `len` bytes of a log that hdr_line has written (a newline at its end is allowed),
 * and adds its counts to `into`, whose max_ns becomes the bound of the highest bucket, where it was
 * lower. 0; -EINVAL where it is damaged, or has other buckets than ours: `into` is unchanged then.
 */
int hdr_read_line(const char *line, size_t len, struct hdr_read *out, struct hist *into);
