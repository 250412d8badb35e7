/* figure: the table, and how a number is found by it.
 *
 * A family is an array within the sample: of uint64_t for causes and answers, of structures for
 * CPUs and slab caches. Its row has the offset of the first number, its family the distance to the
 * next one. */
#include "base/figure.h"

#include <assert.h>
#include <string.h>

#define AT(field)     offsetof(struct sample, field)
#define NUMBER(field) .offset = AT(field)
#define GAUGE(g, u)   .kind = FIGURE_GAUGE, .group = FIGURE_##g, .unit = FIGURE_##u
#define COUNTER(g, u) .kind = FIGURE_COUNTER, .group = FIGURE_##g, .unit = FIGURE_##u
#define ROW(n, t, h)  .name = (n), .title = (t), .help = (h)
#define EACH(f)       .family = FIGURE_BY_##f

static const struct figure figures[] = {
	/* clang-format off */
	[FIGURE_RUN_TARGET] = {GAUGE(RUN, NUMBER), NUMBER(run.target),
		ROW("run_target_connections", "target",
		    "Connections the run is to open; 0: whoever comes.")},
	[FIGURE_RUN_CLIENTS] = {GAUGE(RUN, NUMBER), NUMBER(run.clients_open),
		ROW("run_client_connections", "clients' connections",
		    "Connections open now, as the clients see it.")},
	[FIGURE_RUN_SERVERS] = {GAUGE(RUN, NUMBER), NUMBER(run.servers_open),
		ROW("run_server_connections", "servers' connections",
		    "Connections open now, as the servers see it.")},
	[FIGURE_RUN_CONNECTED] = {COUNTER(RUN, NUMBER), NUMBER(run.connected),
		ROW("run_connected", "connects",
		    "Connections that clients have opened.")},
	[FIGURE_RUN_ACCEPTED] = {COUNTER(RUN, NUMBER), NUMBER(run.accepted),
		ROW("run_accepted", "accepts",
		    "Connections that servers have accepted.")},
	[FIGURE_RUN_PROVED] = {COUNTER(RUN, NUMBER), NUMBER(run.proved),
		ROW("run_proved", "echoes",
		    "Tokens that came back as they were sent, in all proofs.")},
	[FIGURE_RUN_FAILED] = {COUNTER(RUN, NUMBER), EACH(CAUSE), NUMBER(run.failed_by_cause),
		ROW("run_failed", "failed",
		    "Connections that could not be opened or were lost, by cause.")},
	[FIGURE_RUN_LOST] = {COUNTER(RUN, NUMBER), EACH(CAUSE), NUMBER(run.lost_by_cause),
		ROW("run_lost", "lost",
		    "Connections that were open and were lost, by cause.")},
	[FIGURE_RUN_RETRIED] = {COUNTER(RUN, NUMBER), NUMBER(run.retried),
		ROW("run_retried", "retried connects",
		    "Connects that failed and were tried again.")},
	[FIGURE_RUN_RECONNECTED] = {COUNTER(RUN, NUMBER), NUMBER(run.reconnected),
		ROW("run_reconnected", "reconnected",
		    "Connections opened again after they were lost.")},
	[FIGURE_RUN_RECEIVED] = {COUNTER(RUN, BYTES), NUMBER(run.received_bytes),
		ROW("run_received", "received",
		    "Payload received by servers, and unasked by clients.")},
	[FIGURE_RUN_SAID] = {COUNTER(RUN, NUMBER), NUMBER(run.said),
		ROW("run_messages", "messages said",
		    "Messages that clients have said on connections that are open.")},
	[FIGURE_RUN_ANSWERS] = {COUNTER(RUN, NUMBER), EACH(ANSWER), NUMBER(run.answers),
		ROW("run_answers", "answers",
		    "What came of the messages, by name: good, late, missing.")},
	[FIGURE_RUN_HEARD] = {COUNTER(RUN, BYTES), NUMBER(run.heard_bytes),
		ROW("run_heard", "heard",
		    "Payload of answers, and of what servers pushed.")},
	[FIGURE_RUN_CHURNED] = {COUNTER(RUN, NUMBER), NUMBER(run.churned),
		ROW("run_churned", "churned",
		    "Connections that a churn has closed and opened again.")},
	[FIGURE_RUN_STORM_CUT] = {COUNTER(RUN, NUMBER), NUMBER(run.storm_cut),
		ROW("run_storm_cut", "cut by a storm",
		    "Connections that a storm has cut.")},
	[FIGURE_RUN_STORM_BACK] = {COUNTER(RUN, NUMBER), NUMBER(run.storm_back),
		ROW("run_storm_back", "back after a storm",
		    "Connections that a storm has cut and that are open again.")},
	[FIGURE_RUN_USER] = {GAUGE(RUN, BYTES), NUMBER(run.user_bytes),
		ROW("run_user_memory", "user memory",
		    "Private memory of all workers when they were asked last.")},
	[FIGURE_RUN_KERNEL_EACH] = {GAUGE(RUN, BYTES), NUMBER(run.kernel_bytes_per_connection),
		ROW("run_kernel_memory_per_connection", "kernel memory each",
		    "Kernel memory that each of the run's connections takes, by the slabs.")},

	[FIGURE_TCP_ESTABLISHED] = {GAUGE(SOCKETS, NUMBER), NUMBER(tcp.curr_estab),
		ROW("tcp_established", "established",
		    "TCP sockets in state ESTABLISHED or CLOSE_WAIT (CurrEstab).")},
	[FIGURE_TCP_INUSE] = {GAUGE(SOCKETS, NUMBER), NUMBER(sockets.tcp_inuse),
		ROW("tcp_inuse", "in use, IPv4",
		    "IPv4 TCP sockets of the network namespace, without TIME_WAIT.")},
	[FIGURE_TCP6_INUSE] = {GAUGE(SOCKETS, NUMBER), NUMBER(sockets.tcp6_inuse),
		ROW("tcp6_inuse", "in use, IPv6",
		    "IPv6 TCP sockets of the network namespace, without TIME_WAIT.")},
	[FIGURE_TCP_TIME_WAIT] = {GAUGE(SOCKETS, NUMBER), NUMBER(sockets.tcp_tw),
		ROW("tcp_time_wait", "TIME_WAIT",
		    "Sockets in TIME_WAIT of the network namespace.")},
	[FIGURE_TCP_ORPHANS] = {GAUGE(SOCKETS, NUMBER), NUMBER(sockets.tcp_orphan),
		ROW("tcp_orphans", "orphans",
		    "Sockets that no process has any more, of the machine.")},
	[FIGURE_TCP_ALLOCATED] = {GAUGE(SOCKETS, NUMBER), NUMBER(sockets.tcp_alloc),
		ROW("tcp_allocated", "allocated",
		    "TCP sockets allocated on the machine, in all namespaces.")},
	[FIGURE_TCP_MEMORY] = {GAUGE(SOCKETS, BYTES), NUMBER(socket_memory_bytes),
		ROW("tcp_memory", "receive and send memory",
		    "Memory of what lies in TCP's queues, of the machine.")},
	[FIGURE_TCP_ACTIVE_OPENS] = {COUNTER(SOCKETS, NUMBER), NUMBER(tcp.active_opens),
		ROW("tcp_active_opens", "connects",
		    "Connections opened actively (ActiveOpens).")},
	[FIGURE_TCP_PASSIVE_OPENS] = {COUNTER(SOCKETS, NUMBER), NUMBER(tcp.passive_opens),
		ROW("tcp_passive_opens", "accepts",
		    "Connections opened passively (PassiveOpens).")},
	[FIGURE_TCP_IN_SEGMENTS] = {COUNTER(SOCKETS, NUMBER), NUMBER(tcp.in_segs),
		ROW("tcp_in_segments", "segments in",
		    "Segments received (InSegs).")},
	[FIGURE_TCP_OUT_SEGMENTS] = {COUNTER(SOCKETS, NUMBER), NUMBER(tcp.out_segs),
		ROW("tcp_out_segments", "segments out",
		    "Segments sent (OutSegs).")},

	[FIGURE_TCP_RETRANSMITS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.retrans_segs),
		ROW("tcp_retransmits", "retransmits",
		    "Segments sent again (RetransSegs).")},
	[FIGURE_TCP_SYN_RETRANSMITS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.syn_retrans),
		ROW("tcp_syn_retransmits", "SYN retransmits",
		    "SYNs and SYN-ACKs sent again (TCPSynRetrans).")},
	[FIGURE_TCP_TIMEOUTS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.timeouts),
		ROW("tcp_timeouts", "time-outs",
		    "Retransmission timers that ran out (TCPTimeouts).")},
	[FIGURE_TCP_ABORTS_ON_TIMEOUT] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.abort_on_timeout),
		ROW("tcp_aborts_on_timeout", "given up",
		    "Connections given up after time-outs (TCPAbortOnTimeout).")},
	[FIGURE_TCP_ABORTS_ON_MEMORY] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.abort_on_memory),
		ROW("tcp_aborts_on_memory", "out of memory",
		    "Connections dropped for tcp_mem or tcp_max_orphans (TCPAbortOnMemory).")},
	[FIGURE_TCP_ATTEMPT_FAILS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.attempt_fails),
		ROW("tcp_attempt_fails", "failed attempts",
		    "Handshakes that failed (AttemptFails).")},
	[FIGURE_TCP_RESETS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.estab_resets),
		ROW("tcp_resets", "resets",
		    "Established connections that were reset (EstabResets).")},
	[FIGURE_TCP_RESETS_SENT] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.out_rsts),
		ROW("tcp_resets_sent", "resets sent",
		    "Segments with RST that were sent (OutRsts).")},
	[FIGURE_TCP_IN_ERRORS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.in_errs),
		ROW("tcp_in_errors", "bad segments",
		    "Segments with errors, such as bad checksums (InErrs).")},
	[FIGURE_LISTEN_OVERFLOWS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.listen_overflows),
		ROW("tcp_listen_overflows", "listen overflows",
		    "Handshakes dropped as an accept queue was full (ListenOverflows).")},
	[FIGURE_LISTEN_DROPS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.listen_drops),
		ROW("tcp_listen_drops", "listen drops",
		    "SYNs dropped by listening sockets, for any reason (ListenDrops).")},
	[FIGURE_SYN_QUEUE_DROPS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.req_q_full_drop),
		ROW("tcp_syn_queue_drops", "SYN queue drops",
		    "SYNs dropped as the SYN queue was full (TCPReqQFullDrop).")},
	[FIGURE_SYN_COOKIES_SENT] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.syncookies_sent),
		ROW("tcp_syn_cookies_sent", "SYN cookies sent",
		    "SYN cookies sent (SyncookiesSent).")},
	[FIGURE_SYN_COOKIES_RECEIVED] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.syncookies_recv),
		ROW("tcp_syn_cookies_received", "SYN cookies received",
		    "SYN cookies that came back (SyncookiesRecv).")},
	[FIGURE_SYN_COOKIES_FAILED] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.syncookies_failed),
		ROW("tcp_syn_cookies_failed", "SYN cookies failed",
		    "ACKs with a wrong SYN cookie (SyncookiesFailed).")},
	[FIGURE_SOCKET_BACKLOG_DROPS] = {COUNTER(TROUBLE, NUMBER), NUMBER(tcp.backlog_drop),
		ROW("tcp_backlog_drops", "socket backlog drops",
		    "Segments dropped as a socket's backlog was full (TCPBacklogDrop).")},
	[FIGURE_CPU_BACKLOG_DROPS] = {COUNTER(TROUBLE, NUMBER), NUMBER(vitals.backlog_drops),
		ROW("netdev_backlog_drops", "packet backlog drops",
		    "Packets dropped as netdev_max_backlog was reached (softnet_stat).")},
	[FIGURE_CPU_SQUEEZES] = {COUNTER(TROUBLE, NUMBER), NUMBER(vitals.squeezes),
		ROW("netdev_squeezes", "softirq squeezes",
		    "Times that softirq ended with packets left (softnet_stat).")},

	[FIGURE_CONNTRACK] = {GAUGE(SOCKETS, NUMBER), NUMBER(vitals.conntrack),
		ROW("conntrack_entries", "tracked",
		    "Connections that this namespace tracks (nf_conntrack_count).")},
	[FIGURE_CONNTRACK_MAX] = {GAUGE(SOCKETS, NUMBER), NUMBER(vitals.conntrack_max),
		ROW("conntrack_max_entries", "tracked at most",
		    "nf_conntrack_max.")},
	[FIGURE_FILES] = {GAUGE(SOCKETS, NUMBER), NUMBER(vitals.files),
		ROW("open_files", "open files",
		    "Open files of the machine (fs.file-nr).")},

	[FIGURE_MEMORY_TOTAL] = {GAUGE(MEMORY, BYTES), NUMBER(memory.total_bytes),
		ROW("memory_total", "memory",
		    "MemTotal.")},
	[FIGURE_MEMORY_FREE] = {GAUGE(MEMORY, BYTES), NUMBER(memory.free_bytes),
		ROW("memory_free", "free",
		    "MemFree.")},
	[FIGURE_MEMORY_AVAILABLE] = {GAUGE(MEMORY, BYTES), NUMBER(memory.available_bytes),
		ROW("memory_available", "MemAvailable",
		    "MemAvailable; it takes pinned inodes and dentries of sockets for "
		    "reclaimable.")},
	[FIGURE_MEMORY_LEFT] = {GAUGE(MEMORY, BYTES), NUMBER(memory_left_bytes),
		ROW("memory_left", "left",
		    "Memory that can still be had: free, in per-CPU lists, and page "
		    "cache that can be dropped.")},
	[FIGURE_CGROUP_LEFT] = {GAUGE(MEMORY, BYTES), NUMBER(cgroup_left_bytes),
		ROW("cgroup_memory_left", "left by the cgroup",
		    "What the limits of the control group still leave.")},
	[FIGURE_MEMORY_SLAB] = {GAUGE(MEMORY, BYTES), NUMBER(memory.slab_bytes),
		ROW("memory_slab", "slab",
		    "Slab, whole pages.")},
	[FIGURE_MEMORY_SLAB_RECLAIMABLE] = {GAUGE(MEMORY, BYTES),
		NUMBER(memory.slab_reclaimable_bytes),
		ROW("memory_slab_reclaimable", "slab, reclaimable",
		    "SReclaimable; inodes and dentries of sockets are in it.")},
	[FIGURE_MEMORY_PAGE_TABLES] = {GAUGE(MEMORY, BYTES), NUMBER(memory.page_tables_bytes),
		ROW("memory_page_tables", "page tables",
		    "PageTables.")},
	[FIGURE_MEMORY_KERNEL_STACKS] = {GAUGE(MEMORY, BYTES), NUMBER(memory.kernel_stack_bytes),
		ROW("memory_kernel_stacks", "kernel stacks",
		    "KernelStack.")},
	[FIGURE_MEMORY_VMALLOC] = {GAUGE(MEMORY, BYTES), NUMBER(memory.vmalloc_used_bytes),
		ROW("memory_vmalloc", "vmalloc",
		    "VmallocUsed: descriptor tables, rings.")},
	[FIGURE_MEMORY_PERCPU] = {GAUGE(MEMORY, BYTES), NUMBER(memory.percpu_bytes),
		ROW("memory_percpu", "per-CPU",
		    "Percpu.")},

	[FIGURE_SLAB] = {GAUGE(SLABS, BYTES), EACH(CACHE), NUMBER(slabs.slabs[0].bytes),
		ROW("slab", "slab cache",
		    "Memory of a slab cache, whole pages.")},
	[FIGURE_SLAB_OBJECTS] = {GAUGE(SLABS, NUMBER), EACH(CACHE), NUMBER(slabs.slabs[0].objects),
		ROW("slab_objects", "objects",
		    "Objects in use of a slab cache.")},

	[FIGURE_CPU_BUSY] = {COUNTER(CPU, NS), EACH(CPU), NUMBER(cpus.cpus[0].busy_ns),
		ROW("cpu_busy", "busy",
		    "Time that a CPU was not idle.")},
	[FIGURE_CPU_SOFTIRQ] = {COUNTER(CPU, NS), EACH(CPU), NUMBER(cpus.cpus[0].softirq_ns),
		ROW("cpu_softirq", "softirq",
		    "Time that a CPU spent in softirq, a part of the busy time.")},
	[FIGURE_CPU_IDLE] = {COUNTER(CPU, NS), EACH(CPU), NUMBER(cpus.cpus[0].idle_ns),
		ROW("cpu_idle", "idle",
		    "Time that a CPU was idle.")},
	/* clang-format on */
};
static_assert(sizeof(figures) / sizeof(figures[0]) == FIGURE_COUNT, "a row for each figure");

