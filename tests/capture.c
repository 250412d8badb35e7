/* capture: a packet socket on all devices (packet(7)), in a process of its own. A TUN device has no
 * link layer, by which its packets are known from others: ARPHRD_NONE. Where it cannot compute
 * checksums, as ours, the kernel has put them in before the packet is seen
 * (net/core/dev.c, validate_xmit_skb). */
#include "capture.h"

#include "apart.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PCAP_MAGIC_NS 0xa1b23c4dU /* times in nanoseconds */
#define PCAP_RAW      101         /* LINKTYPE_RAW: IPv4 or IPv6 */
#define PACKET_BYTES  2048
#define BUFFER_BYTES  (64 << 20)
#define QUIET_MS      300

struct pcap_head {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, figures, most_bytes, link_type;
};

struct pcap_packet {
	uint32_t s, ns, len, whole_len;
};

/* --- writing --------------------------------------------------------------------------------- */

static void write_packet(FILE *file, const uint8_t *bytes, uint32_t len)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	const struct pcap_packet head = {.s = (uint32_t)now.tv_sec,
	                                 .ns = (uint32_t)now.tv_nsec,
	                                 .len = len,
	                                 .whole_len = len};

	fwrite(&head, sizeof(head), 1, file);
	fwrite(bytes, len, 1, file);
}

static void take_packets(int fd, FILE *file)
{
	uint8_t bytes[PACKET_BYTES];
	struct sockaddr_ll from = {.sll_hatype = ARPHRD_VOID};
	ssize_t len;

	do {
		socklen_t from_len = sizeof(from);

		len = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from,
		               &from_len);
		if (len > 0 && from.sll_hatype == ARPHRD_NONE)
			write_packet(file, bytes, (uint32_t)len);
	} while (len >= 0);
}

/* Until the bell rings and then nothing comes for a while. 0 where the kernel dropped none. */
static int write_all(int fd, int bell, FILE *file)
{
	const struct pcap_head head = {.magic = PCAP_MAGIC_NS,
	                               .major = 2,
	                               .minor = 4,
	                               .most_bytes = PACKET_BYTES,
	                               .link_type = PCAP_RAW};
	struct pollfd polled[2] = {{.fd = fd, .events = POLLIN}, {.fd = bell, .events = POLLIN}};
	struct tpacket_stats stats = {.tp_drops = 1};
	socklen_t len = sizeof(stats);
	int wait_ms = -1;

	fwrite(&head, sizeof(head), 1, file);
	while (poll(polled, 2, wait_ms) > 0) {
		take_packets(fd, file);
		if (polled[1].revents != 0) {
			polled[1].fd = -1;
			wait_ms = QUIET_MS;
		}
	}
	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
	return stats.tp_drops == 0 && fclose(file) == 0 ? 0 : 1;
}

void capture_start(struct capture *capture)
{
	const int bytes = BUFFER_BYTES;
	/* Sees packets from here on. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	pid_t parent = getpid();

	if (fd < 0)
		apart_skip("packet sockets are not allowed here");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	snprintf(capture->path, sizeof(capture->path), "/tmp/megaconn-capture-XXXXXX");
	int file_fd = mkstemp(capture->path);

	capture->bell = eventfd(0, EFD_CLOEXEC);
	assert_true(file_fd >= 0 && capture->bell >= 0);
	capture->pid = fork();
	assert_true(capture->pid >= 0);
	if (capture->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(getppid() == parent ? write_all(fd, capture->bell, fdopen(file_fd, "we"))
		                          : 1);
	}
	apart_keep(capture->pid);
	close(file_fd);
	close(fd);
}

int64_t capture_stop(struct capture *capture)
{
	struct pcap_packet packet;
	int64_t count = 0;
	int status = 1;

	assert_int_equal(eventfd_write(capture->bell, 1), 0);
	assert_int_equal(waitpid(capture->pid, &status, 0), capture->pid);
	close(capture->bell);
	if (status != 0)
		fail_msg("the capture lost packets");
	FILE *file = fopen(capture->path, "re");

	assert_non_null(file);
	assert_int_equal(fseek(file, sizeof(struct pcap_head), SEEK_SET), 0);
	for (; fread(&packet, sizeof(packet), 1, file) == 1; count++)
		assert_int_equal(fseek(file, (long)packet.len, SEEK_CUR), 0);
	fclose(file);
	return count;
}

void capture_drop(const struct capture *capture)
{
	unlink(capture->path);
}

/* --- tshark ---------------------------------------------------------------------------------- */

bool capture_has_tshark(void)
{
	return access("/usr/bin/tshark", X_OK) == 0 || access("/usr/local/bin/tshark", X_OK) == 0;
}

static void become_tshark(const char *path, const char *filter, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(null, STDERR_FILENO); /* it warns root of itself */
	dup2(out, STDOUT_FILENO);
	setenv("HOME", "/nonexistent", 1); /* nobody's preferences */
	execlp("tshark", "tshark", "-n", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o",
	       "ip.check_checksum:TRUE", "-Y", filter, (char *)NULL);
	_exit(127);
}

/* Counts the lines; keeps the first. */
static int64_t read_lines(int fd, char *text, size_t size)
{
	char bytes[4096];
	size_t kept = 0;
	int64_t lines = 0;
	ssize_t len;

	while ((len = read(fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < len; i++) {
			lines += bytes[i] == '\n';
			if (kept + 1 < size)
				text[kept++] = bytes[i];
		}
	}
	text[kept] = '\0';
	return lines;
}

int64_t capture_count(const struct capture *capture, const char *filter, char *text, size_t size)
{
	int ends[2], status = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		become_tshark(capture->path, filter, ends[1]);
	close(ends[1]);
	int64_t count = read_lines(ends[0], text, size);

	close(ends[0]);
	waitpid(pid, &status, 0);
	if (status != 0)
		fail_msg("tshark ended with %d at: %s", status, filter);
	return count;
}

void capture_expect(const struct capture *capture, const char *filter, int64_t count)
{
	char text[1500];
	int64_t found = capture_count(capture, filter, text, sizeof(text));

	if (found != count)
		fail_msg("%lld packets, not %lld, are %s:\n%s", (long long)found, (long long)count,
		         filter, text);
}
