/* caches: a table of what they are for, and what merged and mixed ones need beyond it. */
#include "run/caches.h"

#include "kernel/probe.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define NAMES_MOST  4 /* caches that "other slab caches" names */

/* What caches are for. More than one may be in a line of slabinfo. */
static const struct known {
	const char *cache;
	enum bill_line_id line;
} known[] = {
	{"TCP", BILL_TCP},
	{"TCPv6", BILL_TCP},
	{"sock_inode_cache", BILL_INODE},
	{"filp", BILL_FILE},
	{"dentry", BILL_DENTRY},
	{"eventpoll_epi", BILL_WATCH},
	{"eventpoll_pwq", BILL_WATCH},
	{"io_kiocb", BILL_URING},
	{"tcp_bind_bucket", BILL_BIND},
	{"tcp_bind2_bucket", BILL_BIND},
	{"lsm_file_cache", BILL_LSM},
	{"lsm_inode_cache", BILL_LSM},
	{"selinux_file_security", BILL_LSM},
	{"selinux_inode_security", BILL_LSM},
	{"request_sock_TCP", BILL_REQUEST},
	{"request_sock_TCPv6", BILL_REQUEST},
	{"tw_sock_TCP", BILL_TIMEWAIT},
	{"tw_sock_TCPv6", BILL_TIMEWAIT},
	{"skbuff_head_cache", BILL_DATA},
	{"skbuff_fclone_cache", BILL_DATA},
	{"skbuff_small_head", BILL_DATA},
	{"nf_conntrack", BILL_CONNTRACK},
	/* Filled by reading files and /proc, not by sockets. */
	{"proc_inode_cache", BILL_OTHERS},
	{"buffer_head", BILL_OTHERS},
	{"radix_tree_node", BILL_OTHERS},
	{"ext4_inode_cache", BILL_OTHERS},
	{"ext4_extent_status", BILL_OTHERS},
	{"extent_status", BILL_OTHERS},
	{"jbd2_journal_head", BILL_OTHERS},
	{"xfs_inode", BILL_OTHERS},
	{"xfs_ili", BILL_OTHERS},
	{"btrfs_inode", BILL_OTHERS},
	{"fuse_inode", BILL_OTHERS},
	{"nfs_inode_cache", BILL_OTHERS},
	{"shmem_inode_cache", BILL_OTHERS},
	{"kernfs_node_cache", BILL_OTHERS},
	{"inode_cache", BILL_OTHERS},
	{"ovl_inode", BILL_OTHERS},
	{"squashfs_inode_cache", BILL_OTHERS},
	{"overlayfs_inode", BILL_OTHERS},
};

/* --- whose a cache is --------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* Caches of the same purpose that are merged are no stranger to each other. */
static bool is_shared(const struct caches *w, const char *cache, enum bill_line_id line)
{
	const char *other;

	for (uint32_t i = 0; (other = slab_alias_other(w->aliases, cache, i)) != NULL; i++) {
		bool is_ours = false;

		for (size_t at = 0; at < COUNT_OF(known); at++)
			is_ours |= known[at].line == line && strcmp(known[at].cache, other) == 0;
		if (!is_ours)
			return true;
	}
	return false;
}

static struct caches_change *change_of(struct caches *w, const char *cache)
{
	const struct probe_slab *slab = slab_alias_find(w->aliases, &w->now->slabs, cache);

	return slab ? &w->changes[slab - w->now->slabs.slabs] : NULL;
}

static bool has_grown(const struct caches_change *c)
{
	return c->bytes != 0 || c->objects != 0;
}

/* The first that claims a cache has it; epoll items and bind buckets are told apart later. */
static void claim(struct caches *w, const struct known *k)
{
	struct caches_change *c = change_of(w, k->cache);

	if (!c)
		return;
	c->has_items |= strcmp(k->cache, "eventpoll_epi") == 0;
	c->has_entries |= strcmp(k->cache, "eventpoll_pwq") == 0;
	c->has_buckets |= k->line == BILL_BIND;
	if (c->line == BILL_SLABS) {
		c->line = k->line;
		c->is_shared = is_shared(w, k->cache, k->line);
	}
	if (k->line == BILL_OTHERS || !has_grown(c))
		return;
	bill_name(w->bill, k->line, k->cache, c->slab->name);
	w->bill->lines[k->line].is_shared |= c->is_shared;
}

static void look_at_caches(struct caches *w)
{
	const struct probe_slabinfo *slabs = &w->now->slabs;

	w->count = slabs->count;
	for (uint32_t i = 0; i < w->count; i++) {
		const struct probe_slab *slab = &slabs->slabs[i];
		const struct probe_slab *old = probe_find_slab(&w->before->slabs, slab->name);

		w->changes[i] = (struct caches_change){
			.slab = slab,
			.objects = bill_grown(old ? old->objects : 0, slab->objects),
			.bytes = bill_grown(old ? old->bytes : 0, slab->bytes),
			/* Before 3.19 each network namespace has one of its own. */
			.line = starts_with(slab->name, "nf_conntrack_") ? BILL_CONNTRACK
		                                                         : BILL_SLABS,
		};
	}
	for (size_t i = 0; i < COUNT_OF(known); i++)
		claim(w, &known[i]);
}

/* --- slab caches -------------------------------------------------------------------------- */