static const struct {
	const char *label;
	size_t stride;
} families[FIGURE_FAMILY_COUNT] = {
	[FIGURE_ONE] = {NULL, 0},
	[FIGURE_BY_CAUSE] = {"cause", sizeof(uint64_t)},
	[FIGURE_BY_ANSWER] = {"answer", sizeof(uint64_t)},
	[FIGURE_BY_CPU] = {"cpu", sizeof(struct probe_cpu)},
	[FIGURE_BY_CACHE] = {"cache", sizeof(struct probe_slab)},
};

const struct figure *figure_at(enum figure_id id)
{
	return &figures[id];
}

const struct figure *figure_find(const char *name)
{
	for (int i = 0; i < FIGURE_COUNT; i++) {
		if (strcmp(figures[i].name, name) == 0)
			return &figures[i];
	}
	return NULL;
}

const char *figure_label_name(const struct figure *figure)
{
	return families[figure->family].label;
}

uint32_t figure_count(const struct figure *figure, const struct sample *sample)
{
	if (figure->group == FIGURE_RUN && !sample->has_run)
		return 0;
	switch (figure->family) {
	case FIGURE_BY_CAUSE:
		return CAUSE_COUNT;
	case FIGURE_BY_ANSWER:
		return ANSWER_COUNT;
	case FIGURE_BY_CPU:
		return sample->cpus.count;
	case FIGURE_BY_CACHE:
		return sample->has_slabs ? sample->slabs.count : 0;
	default:
		return 1;
	}
}

