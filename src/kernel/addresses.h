/* addresses: puts source addresses on a link and takes them away again, exactly those, after any
 * end of the program (kernel/journal, kind "addresses"). */
#pragma once

#include "base/err.h"
#include "kernel/address.h"
#include "kernel/address_list.h"
#include "kernel/journal.h"

#include <stdbool.h>
#include <stdint.h>

#define ADDRESSES_MOST 262144 /* of one `up`: the kernel walks lists of them */

enum addresses_mark {
	ADDRESSES_NEW,   /* this host has it not           */
	ADDRESSES_THERE, /* it had it before: left alone   */
	ADDRESSES_ADDED, /* by addresses_up                */
	ADDRESSES_FAILED /* duplicate detection found it   */
};

#define ADDRESSES_KIND "addresses" /* of journals */

/* Marks what of the list this host has, on whatever link; changes nothing and needs no right.
 * `marks` has a byte for each address of the list. */
int addresses_look(const struct address_list *list, uint8_t *marks, struct err *err);

/* Looks, writes what is not there to a journal, adds it; IPv6: waits for duplicate detection, which
 * is left out where `has_neighbours` says that nobody could object. Returns when every address can
 * be connected from. 0 also where all was there already: then there is no journal.
 *
 * Where anything fails all that it has added is taken away again, and one line says why:
 * -EADDRINUSE where duplicate detection found an address taken (marked ADDRESSES_FAILED), -EPERM
 * without CAP_NET_ADMIN, those of kernel/journal and the kernel's. */
int addresses_up(const struct address_list *list, bool has_neighbours, uint8_t *marks,
                 struct err *err);

/* Whether a local route for this prefix would make a network of this host's, or a part of one, its
 * own, so that the neighbours there are out of reach: 1 with this host's address in that network,
 * 0, or a negative errno. A part of a network of `asked_link` (0: of none) is fine: there the
 * neighbours are asked for each address. */
int addresses_covers_network(const struct address_list *list, unsigned int asked_link,
                             struct address *out);

/* Deletes those of the list with this mark, the last first; one that has gone meanwhile is no
 * error. For who holds the lock of the journals. */
int addresses_delete(const struct address_list *list, const uint8_t *marks, uint8_t mark,
                     struct err *err);

/* Writes those of the list with this mark to a new journal. */
int addresses_write(const struct journal_dir *dir, const struct address_list *list,
                    const uint8_t *marks, uint8_t mark, uint64_t *number, struct err *err);
