/* journal_text: the text of a journal (kernel/journal) and the name of its file. Pure. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_KIND_BYTES    24 /* of a kind's name ([a-z]+) with its NUL */
#define JOURNAL_NAME_BYTES    64
#define JOURNAL_BOOT_ID_BYTES 37
#define JOURNAL_HEAD_BYTES    160 /* of the first line; the last is shorter */

struct journal {
	char name[JOURNAL_NAME_BYTES]; /* of the file, for error texts */
	uint64_t number;
	char boot_id[JOURNAL_BOOT_ID_BYTES]; /* /proc/sys/kernel/random/boot_id when it was written
	                                      */
	uint64_t netns;    /* inode of /proc/self/ns/net then                     */
	const char *lines; /* each ends with \n, none has a NUL                   */
	size_t len;        /* of all lines; after journal_read a NUL follows      */
	void *map;         /* what holds them                                     */
	size_t map_bytes;
};

/* The whole text of a journal to its parts: boot_id, netns, lines (which point into `text`) and
 * len; the others are zero. 0, or -EBADMSG with what is wrong as the end of a sentence ("its
 * checksum is wrong"). */
int journal_parse(const char *text, size_t len, const char *kind, struct journal *out,
                  struct err *err);

/* A journal as it is written: head, lines, tail. */
struct journal_draft {
	char head[JOURNAL_HEAD_BYTES], tail[JOURNAL_HEAD_BYTES];
	size_t head_len, tail_len;
	const char *lines;
	size_t len;
};

/* Whether they can be a journal's: a kind ([a-z]+), at least one line, each with its end, no NUL.
 * journal_format wants such ones. */
bool journal_lines_are_good(const char *kind, const char *lines, size_t len);
void journal_format(const char *kind, const char *boot_id, uint64_t netns, const char *lines,
                    size_t len, struct journal_draft *out);

/* The text of /proc/sys/kernel/random/boot_id; 0 or -EBADMSG. */
int journal_parse_boot_id(const char *text, size_t len, char out[JOURNAL_BOOT_ID_BYTES]);

/* "KIND-NUMBER.journal", and the number in such a name, or -1. */
void journal_name(char name[JOURNAL_NAME_BYTES], const char *kind, uint64_t number);
int64_t journal_number_of(const char *name, const char *kind);
