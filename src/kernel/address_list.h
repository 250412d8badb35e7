/* address_list: what one `addr up` adds, and the lines of the journal that say so. Pure. */
#pragma once

#include "base/err.h"
#include "base/text.h"
#include "kernel/ranges.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses on a link, each with the same prefix length; or, with is_anyip, one local route for the
 * prefix that begins with the only address. */
struct address_list {
	unsigned int link; /* its index; names may change */
	char link_name[IF_NAMESIZE];
	bool is_anyip;
	uint8_t prefix_len; /* bits */
	struct ranges ranges;
};

#define ADDRESS_LIST_LINE_BYTES 96 /* of a line, at most */

/* How many lines the addresses whose mark is `mark` take: one for the link, one for each run. */
uint32_t address_list_lines(const struct address_list *list, const uint8_t *marks, uint8_t mark);

/* Writes them: "link 3 eth0", then "addresses 32 192.168.1.200 20" for each run of them, or
 * "anyip 15 198.18.0.0". */
void address_list_format(const struct address_list *list, const uint8_t *marks, uint8_t mark,
                         struct text *out);

/* Reads such lines; the ranges are kept in `room`, of `most`. 0, or -EBADMSG with what is wrong as
 * the end of a sentence; -E2BIG for more than `most` ranges. The file has a checksum; this looks
 * for what no `up` can have written. */
int address_list_parse(const char *lines, size_t len, struct range *room, uint32_t most,
                       struct address_list *out, struct err *err);
