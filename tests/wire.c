/* wire: rtnetlink by hand where kernel/netlink.h, made for labs of one network, has no word for it:
 * a veth pair, and addresses with a prefix. The far network lives in a process that sleeps. */
#include "wire.h"

#include "apart.h"
#include "kernel/netlink.h"
#include "plan/ip.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEAR "wire0"
#define FAR  "wire1"

static pid_t far_side;
static bool is_lent; /* far_side is not ours to end */

/* Sends one request, and takes the answer. */
static bool ask(struct nlmsghdr *msg)
{
	_Alignas(8) char answer[8192];
	struct mnl_socket *socket = mnl_socket_open(NETLINK_ROUTE);
	bool is_done = false;

	if (!socket)
		return false;
	msg->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	msg->nlmsg_seq = 1;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(socket, msg, msg->nlmsg_len) > 0) {
		ssize_t len = mnl_socket_recvfrom(socket, answer, sizeof(answer));

		is_done = len > 0 && mnl_cb_run(answer, (size_t)len, 1,
		                                mnl_socket_get_portid(socket), NULL, NULL) >= 0;
	}
	mnl_socket_close(socket);
	return is_done;
}

static bool add_pair(void)
{
	_Alignas(8) char buffer[1024];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buffer);

	msg->nlmsg_type = RTM_NEWLINK;
	msg->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg, IFLA_IFNAME, NEAR);
	struct nlattr *info = mnl_attr_nest_start(msg, IFLA_LINKINFO);

	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(msg, VETH_INFO_PEER);

	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg, IFLA_IFNAME, FAR);
	mnl_attr_put_u32(msg, IFLA_NET_NS_PID, (uint32_t)far_side);
	mnl_attr_nest_end(msg, peer);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, info);
	return ask(msg);
}

static bool add_address(const char *link, const char *text, uint8_t prefix)
{
	_Alignas(8) char buffer[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buffer);
	struct ip ip;

	if (ip_parse(text, &ip) != 0)
		return false;
	size_t len = ip.family == AF_INET ? 4 : 16;

	msg->nlmsg_type = RTM_NEWADDR;
	msg->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(msg, sizeof(*head));

	head->ifa_family = ip.family;
	head->ifa_prefixlen = prefix;
	head->ifa_flags = IFA_F_NODAD;
	head->ifa_index = if_nametoindex(link);
	mnl_attr_put(msg, IFA_LOCAL, len, ip.bytes);
	mnl_attr_put(msg, IFA_ADDRESS, len, ip.bytes);
	return ask(msg);
}

static bool set_up_far(void)
{
	return netlink_link_up("lo") == 0 && netlink_link_up(FAR) == 0 &&
	       add_address(FAR, "198.18.1.2", 24) && add_address(FAR, "2001:2:0:1::2", 64);
}

static bool add_sources(const char *first_text)
{
	struct ip first;

	return ip_parse(first_text, &first) == 0 && netlink_add_addresses(NEAR, &first, 20) == 0;
}

/* After the other end is up: before, the link has no carrier, and no route goes over it. */
static bool set_up_near(void)
{
	return add_address(NEAR, "198.18.1.1", 24) && add_address(NEAR, "2001:2:0:1::1", 64) &&
	       add_sources("198.18.1.10") && add_sources("2001:2:0:1::10");
}

static void sleep_on_the_far_side(int ready, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || unshare(CLONE_NEWNET) != 0)
		_exit(1);
	(void)eventfd_write(ready, 1);
	for (;;)
		pause();
}

/* In a process of its own, as setns(2) is for good. */
static bool does_far(bool (*what)(void))
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		wire_cross();
		_exit(what() ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

static bool join(void)
{
	if (!add_pair()) {
		wire_drop();
		return false;
	}
	assert_int_equal(netlink_link_up(NEAR), 0);
	assert_true(does_far(set_up_far));
	assert_true(set_up_near());
	return true;
}

bool wire_make(void)
{
	int ready = eventfd(0, EFD_CLOEXEC);
	pid_t parent = getpid();
	eventfd_t value;

	is_lent = false;
	far_side = fork();
	if (far_side == 0)
		sleep_on_the_far_side(ready, parent);
	bool is_ready = far_side > 0 && eventfd_read(ready, &value) == 0;

	close(ready);
	return is_ready && join();
}

bool wire_make_to(int pid)
{
	is_lent = true;
	far_side = pid;
	return join();
}

/* Its other end goes with it. */
static void delete_pair(void)
{
	_Alignas(8) char buffer[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buffer);

	msg->nlmsg_type = RTM_DELLINK;
	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg, IFLA_IFNAME, NEAR);
	(void)ask(msg);
}

void wire_drop(void)
{
	if (far_side <= 0)
		return;
	if (is_lent) {
		delete_pair();
	} else {
		kill(far_side, SIGKILL);
		waitpid(far_side, NULL, 0);
	}
	far_side = 0;
}

void wire_cross(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", far_side);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		_exit(125);
	close(fd);
}
