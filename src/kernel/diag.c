/* diag: counts TCP sockets with dumps over sock_diag(7).
 *
 * One request with NLM_F_DUMP is answered by a stream of datagrams, each full of messages, one
 * per socket, and at last NLMSG_DONE. State mask and port range are tested in the kernel
 * (net/ipv4/inet_diag.c: inet_diag_bc_run), and no extension is asked for (idiag_ext = 0), so that
 * a message is as short as it can be. The kernel fills datagrams as large as our largest receive
 * so far, up to 32 KiB (net/netlink/af_netlink.c: netlink_dump); the buffer has room for later
 * kernels.
 * The socket is opened anew for each dump: it is cheap, and belongs to the network namespace that
 * the caller is in now. Not for two threads at once: the buffer is static. */
#include "kernel/diag.h"

#include "base/clock.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define INTERRUPTED_TRIES 5

/* Sees every message of a dump; the message is gone when it returns. */
typedef void (*visit_fn)(const struct inet_diag_msg *msg, void *context);

struct dump {
	struct mnl_socket *socket;
	unsigned int seq;
	visit_fn visit;
	void *context;
	uint64_t deadline_ns; /* of clock_now_ns(); 0: none */
	bool interrupted;     /* NLM_F_DUMP_INTR was seen */
	bool is_late;         /* the deadline has passed: the rest was not asked for */
	bool done;
};

static _Alignas(8) char answer[256 * 1024];

/* Byte code is relative jumps: a test goes on by `yes` or by `no`; to end exactly behind the code
 * accepts a socket, to end 4 bytes further refuses it. The port is in a second word's `no`. */
static void put_port_filter(struct nlmsghdr *request, const struct diag_query *q)
{
	struct inet_diag_bc_op code[4];
	const unsigned short refuse = sizeof(code) + 4;

	memset(code, 0, sizeof(code));
	code[0].code = q->by_remote ? INET_DIAG_BC_D_GE : INET_DIAG_BC_S_GE;
	code[0].yes = 2 * sizeof(code[0]);
	code[0].no = refuse;
	code[1].no = q->low;
	code[2].code = q->by_remote ? INET_DIAG_BC_D_LE : INET_DIAG_BC_S_LE;
	code[2].yes = 2 * sizeof(code[0]);
	code[2].no = (unsigned short)(refuse - 2 * sizeof(code[0]));
	code[3].no = q->high;
	mnl_attr_put(request, INET_DIAG_REQ_BYTECODE, sizeof(code), code);
}

static int send_request(const struct dump *d, const struct diag_query *q)
{
	_Alignas(8) char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *body;

	request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = d->seq;
	body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	body->sdiag_family = (uint8_t)q->family;
	body->sdiag_protocol = IPPROTO_TCP;
	body->idiag_states = q->state_mask;
	if (q->low > 0 || q->high < UINT16_MAX)
		put_port_filter(request, q);
	return mnl_socket_sendto(d->socket, request, request->nlmsg_len) < 0 ? -errno : 0;
}

/* NLMSG_ERROR has a struct nlmsgerr, NLMSG_DONE the int that the dump ended with; both start with
 * a negative errno or 0. Kernels may send NLMSG_DONE without it. */
static int end_code(const struct nlmsghdr *msg)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(msg) >= sizeof(code))
		memcpy(&code, mnl_nlmsg_get_payload(msg), sizeof(code));
	return code < 0 ? code : 0;
}

static int take_message(struct dump *d, const struct nlmsghdr *msg)
{
	if (!mnl_nlmsg_seq_ok(msg, d->seq))
		return 0;
	if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
		d->interrupted = true;
	if (msg->nlmsg_type == NLMSG_DONE || msg->nlmsg_type == NLMSG_ERROR) {
		d->done = true;
		return end_code(msg);
	}
	if (msg->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
	    mnl_nlmsg_get_payload_len(msg) >= sizeof(struct inet_diag_msg))
		d->visit(mnl_nlmsg_get_payload(msg), d->context);
	return 0;
}

/* Takes one datagram. */
static int receive(struct dump *d)
{
	const struct nlmsghdr *msg = (const struct nlmsghdr *)(const void *)answer;
	ssize_t n = mnl_socket_recvfrom(d->socket, answer, sizeof(answer));
	int left = (int)n, result;

	if (n < 0)
		return errno == EINTR ? 0 : -errno; /* a signal; -EINTR means something else here */
	if (!n)
		return -EPROTO;
	for (; !d->done && mnl_nlmsg_ok(msg, left); msg = mnl_nlmsg_next(msg, &left)) {
		result = take_message(d, msg);
		if (result)
			return result;
	}
	return 0;
}

