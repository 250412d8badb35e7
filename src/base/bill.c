/* bill: the names of its lines. */
#include "base/bill.h"

#include <assert.h>

static const struct {
	const char *name, *title;
} lines[] = {
	[BILL_TCP] = {"tcp", "TCP socket"},
	[BILL_INODE] = {"inode", "socket inode"},
	[BILL_FILE] = {"file", "file"},
	[BILL_DENTRY] = {"dentry", "dentry"},
	[BILL_WATCH] = {"watch", "epoll items"},
	[BILL_URING] = {"uring", "io_uring requests"},
	[BILL_BIND] = {"bind", "bind buckets"},
	[BILL_LSM] = {"lsm", "security blobs"},
	[BILL_REQUEST] = {"request", "request sockets"},
	[BILL_TIMEWAIT] = {"time_wait", "TIME_WAIT sockets"},
	[BILL_DATA] = {"data", "receive and send memory"},
	[BILL_CONNTRACK] = {"conntrack", "connection tracking"},
	[BILL_VMALLOC] = {"vmalloc", "descriptor tables (vmalloc)"},
	[BILL_PAGE_TABLES] = {"page_tables", "page tables"},
	[BILL_STACKS] = {"kernel_stacks", "kernel stacks"},
	[BILL_PERCPU] = {"percpu", "per-CPU memory"},
	[BILL_SLABS] = {"slabs", "other slab caches"},
	[BILL_SERVER_USER] = {"server_user", "servers' user memory"},
	[BILL_CLIENT_USER] = {"client_user", "clients' user memory"},
	[BILL_RESIDUAL] = {"residual", "residual"},
	[BILL_OTHERS] = {"others", "not the connections': others' doings"},
};
static_assert(sizeof(lines) / sizeof(lines[0]) == BILL_LINE_COUNT, "a title for each line");

const char *bill_line_name(enum bill_line_id id)
{
	return lines[id].name;
}

const char *bill_line_title(enum bill_line_id id)
{
	return lines[id].title;
}
