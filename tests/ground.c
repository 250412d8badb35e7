/* ground: programs by fork and exec, dumps by kernel/channel. */
#include "ground.h"

#include "apart.h"
#include "kernel/address.h"
#include "kernel/journal.h"
#include "kernel/netlink.h"
#include "sealed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DUMP_BYTES (16U << 20)

static bool is_sealed;

int ground_set_up(void **state)
{
	static const char *const directories[] = {"/var/lib", NULL};

	(void)state;
	is_sealed = sealed_enter(directories);
	return is_sealed ? netlink_link_up("lo") : 0;
}

void ground_need(void)
{
	if (!is_sealed)
		apart_skip("private networks are not allowed here");
}

bool ground_is_sealed(void)
{
	return is_sealed;
}

/* ---- the program ---------------------------------------------------------------------------- */

static void become_program(int out, int err, trial_prepare prepare, const char *const *args)
{
	char *argv[GROUND_ARGS_MOST + 3];
	const char *path = trial_program();
	size_t count = 0;

	if (!path)
		_exit(126);
	argv[count++] = strdup(path);
	argv[count++] = strdup("addr");
	for (size_t i = 0; args[i] && i < GROUND_ARGS_MOST; i++)
		argv[count++] = strdup(args[i]);
	argv[count] = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (prepare)
		prepare();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fexecve(fd, argv, environ);
	_exit(127);
}

static void read_text(int fd, char *text)
{
	ssize_t len = pread(fd, text, TRIAL_TEXT_BYTES - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	close(fd);
}

void ground_start(struct ground_run *run, trial_prepare prepare, const char *const *args)
{
	run->out = memfd_create("out", 0);
	run->err = memfd_create("err", 0);
	run->pid = fork();
	assert_true(run->out >= 0 && run->err >= 0 && run->pid >= 0);
	if (run->pid == 0)
		become_program(run->out, run->err, prepare, args);
}

void ground_wait(struct ground_run *run, struct ground_end *end)
{
	int status = 0;

	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	end->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	read_text(run->out, end->out);
	read_text(run->err, end->err);
}

void ground_run(struct ground_end *end, trial_prepare prepare, const char *const *args)
{
	struct ground_run run;

	ground_start(&run, prepare, args);
	ground_wait(&run, end);
}

void ground_expect(struct ground_end *end, int code, const char *const *args)
{
	ground_run(end, NULL, args);
	if (end->code != code)
		fail_msg("addr %s %s: exit code %d, not %d\n%s%s", args[0], args[1] ? args[1] : "",
		         end->code, code, end->err, end->out);
}

void ground_assert_out(const struct ground_end *end, const char *words)
{
	if (!strstr(end->out, words))
		fail_msg("no '%s' in:\n%s%s", words, end->out, end->err);
}

void ground_assert_err(const struct ground_end *end, const char *words)
{
	const char *newline = strchr(end->err, '\n');

	if (!strstr(end->err, words) || !newline || newline[1] != '\0' ||
	    strncmp(end->err, "megaconn: ", 10) != 0)
		fail_msg("not one line with '%s':\n%s%s", words, end->err, end->out);
}

/* ---- the dump ------------------------------------------------------------------------------- */

static void append(struct ground_dump *dump, const void *bytes, size_t len)
{
	assert_in_range(len, 0, DUMP_BYTES - dump->len);
	memcpy(dump->bytes + dump->len, bytes, len);
	dump->len += len;
}

/* All but the attributes with counters and times. */
static int keep_message(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	bool is_route = msg->nlmsg_type == RTM_NEWROUTE;
	size_t header = is_route ? sizeof(struct rtmsg) : sizeof(struct ifaddrmsg);
	uint16_t times = is_route ? RTA_CACHEINFO : IFA_CACHEINFO;
	const char *end = mnl_nlmsg_get_payload_tail(msg);
	const struct nlattr *attr = mnl_nlmsg_get_payload_offset(msg, header);

	(void)number;
	append(context, mnl_nlmsg_get_payload(msg), header);
	for (; mnl_attr_ok(attr, (int)(end - (const char *)attr)); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) != times)
			append(context, attr, attr->nla_len);
	}
	return 0;
}

static void dump_type(struct ground_dump *dump, uint16_t type, size_t header)
{
	struct channel c;

	assert_int_equal(channel_open(&c), 0);
	struct nlmsghdr *msg = channel_request(&c, 0, type, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(msg, header); /* zeros: both families */
	assert_int_equal(channel_dump(&c, keep_message, dump), 0);
	channel_close(&c);
}

struct ground_dump ground_dump(void)
{
	struct ground_dump dump = {.bytes = malloc(DUMP_BYTES)};

	assert_non_null(dump.bytes);
	dump_type(&dump, RTM_GETADDR, sizeof(struct ifaddrmsg));
	dump_type(&dump, RTM_GETROUTE, sizeof(struct rtmsg));
	return dump;
}

bool ground_is_same(const struct ground_dump *a, const struct ground_dump *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

void ground_assert_same(struct ground_dump *before)
{
	struct ground_dump now = ground_dump();
	bool is_same = ground_is_same(before, &now);

	free(before->bytes);
	free(now.bytes);
	if (!is_same)
		fail_msg("addresses and routes are not what they were (%zu bytes, now %zu)",
		         before->len, now.len);
}

/* ---- by hand -------------------------------------------------------------------------------- */

struct search {
	struct ip ip;
	bool is_found;
};

static void look(const struct address *address, void *context)
{
	struct search *search = context;

	search->is_found |= ip_equal(&address->ip, &search->ip);
}

bool ground_has(const char *text)
{
	struct search search = {.is_found = false};

	assert_int_equal(ip_parse(text, &search.ip), 0);
	assert_int_equal(address_dump(search.ip.family, look, &search), 0);
	return search.is_found;
}

static void change(const char *link, const char *text, uint8_t prefix_len, bool is_new)
{
	struct address address = {.link = if_nametoindex(link), .prefix_len = prefix_len};
	struct channel c;
	int result = 0;

	assert_int_equal(ip_parse(text, &address.ip), 0);
	address.flags = address.ip.family == AF_INET6 ? IFA_F_NODAD : 0;
	assert_int_equal(channel_open(&c), 0);
	assert_int_equal((is_new ? address_add : address_delete)(&c, &address, 1, &result), 0);
	channel_close(&c);
	if (result != 0)
		fail_msg("%s on %s: %s", text, link, strerror(-result));
}

void ground_add(const char *link, const char *text, uint8_t prefix_len)
{
	change(link, text, prefix_len, true);
}

void ground_delete(const char *link, const char *text, uint8_t prefix_len)
{
	change(link, text, prefix_len, false);
}

int ground_journals(void)
{
	DIR *dir = opendir(JOURNAL_DIR);
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		count += journal_number_of(entry->d_name, "addresses") >= 0;
	closedir(dir);
	return count;
}