static int run_dump(struct dump *d, const struct diag_query *q)
{
	int result;

	if (mnl_socket_bind(d->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	result = send_request(d, q);
	while (!result && !d->done && !d->is_late) {
		result = receive(d);
		d->is_late = !d->done && d->deadline_ns > 0 && clock_now_ns() >= d->deadline_ns;
	}
	if (!result && d->interrupted)
		return -EINTR;
	return result;
}

static int open_and_dump(struct dump *d, const struct diag_query *q)
{
	int result;

	d->seq = 1;
	d->socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!d->socket)
		return -errno;
	result = run_dump(d, q);
	mnl_socket_close(d->socket);
	return result;
}

static int dump_sockets(const struct diag_query *q, visit_fn visit, void *context)
{
	struct dump d = {.visit = visit, .context = context};

	return open_and_dump(&d, q);
}

struct counting {
	const struct diag_query *query;
	struct diag_counts *counts;
	uint8_t *ports;
};

static struct ip address(const struct inet_diag_msg *msg, const uint32_t words[4])
{
	struct ip ip = {.family = msg->idiag_family};

	memcpy(ip.bytes, words, msg->idiag_family == AF_INET ? 4 : 16);
	return ip;
}

static struct diag_socket socket_of(const struct inet_diag_msg *msg)
{
	return (struct diag_socket){
		.local = address(msg, msg->id.idiag_src),
		.remote = address(msg, msg->id.idiag_dst),
		.local_port = ntohs(msg->id.idiag_sport),
		.remote_port = ntohs(msg->id.idiag_dport),
	};
}

static bool does_match(const struct diag_query *q, const struct inet_diag_msg *msg)
{
	if (!q->match)
		return true;
	const struct diag_socket socket = socket_of(msg);

	return q->match(&socket, q->context);
}

static void count_socket(const struct inet_diag_msg *msg, void *context)
{
	const struct counting *c = context;

	if (!does_match(c->query, msg))
		return;
	if (msg->idiag_state < DIAG_STATES)
		c->counts->by_state[msg->idiag_state]++;
	c->counts->total++;
	c->counts->queued += msg->idiag_rqueue;
}

static bool is_valid(const struct diag_query *query)
{
	return (query->family == AF_INET || query->family == AF_INET6) && query->low <= query->high;
}

int diag_count(const struct diag_query *query, struct diag_counts *out)
{
	struct counting counting = {.query = query, .counts = out};

	memset(out, 0, sizeof(*out));
	if (!is_valid(query))
		return -EINVAL;
	return dump_sockets(query, count_socket, &counting);
}

static void mark_port(const struct inet_diag_msg *msg, void *context)
{
	const struct counting *c = context;
	uint16_t port = ntohs(msg->id.idiag_sport);

	if (does_match(c->query, msg))
		c->ports[port / 8] = (uint8_t)(c->ports[port / 8] | 1u << port % 8);
}

/* Marks may be made twice, so an interrupted dump is simply asked again. */
int diag_mark_ports(const struct diag_query *query, uint8_t ports[8192])
{
	struct counting counting = {.query = query};
	int tries, result = -EINTR;

	counting.ports = ports;
	for (tries = 0; tries < INTERRUPTED_TRIES && result == -EINTR; tries++)
		result = dump_sockets(query, mark_port, &counting);
	return result;
}

int diag_listening_ports(uint8_t ports[8192])
{
	struct diag_query listening = {
		.family = AF_INET, .high = UINT16_MAX, .state_mask = 1u << TCP_LISTEN};
	int result = diag_mark_ports(&listening, ports);

	listening.family = AF_INET6;
	return result ? result : diag_mark_ports(&listening, ports);
}

struct seeing {
	void (*see)(void *context, uint8_t state, const struct diag_socket *socket);
	void *context;
};

static void see_socket(const struct inet_diag_msg *msg, void *context)
{
	const struct seeing *seeing = context;
	const struct diag_socket socket = socket_of(msg);

	seeing->see(seeing->context, msg->idiag_state, &socket);
}

int diag_each(const struct diag_query *query, uint64_t deadline_ns,
              void (*see)(void *context, uint8_t state, const struct diag_socket *socket),
              void *context, bool *is_partial)
{
	struct seeing seeing = {.see = see, .context = context};
	struct dump d = {.visit = see_socket, .context = &seeing, .deadline_ns = deadline_ns};
	int result;

	if (!is_valid(query))
		return -EINVAL;
	result = open_and_dump(&d, query);
	if (d.is_late)
		*is_partial = true;
	return result == -EINTR ? 0 : result;
}
