/* diag_one: the header of a request is as in kernel/diag; what is looked at is struct tcp_info, of
 * which older kernels have less. (linux/tcp.h has all of it, and does not bear netinet/tcp.h.) */
#include "kernel/diag_one.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

struct info {
	struct tcp_info tcp;
	bool has_window;
};

static void copy_ip(uint32_t words[4], const struct ip *ip)
{
	memcpy(words, ip->bytes, ip->family == AF_INET ? 4 : 16);
}

static int ask(const struct mnl_socket *to, const struct diag_socket *which)
{
	_Alignas(8) char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *body;

	request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_flags = NLM_F_REQUEST;
	body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	body->sdiag_family = (uint8_t)which->local.family;
	body->sdiag_protocol = IPPROTO_TCP;
	body->idiag_states = ~0U;
	body->idiag_ext = 1U << (INET_DIAG_INFO - 1);
	body->id.idiag_sport = htons(which->local_port);
	body->id.idiag_dport = htons(which->remote_port);
	copy_ip(body->id.idiag_src, &which->local);
	copy_ip(body->id.idiag_dst, &which->remote);
	body->id.idiag_if = which->remote.scope; /* what the socket is bound to, if anything */
	body->id.idiag_cookie[0] = body->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return mnl_socket_sendto(to, request, request->nlmsg_len) < 0 ? -errno : 0;
}

static int take_attribute(const struct nlattr *attr, void *context)
{
	struct info *info = context;
	size_t len = mnl_attr_get_payload_len(attr), most = sizeof(info->tcp);

	if (mnl_attr_get_type(attr) != INET_DIAG_INFO)
		return MNL_CB_OK;
	memcpy(&info->tcp, mnl_attr_get_payload(attr), len < most ? len : most);
	info->has_window = len >=
	                   offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof(info->tcp.tcpi_snd_wnd);
	return MNL_CB_OK;
}

static int take_answer(const struct mnl_socket *from, struct info *info)
{
	_Alignas(8) char answer[8192];
	const struct nlmsghdr *msg = (const struct nlmsghdr *)(const void *)answer;
	ssize_t n = mnl_socket_recvfrom(from, answer, sizeof(answer));

	if (n < 0)
		return -errno;
	if (!mnl_nlmsg_ok(msg, (int)n))
		return -EPROTO;
	if (msg->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(msg);

		return mnl_nlmsg_get_payload_len(msg) >= sizeof(*error) && error->error < 0
		               ? error->error
		               : -EPROTO;
	}
	if (mnl_nlmsg_get_payload_len(msg) < sizeof(struct inet_diag_msg))
		return -EPROTO;
	return mnl_attr_parse(msg, sizeof(struct inet_diag_msg), take_attribute, info) < 0 ? -EPROTO
	                                                                                   : 0;
}

/* Of a closed window one probe may be under way. What had been sent before it was closed, and did
 * not fit, is sent again and answered, though not acknowledged: then the last ACK is the younger.
 * Elsewhere an ACK says nothing, as it may be of what the other end sends again. */
static bool has_unanswered(const struct info *info)
{
	const struct tcp_info *tcp = &info->tcp;
	bool is_closed = info->has_window && tcp->tcpi_snd_wnd == 0;

	if (tcp->tcpi_probes > 1)
		return true;
	if (is_closed && tcp->tcpi_last_ack_recv <= tcp->tcpi_last_data_sent)
		return false;
	return tcp->tcpi_unacked > 0;
}

int diag_one_is_unanswered(const struct diag_socket *socket, bool *is_unanswered)
{
	struct mnl_socket *asked = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	struct info info = {.has_window = false};
	int result;

	if (!asked)
		return -errno;
	result = ask(asked, socket);
	if (result == 0)
		result = take_answer(asked, &info);
	mnl_socket_close(asked);
	if (result == 0)
		*is_unanswered = has_unanswered(&info);
	return result;
}
