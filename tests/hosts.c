/* hosts: see the header. */
#include "hosts.h"

#include "apart.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_BYTES 2048

static pid_t entered; /* of host_enter */

/* ---- a host --------------------------------------------------------------------------------- */

static void hold_a_network(int ready, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || unshare(CLONE_NEWNET) != 0)
		_exit(1);
	(void)eventfd_write(ready, 1);
	for (;;)
		pause();
}

static void cross(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		_exit(125);
	close(fd);
}

void host_open(struct host *host)
{
	int ready = eventfd(0, EFD_CLOEXEC);
	pid_t parent = getpid();
	eventfd_t value;

	assert_true(ready >= 0);
	host->pid = fork();
	assert_true(host->pid >= 0);
	if (host->pid == 0)
		hold_a_network(ready, parent);
	apart_keep(host->pid);
	assert_int_equal(eventfd_read(ready, &value), 0);
	close(ready);
	host_sh(host, "ip link set lo up");
}

void host_close(struct host *host)
{
	if (host->pid <= 0)
		return;
	kill(host->pid, SIGKILL);
	waitpid(host->pid, NULL, 0);
	host->pid = 0;
}

void host_cross(const struct host *host)
{
	cross(host->pid);
}

static void cross_entered(void)
{
	cross(entered);
}

trial_prepare host_enter(const struct host *host)
{
	entered = host->pid;
	return cross_entered;
}

/* ---- by shell ------------------------------------------------------------------------------- */

static bool run(pid_t pid, const char *command)
{
	int status = 1;
	pid_t child = fork();

	if (child == 0) {
		if (pid > 0)
			cross(pid);
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	waitpid(child, &status, 0);
	return status == 0;
}

bool host_try(const struct host *host, const char *fmt, ...)
{
	char command[COMMAND_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return run(host->pid, command);
}

void host_sh(const struct host *host, const char *fmt, ...)
{
	char command[COMMAND_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (!run(host->pid, command))
		fail_msg("on a host: %s", command);
}

void hosts_need(void)
{
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
	if (!run(0, "ip link add hosts0 type veth peer name hosts1 && ip link del hosts0"))
		apart_skip("no ip(8) here, or no veth devices");
}

/* ---- networks ------------------------------------------------------------------------------- */

void hosts_wire(const struct host *one, const char *a, const struct host *other, const char *b)
{
	host_sh(one, "ip link add %s type veth peer name %s netns %d", a, b, (int)other->pid);
	host_sh(one, "ip link set %s up", a);
	host_sh(other, "ip link set %s up", b);
}

void hosts_lan(struct host *hosts, unsigned int count)
{
	struct host *hub = &hosts[count];

	host_open(hub);
	host_sh(hub, "ip link add lan type bridge && ip link set lan up");
	for (unsigned int i = 0; i < count; i++) {
		char port[16];

		snprintf(port, sizeof(port), "port%u", i);
		host_open(&hosts[i]);
		hosts_wire(&hosts[i], "eth0", hub, port);
		host_sh(hub, "ip link set %s master lan", port);
		host_sh(&hosts[i],
		        "ip addr add 198.18.0.%u/15 dev eth0 && "
		        "ip addr add 2001:2::%x/48 dev eth0 nodad",
		        i + 1, i + 1);
	}
}

void hosts_routed(struct host *near, struct host *router, struct host *far)
{
	host_open(near);
	host_open(router);
	host_open(far);
	hosts_wire(near, "eth0", router, "eth0");
	hosts_wire(router, "eth1", far, "eth0");
	host_sh(router,
	        "ip addr add 198.18.0.1/16 dev eth0 && ip addr add 198.19.0.2/16 dev eth1 && "
	        "echo 1 > /proc/sys/net/ipv4/ip_forward");
	host_sh(near, "ip addr add 198.18.0.2/16 dev eth0 && ip route add default via 198.18.0.1");
	host_sh(far, "ip addr add 198.19.0.1/16 dev eth0 && ip route add default via 198.19.0.2");
}
