/* cause: the table of causes, and which errno is which. */
#include "base/cause.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

static const struct {
	const char *name, *row, *advice;
} causes[] = {
	[CAUSE_REFUSED] = {"refused", "",
                           "nothing listens at the target: start the server, check its port"},
	[CAUSE_TIMEOUT] = {"timeout", "conntrack_max",
                           "no answer in time: the server is too slow or packets are lost, as by a "
                           "full conntrack table; lower --rate or raise --timeout"},
	[CAUSE_LISTEN_OVERFLOW] = {"listen_overflow", "somaxconn",
                                   "the server's listen queue was full: raise net.core.somaxconn "
                                   "and the server's backlog, or lower --rate"},
	[CAUSE_NO_PORT] = {"no_port", "source_ports",
                           "the source address and port are taken: add source IPs or "
                           "server ports, or choose other --ports"},
	[CAUSE_NO_DESCRIPTOR] = {"no_descriptor", "nofile_hard",
                                 "out of descriptors: raise the limit of open files (ulimit -n)"},
	[CAUSE_NO_FILE] = {"no_file", "file_max",
                           "the machine is out of open files: raise fs.file-max"},
	[CAUSE_NO_WATCH] = {"no_watch", "",
                            "out of epoll watches: raise fs.epoll.max_user_watches, or take "
                            "--engine uring"},
	[CAUSE_NO_MEMORY] = {"no_memory", "memory",
                             "the kernel had no memory for it: use fewer connections"},
	[CAUSE_RESET] = {"reset", "", "the other end sent RST: it, or something between, gave up"},
	[CAUSE_CLOSED] = {"closed", "", "the other end closed it (FIN)"},
	[CAUSE_MISMATCH] = {"mismatched", "",
                            "what came back is not what was asked for: the server speaks "
                            "something else, or something between changes data"},
	[CAUSE_UNREACHABLE] = {"unreachable", "",
                               "no route to the target: check addresses and links"},
	[CAUSE_FORBIDDEN] = {"forbidden", "", "a firewall or a permission forbids it"},
	[CAUSE_PATH_GONE] = {"path_gone", "",
                             "what was sent was not acknowledged: the host or the path is gone; "
                             "check the server's host, links and routers"},
	[CAUSE_SOURCE_GONE] = {"source_gone", "",
                               "its source address is no longer this host's: add it again "
                               "(megaconn addr up), or find out who else on the LAN has it"},
	[CAUSE_WORKER_DIED] = {"worker_died", "memory",
                               "the process that held it ended: see the kernel's log "
                               "for an OOM kill"},
	[CAUSE_OTHER] = {"other", "", "an error without a name here; run with strace to see it"},
};
static_assert(sizeof(causes) / sizeof(causes[0]) == CAUSE_COUNT, "each cause has its words");

enum cause cause_of_errno(int code)
{
	switch (-code) {
	case ECONNREFUSED:
		return CAUSE_REFUSED;
	case ETIMEDOUT:
		return CAUSE_TIMEOUT;
	case EADDRINUSE:
	case EADDRNOTAVAIL:
		return CAUSE_NO_PORT;
	case EMFILE:
		return CAUSE_NO_DESCRIPTOR;
	case ENFILE:
		return CAUSE_NO_FILE;
	case ENOSPC:
		return CAUSE_NO_WATCH;
	case ENOMEM:
	case ENOBUFS:
		return CAUSE_NO_MEMORY;
	case ECONNRESET:
	case EPIPE:
	case ECONNABORTED:
		return CAUSE_RESET;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
		return CAUSE_UNREACHABLE;
	case EACCES:
	case EPERM:
		return CAUSE_FORBIDDEN;
	default:
		return CAUSE_OTHER;
	}
}

enum cause cause_of_loss(int code)
{
	enum cause cause = cause_of_errno(code);

	return cause == CAUSE_TIMEOUT || cause == CAUSE_UNREACHABLE ? CAUSE_PATH_GONE : cause;
}

bool cause_is_silence(enum cause cause)
{
	return cause == CAUSE_TIMEOUT || cause == CAUSE_PATH_GONE || cause == CAUSE_SOURCE_GONE;
}

const char *cause_name(enum cause cause)
{
	return causes[cause].name;
}

const char *cause_advice(enum cause cause)
{
	return causes[cause].advice;
}

const char *cause_row(enum cause cause)
{
	return causes[cause].row;
}

void cause_explain(enum cause cause, char *out, size_t size)
{
	struct text t;

	text_init(&t, out, size);
	text_add(&t, "%s", cause_advice(cause));
	if (cause_row(cause)[0] != '\0')
		text_add(&t, " (megaconn doctor: %s)", cause_row(cause));
}

void cause_list(struct text *t, const uint64_t *by_cause, const char *before, const char *after)
{
	bool is_any = false;

	for (int i = 0; i < CAUSE_COUNT; i++) {
		if (by_cause[i] == 0)
			continue;
		text_add(t, "%s%s ", is_any ? ", " : before, causes[i].name);
		text_count(t, by_cause[i]);
		is_any = true;
	}
	if (is_any)
		text_add(t, "%s", after);
}