static size_t offset_of(const struct figure *figure, uint32_t i)
{
	return figure->offset + i * families[figure->family].stride;
}

uint64_t figure_value(const struct figure *figure, const struct sample *sample, uint32_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)sample + offset_of(figure, i), sizeof(value));
	return value;
}

const char *figure_label(const struct figure *figure, const struct sample *sample, uint32_t i)
{
	switch (figure->family) {
	case FIGURE_BY_CAUSE:
		return cause_name((enum cause)i);
	case FIGURE_BY_ANSWER:
		return answer_name((enum answer)i);
	case FIGURE_BY_CPU:
		return sample->cpus.cpus[i].name;
	case FIGURE_BY_CACHE:
		return sample->slabs.slabs[i].name;
	default:
		return "";
	}
}

uint64_t figure_sum(const struct figure *figure, const struct sample *sample)
{
	uint64_t sum = PROBE_UNKNOWN;

	for (uint32_t i = 0; i < figure_count(figure, sample); i++) {
		uint64_t value = figure_value(figure, sample, i);

		if (value != PROBE_UNKNOWN)
			sum = sum == PROBE_UNKNOWN ? value : sum + value;
	}
	return sum;
}

double figure_rate_per_s(const struct figure *figure, const struct sample *before,
                         const struct sample *now)
{
	uint64_t from = figure_sum(figure, before), to = figure_sum(figure, now);

	if (from == PROBE_UNKNOWN || to == PROBE_UNKNOWN || to < from ||
	    now->at_ns <= before->at_ns)
		return -1;
	return (double)(to - from) * 1e9 / (double)(now->at_ns - before->at_ns);
}

