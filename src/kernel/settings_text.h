/* settings_text: values of kernel settings compared and merged, and the lines that a journal of
 * them has. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_MOST       64
#define SETTINGS_NAME_BYTES 128
/* The kernel takes at most a page in one write (kernel/sysctl.c, proc_do_large_bitmap), and one
 * write is what is there or not there after any end: 4,094 bytes and a newline; here, a NUL. */
#define SETTINGS_VALUE_BYTES 4095

struct settings_record {
	char name[SETTINGS_NAME_BYTES];     /* "net.core.somaxconn"                   */
	char old[SETTINGS_VALUE_BYTES];     /* as it was read, without its newline    */
	char raised[SETTINGS_VALUE_BYTES];  /* as it is written                       */
	bool is_rounded;                    /* the kernel made something else of it:  */
	char rounded[SETTINGS_VALUE_BYTES]; /* this, as it was read back              */
};

struct settings_list {
	bool is_complete; /* of a journal: every record has been written */
	uint32_t count;
	struct settings_record records[SETTINGS_MOST];
};

/* Whether two values are the same but for the blanks and tabs between their words. */
bool settings_same(const char *a, const char *b);

/* What `now` becomes where `wanted` is asked for; nothing is ever lowered:
 * net.ipv4.ip_local_port_range becomes wider at either end, net.ipv4.ip_local_reserved_ports the
 * union of both sets; of other settings each number is the higher of the two. Where that is no
 * change, `out` is `now`. 0; -EINVAL where a value has not the form that the setting has, or not
 * as many numbers as the other; -EFBIG where the result is too long. */
int settings_merge(const char *name, const char *now, const char *wanted,
                   char out[SETTINGS_VALUE_BYTES]);

/* Whether it is a name that sysctl_set may be given: letters, digits, "._-/", parts not empty. */
bool settings_name_is_good(const char *name);

/* Writes the list as a journal's lines (NUL-terminated); returns their length, or -ENOBUFS.
 * SETTINGS_TEXT_BYTES always suffice. */
#define SETTINGS_TEXT_BYTES \
	(64 + SETTINGS_MOST * (SETTINGS_NAME_BYTES + 16 + 9 * SETTINGS_VALUE_BYTES))
long settings_format(const struct settings_list *list, char *out, size_t size);

/* The opposite; 0 or -EBADMSG. What is in `out` then is not to be used. */
int settings_parse(const char *lines, size_t len, struct settings_list *out);