/* How many objects a cache of which each socket has one has for them. */
static int64_t sockets_grown(struct caches *w)
{
	const struct caches_change *c = change_of(w, "sock_inode_cache");

	if (w->is_standing && w->now->sockets.tcp_alloc <= INT64_MAX)
		return (int64_t)w->now->sockets.tcp_alloc;
	return c ? c->objects : 0;
}

/* Each watched socket has an item and an entry. */
static int64_t items_grown(struct caches *w)
{
	const struct caches_change *items = change_of(w, "eventpoll_epi");
	const struct caches_change *entries = change_of(w, "eventpoll_pwq");

	if (!items || !entries)
		return 0;
	return items->objects < entries->objects ? items->objects : entries->objects;
}

/* Lines whose caches belong to other inodes and files too; a host has other sockets as well. */
static bool is_one_each(const struct caches *w, enum bill_line_id line)
{
	return line == BILL_FILE || line == BILL_DENTRY || line == BILL_LSM ||
	       (line == BILL_INODE && w->is_standing);
}

/* One object of each socket's, the rest of others'. Where sockets have become fewer, all of it is
 * the line's. */
static void put_one_each(struct caches *w, const struct caches_change *c, int64_t sockets)
{
	bool has_rest = c->objects > sockets && (sockets > 0 || w->is_standing);
	int64_t ours = has_rest ? sockets : c->objects;
	int64_t bytes = has_rest ? bill_share(c->bytes, c->objects, ours) : c->bytes;

	bill_put(w->bill, c->line, bytes, ours);
	if (!has_rest)
		return;
	bill_put(w->bill, BILL_OTHERS, bill_add(c->bytes, -bytes), BILL_UNKNOWN);
	bill_name(w->bill, BILL_OTHERS, c->slab->name, c->slab->name);
}

/* What is not epoll's is of bind buckets, or of strangers. */
static void put_watch(struct caches *w, const struct caches_change *c, int64_t items)
{
	int64_t ours = items < c->objects ? items : c->objects;
	int64_t bytes;

	if (!c->has_buckets && !c->is_shared) {
		bill_put(w->bill, BILL_WATCH, c->bytes, c->has_items ? c->objects : BILL_UNKNOWN);
		return;
	}
	ours = ours > 0 ? ours : 0;
	bytes = bill_share(c->bytes, c->objects, ours);
	bill_put(w->bill, BILL_WATCH, bytes, c->has_items ? ours : BILL_UNKNOWN);
	if (c->has_buckets)
		bill_put(w->bill, BILL_BIND, bill_add(c->bytes, -bytes), c->objects - ours);
	else
		bill_put(w->bill, BILL_SLABS, bill_add(c->bytes, -bytes), BILL_UNKNOWN);
}

/* Caches that the data of packets lies in. */
static bool has_data(const struct caches_change *c)
{
	static const char *const sizes[] = {"512", "1k", "2k", "4k", "8k"};

	if (c->line == BILL_DATA)
		return true;
	if (!starts_with(c->slab->name, "kmalloc-"))
		return false;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		const char *size = strrchr(c->slab->name, '-') + 1;

		if (strcmp(size, sizes[i]) == 0)
			return true;
	}
	return false;
}

static void put_cache(struct caches *w, const struct caches_change *c, int64_t sockets,
                      int64_t items)
{
	bool is_object = c->line != BILL_SLABS && c->line != BILL_OTHERS && c->line != BILL_DATA;

	if (c->has_items || c->has_entries)
		put_watch(w, c, items);
	else if (is_one_each(w, c->line))
		put_one_each(w, c, sockets);
	else
		bill_put(w->bill, c->line, c->bytes, is_object ? c->objects : BILL_UNKNOWN);
	if (c->line == BILL_OTHERS && c->bytes > 0)
		bill_name(w->bill, BILL_OTHERS, c->slab->name, c->slab->name);
}

static int by_bytes(const void *a, const void *b)
{
	int64_t x = ((const struct result_slab *)a)->bytes;
	int64_t y = ((const struct result_slab *)b)->bytes;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Caches that grew, of one line or of all but the others', largest first. */
uint32_t caches_sort(const struct caches *w, bool is_all, struct result_slab *out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->count; i++) {
		const struct caches_change *c = &w->changes[i];
		struct result_slab *to = &out[count];

		if (c->bytes <= 0 || c->line == BILL_OTHERS || (!is_all && c->line != BILL_SLABS))
			continue;
		memcpy(to->name, c->slab->name, sizeof(to->name));
		to->objects = c->objects;
		to->bytes = c->bytes;
		count++;
	}
	qsort(out, count, sizeof(out[0]), by_bytes);
	return count;
}

void caches_put(struct caches *w)
{
	static struct result_slab sorted[PROBE_SLABS_MAX];
	int64_t sockets, items;

	look_at_caches(w);
	sockets = sockets_grown(w);
	items = items_grown(w);
	for (uint32_t i = 0; i < w->count; i++) {
		const struct caches_change *c = &w->changes[i];

		put_cache(w, c, sockets, items);
		w->all_bytes = bill_add(w->all_bytes, c->bytes);
		if (has_data(c) && c->bytes > 0)
			w->buffer_bytes = bill_add(w->buffer_bytes, c->bytes);
	}
	uint32_t count = caches_sort(w, false, sorted);

	for (uint32_t i = 0; i < count && i < NAMES_MOST; i++)
		bill_name(w->bill, BILL_SLABS, sorted[i].name, sorted[i].name);
}