void figure_clear(struct sample *sample)
{
	memset(sample, 0, sizeof(*sample));
	for (int i = 0; i < FIGURE_COUNT; i++) {
		if (figures[i].family == FIGURE_ONE)
			memset((char *)sample + figures[i].offset, 0xff, sizeof(uint64_t));
	}
	memset(sample->run.answers, 0xff, sizeof(sample->run.answers));
}

/* --- putting ------------------------------------------------------------------------------ */

static bool copy_label(char *to, size_t size, const char *label)
{
	size_t len = strlen(label);

	if (len == 0 || len >= size)
		return false;
	memcpy(to, label, len + 1);
	return true;
}

/* A new place for a label, of which nothing is known yet. */
static bool add_place(const struct figure *figure, struct sample *sample, const char *label)
{
	if (figure->family == FIGURE_BY_CPU && sample->cpus.count < PROBE_CPUS_MAX) {
		struct probe_cpu *cpu = &sample->cpus.cpus[sample->cpus.count];

		memset(cpu, 0xff, sizeof(*cpu));
		sample->cpus.count += copy_label(cpu->name, sizeof(cpu->name), label);
		return true;
	}
	if (figure->family == FIGURE_BY_CACHE && sample->slabs.count < PROBE_SLABS_MAX) {
		struct probe_slab *slab = &sample->slabs.slabs[sample->slabs.count];

		memset(slab, 0xff, sizeof(*slab));
		sample->slabs.count += copy_label(slab->name, sizeof(slab->name), label);
		sample->has_slabs = true;
		return true;
	}
	return false;
}

static bool find_place(const struct figure *figure, const struct sample *sample, const char *label,
                       uint32_t *place)
{
	for (*place = 0; *place < figure_count(figure, sample); (*place)++) {
		if (strcmp(figure_label(figure, sample, *place), label) == 0)
			return true;
	}
	return false;
}

bool figure_put(const struct figure *figure, struct sample *sample, const char *label,
                uint64_t value)
{
	uint32_t place;

	if (figure->group == FIGURE_RUN)
		sample->has_run = true;
	if (!find_place(figure, sample, label, &place) &&
	    (!add_place(figure, sample, label) || !find_place(figure, sample, label, &place)))
		return false;
	memcpy((char *)sample + offset_of(figure, place), &value, sizeof(value));
	return true;
}
