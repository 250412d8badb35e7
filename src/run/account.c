/* account: the difference of two looks at the kernel's accounts.
 *
 * Slab caches are counted by whole pages, not by objects, since pages are what is gone. Caches that
 * fill because somebody reads files or /proc are noise here and are left out by name; everything
 * else that grew during the run is put on the connections. */
#include "run/account.h"

#include "base/limits.h"
#include "kernel/probe.h"

#include <stdlib.h>
#include <string.h>

/* Filled by reading files, not by sockets. */
static const char *const noise[] = {
	"proc_inode_cache", "buffer_head",        "radix_tree_node",   "ext4_inode_cache",
	"xfs_inode",        "btrfs_inode",        "shmem_inode_cache", "kernfs_node_cache",
	"inode_cache",      "ext4_extent_status", "ovl_inode",         "squashfs_inode_cache",
	"overlayfs_inode",
};

static bool is_noise(const char *name)
{
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		if (strcmp(name, noise[i]) == 0)
			return true;
	}
	return false;
}

static int64_t grown(uint64_t before, uint64_t now)
{
	if (before == PROBE_UNKNOWN || now == PROBE_UNKNOWN)
		return 0;
	return (int64_t)(now - before);
}

static struct result_slab slab_grown(const struct sample *before, const struct probe_slab *now)
{
	const struct probe_slab *old = probe_find_slab(&before->slabs, now->name);
	struct result_slab grown_slab = {
		.objects = (int64_t)(now->objects - (old ? old->objects : 0)),
		.bytes = (int64_t)(now->bytes - (old ? old->bytes : 0)),
	};

	memcpy(grown_slab.name, now->name, sizeof(grown_slab.name));
	return grown_slab;
}

static int64_t slab_bytes(const struct sample *before, const struct sample *now)
{
	int64_t sum = 0;

	if (!before->has_slabs || !now->has_slabs)
		return grown(before->memory.slab_bytes, now->memory.slab_bytes);
	for (uint32_t i = 0; i < now->slabs.count; i++) {
		if (!is_noise(now->slabs.slabs[i].name))
			sum += slab_grown(before, &now->slabs.slabs[i]).bytes;
	}
	return sum;
}

int64_t account_kernel_bytes(const struct sample *before, const struct sample *now)
{
	const struct probe_meminfo *b = &before->memory, *n = &now->memory;

	return slab_bytes(before, now) + grown(b->kernel_stack_bytes, n->kernel_stack_bytes) +
	       grown(b->page_tables_bytes, n->page_tables_bytes) +
	       grown(b->vmalloc_used_bytes, n->vmalloc_used_bytes) +
	       grown(b->percpu_bytes, n->percpu_bytes);
}

static int by_bytes(const void *a, const void *b)
{
	int64_t x = ((const struct result_slab *)a)->bytes;
	int64_t y = ((const struct result_slab *)b)->bytes;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void bill_slabs(const struct sample *before, const struct sample *now,
                       struct result_memory *out)
{
	static struct result_slab all[PROBE_SLABS_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < now->slabs.count; i++) {
		struct result_slab slab = slab_grown(before, &now->slabs.slabs[i]);

		if (slab.bytes > 0 && !is_noise(slab.name))
			all[count++] = slab;
	}
	qsort(all, count, sizeof(all[0]), by_bytes);
	out->slab_count = count < RESULT_SLABS_MAX ? count : RESULT_SLABS_MAX;
	memcpy(out->slabs, all, out->slab_count * sizeof(all[0]));
}

void account_bill(const struct sample *before, const struct sample *now, uint64_t connections,
                  int64_t server_user_bytes, int64_t client_user_bytes, struct result_memory *out)
{
	int64_t gone = grown(probe_memory_left_bytes(&now->memory),
	                     probe_memory_left_bytes(&before->memory));

	memset(out, 0, sizeof(*out));
	out->connections = connections;
	out->kernel_bytes = account_kernel_bytes(before, now);
	if (out->kernel_bytes <= 0) /* others gave back more than the run took */
		out->kernel_bytes = RESULT_UNKNOWN_BYTES;
	out->server_user_bytes = server_user_bytes;
	out->client_user_bytes = client_user_bytes;
	out->residual_bytes = result_bytes(out) == RESULT_UNKNOWN_BYTES ? RESULT_UNKNOWN_BYTES
	                                                                : gone - result_bytes(out);
	out->cgroup_bytes = before->cgroup_left_bytes >= LIMITS_UNKNOWN
	                            ? RESULT_UNKNOWN_BYTES
	                            : grown(now->cgroup_left_bytes, before->cgroup_left_bytes);
	out->cgroup_client_bytes = RESULT_UNKNOWN_BYTES;
	out->has_slabs = before->has_slabs && now->has_slabs;
	if (out->has_slabs)
		bill_slabs(before, now, out);
}
