/* megaconn addr up, down and show on the loopback of a sealed network: afterwards all addresses and
 * routes are, byte for byte, what they were, wherever the program was killed; what others have
 * added stays; and what a journal can be that is not right. */
#include "apart.h"
#include "base/clock.h"
#include "ground.h"
#include "kernel/journal.h"
#include "kernel/sysctl.h"
#include "killer.h"
#include "sealed.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define STEPS_MOST  300 /* of one run; a test that goes on beyond tests nothing */

static const char *const down[] = {"down", NULL};
static const char *const forced_down[] = {"down", "--force", NULL};
static struct ground_end end;

/* What up may be asked for; `has` is one of the addresses, or NULL for local routes. */
static const struct wish {
	const char *args[8];
	const char *has;
} wishes[] = {
	{{"up", "198.18.7.1-7", "--dev", "lo"}, "198.18.7.7"},
	{{"up", "198.18.7.1-7,198.18.9.0/29", "--dev", "lo", "--prefix", "28"}, "198.18.9.6"},
	{{"up", "2001:2:0:7::1-2001:2:0:7::7", "--dev", "lo"}, "2001:2:0:7::7"},
	{{"up", "2001:2:0:7::1-2001:2:0:7::7", "--dev", "lo", "--prefix", "64"}, "2001:2:0:7::1"},
	{{"up", "198.18.64.0/18", "--anyip"}, NULL},
	{{"up", "2001:2:0:8::/64", "--anyip"}, NULL},
};

/* ---- up and down ---------------------------------------------------------------------------- */

static void up_and_down_leave_nothing(void **state)
{
	(void)state;
	ground_need();
	for (size_t i = 0; i < COUNT_OF(wishes); i++) {
		struct ground_dump before = ground_dump();

		ground_expect(&end, 0, wishes[i].args);
		ground_assert_out(&end, "added ");
		struct ground_dump between = ground_dump();

		assert_false(ground_is_same(&before, &between));
		free(between.bytes);
		if (wishes[i].has)
			assert_true(ground_has(wishes[i].has));
		assert_int_equal(ground_journals(), 1);
		ground_expect(&end, 0, down);
		ground_assert_out(&end, "took away ");
		ground_assert_same(&before);
		assert_int_equal(ground_journals(), 0);
		ground_expect(&end, 0, down);
		ground_assert_out(&end, "nothing to do");
	}
}

static void up_twice_adds_once(void **state)
{
	const char *const more[] = {"up", "198.18.7.5-12", "--dev", "lo", NULL};
	struct ground_dump before;

	(void)state;
	ground_need();
	before = ground_dump();
	ground_expect(&end, 0, wishes[0].args);
	ground_expect(&end, 0, wishes[0].args);
	ground_assert_out(&end, "there already, left alone: 198.18.7.1-198.18.7.7");
	assert_int_equal(ground_journals(), 1);
	ground_expect(&end, 0, more);
	ground_assert_out(&end, "left alone: 198.18.7.5-198.18.7.7");
	ground_assert_out(&end, "added 198.18.7.8-198.18.7.12");
	ground_expect(&end, 0, (const char *const[]){"show", NULL});
	ground_assert_out(&end, "7 of 7: 198.18.7.1-198.18.7.7 (/32)");
	ground_assert_out(&end, "5 of 5: 198.18.7.8-198.18.7.12 (/32)");
	ground_expect(&end, 0, down);
	ground_assert_same(&before);
}

static void dry_run_changes_nothing(void **state)
{
	const char *const dry_up[] = {"up", "198.18.7.1-7", "--dev", "lo", "--dry-run", NULL};
	const char *const dry_down[] = {"down", "--dry-run", NULL};
	struct ground_dump before, between;

	(void)state;
	ground_need();
	before = ground_dump();
	ground_expect(&end, 0, dry_up);
	ground_assert_out(&end, "would add 198.18.7.1-198.18.7.7 (/32)");
	assert_int_equal(ground_journals(), 0);
	ground_assert_same(&before);
	ground_expect(&end, 0, wishes[0].args);
	between = ground_dump();
	ground_expect(&end, 0, dry_down);
	ground_assert_out(&end, "would take away 7 of 7");
	ground_assert_same(&between);
	ground_expect(&end, 0, down);
}

static void thousands_in_seconds(void **state)
{
	static const char *const pools[] = {"198.18.128.1-198.18.167.16",
	                                    "2001:2:0:7::1-2001:2:0:7::2710"};

	(void)state;
	ground_need();
	for (size_t i = 0; i < COUNT_OF(pools); i++) {
		const char *const up[] = {"up", pools[i], "--dev", "lo", NULL};
		struct ground_dump before = ground_dump();
		uint64_t begin = clock_now_ns();

		ground_expect(&end, 0, up);
		ground_expect(&end, 0, down);
		ground_assert_out(&end, "10000 of 10000");
		assert_in_range(clock_now_ns() - begin, 0, 60 * NS_PER_S);
		ground_assert_same(&before);
	}
}

/* ---- kill ----------------------------------------------------------------------------------- */

/* Kills `args` at its k-th step; false when it came to its end. */
static bool kill_at(const char *const *args, unsigned int k)
{
	const char *argv[GROUND_ARGS_MOST] = {trial_program(), "addr"};
	struct killer_end killed;

	for (size_t i = 0; args[i]; i++)
		argv[i + 2] = args[i];
	killer_run(argv, NULL, k, &killed);
	if (!killed.was_killed)
		assert_int_equal(killed.code, 0);
	return killed.was_killed;
}

static void need_killer(void)
{
	ground_need();
	if (!killer_works())
		apart_skip("no ptrace here");
}

static void killed_up_is_undone(void **state)
{
	(void)state;
	need_killer();
	for (size_t i = 0; i < COUNT_OF(wishes); i++) {
		bool was_killed = true;
		unsigned int k;

		for (k = 0; was_killed && k < STEPS_MOST; k++) {
			struct ground_dump before = ground_dump();

			was_killed = kill_at(wishes[i].args, k);
			ground_expect(&end, 0, down);
			ground_assert_same(&before);
			ground_expect(&end, 0, down);
			assert_int_equal(ground_journals(), 0);
		}
		assert_in_range(k, 8, STEPS_MOST - 1);
	}
}

static void killed_down_is_finished(void **state)
{
	(void)state;
	need_killer();
	for (size_t i = 0; i < COUNT_OF(wishes); i++) {
		bool was_killed = true;
		unsigned int k;

		for (k = 0; was_killed && k < STEPS_MOST; k++) {
			struct ground_dump before = ground_dump();

			ground_expect(&end, 0, wishes[i].args);
			was_killed = kill_at(down, k);
			ground_expect(&end, 0, down);
			ground_assert_same(&before);
			assert_int_equal(ground_journals(), 0);
		}
		assert_in_range(k, 4, STEPS_MOST - 1);
	}
}

/* ---- others' addresses ---------------------------------------------------------------------- */

static void what_was_there_stays(void **state)
{
	struct ground_dump before;

	(void)state;
	ground_need();
	ground_add("lo", "198.18.7.3", 32);
	ground_add("lo", "198.18.7.5", 24);
	before = ground_dump();
	ground_expect(&end, 0, wishes[0].args);
	ground_assert_out(&end, "left alone: 198.18.7.3, 198.18.7.5");
	ground_expect(&end, 0, down);
	ground_assert_out(&end, "took away 5 of 5");
	ground_assert_same(&before);
	ground_delete("lo", "198.18.7.3", 32);
	ground_delete("lo", "198.18.7.5", 24);
}

static void local_route_that_was_there_stays(void **state)
{
	const char *const anyip[] = {"up", "198.18.64.0/18", "--anyip", NULL};
	struct ground_dump before;

	(void)state;
	ground_need();
	/* The first one's journal is lost: then the route is nobody's. */
	ground_expect(&end, 0, anyip);
	struct journal_dir dir;
	uint64_t number;
	struct err err;

	assert_int_equal(journal_open(&dir, false, &err), 0);
	assert_int_equal(journal_list(&dir, "addresses", &number, 1, &err), 1);
	struct journal journal;

	assert_int_equal(journal_read(&dir, "addresses", number, &journal, &err), 0);
	assert_int_equal(journal_drop(&dir, "addresses", number, &err), 0);
	before = ground_dump();
	journal_close(&dir);
	ground_expect(&end, 0, anyip);
	ground_assert_out(&end, "left alone: 198.18.64.0/18");
	ground_expect(&end, 0, down);
	ground_assert_out(&end, "nothing to do");
	ground_assert_same(&before);
	/* And with the journal again it goes. */
	assert_int_equal(journal_open(&dir, false, &err), 0);
	assert_int_equal(
		journal_write(&dir, "addresses", journal.lines, journal.len, &number, &err), 0);
	journal_close(&dir);
	journal_free(&journal);
	ground_expect(&end, 0, down);
	ground_assert_out(&end, "took away 198.18.64.0/18");
}

/* Ours is primary, and another's hangs on it. */
static void hang_another_on_ours(void)
{
	const char *const up[] = {"up", "198.18.40.1-3", "--dev", "lo", "--prefix", "24", NULL};

	ground_expect(&end, 0, up);
	ground_add("lo", "198.18.40.9", 24);
	ground_expect(&end, 1, down);
	ground_assert_out(&end, "took away 2 of 3");
	ground_assert_err(&end, "198.18.40.1/24 stays on lo: 198.18.40.9, which megaconn did not "
	                        "add, would go with it");
	assert_true(ground_has("198.18.40.1") && ground_has("198.18.40.9"));
	assert_false(ground_has("198.18.40.2") || ground_has("198.18.40.3"));
	assert_int_equal(ground_journals(), 1);
}

static void primary_with_anothers_secondary_stays(void **state)
{
	struct ground_dump before;

	(void)state;
	ground_need();
	before = ground_dump();
	hang_another_on_ours();
	ground_delete("lo", "198.18.40.9", 24);
	ground_expect(&end, 0, down);
	ground_assert_out(&end, "took away 1 of 1: 198.18.40.1 (/24)");
	ground_assert_same(&before);
	before = ground_dump();
	hang_another_on_ours();
	ground_expect(&end, 0, forced_down);
	assert_int_equal(ground_journals(), 0);
	ground_assert_same(&before);
}

static void promotion_makes_it_safe(void **state)
{
	struct ground_dump before;

	(void)state;
	ground_need();
	before = ground_dump();
	hang_another_on_ours();
	assert_int_equal(sysctl_set("net.ipv4.conf.lo.promote_secondaries", "1"), 0);
	ground_expect(&end, 0, down);
	assert_true(ground_has("198.18.40.9"));
	assert_false(ground_has("198.18.40.1"));
	ground_delete("lo", "198.18.40.9", 24);
	assert_int_equal(sysctl_set("net.ipv4.conf.lo.promote_secondaries", "0"), 0);
	ground_assert_same(&before);
}

/* ---- journals that are not right ------------------------------------------------------------ */

static void write_file(const char *name, const char *const *parts, const size_t *lens, size_t count)
{
	char path[256];

	(void)mkdir(JOURNAL_DIR, 0700);
	snprintf(path, sizeof(path), JOURNAL_DIR "/%s", name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(write(fd, parts[i], lens[i]), lens[i]);
	close(fd);
}

static void write_journal(const char *boot_id, uint64_t netns, const char *lines)
{
	struct journal_draft d;

	journal_format("addresses", boot_id, netns, lines, strlen(lines), &d);
	write_file("addresses-7.journal", (const char *const[]){d.head, lines, d.tail},
	           (const size_t[]){d.head_len, d.len, d.tail_len}, 3);
}

static void read_boot_id(char boot_id[64])
{
	assert_true(sysctl_get("kernel.random.boot_id", boot_id, 64) > 0);
}

static void of_another_boot_is_dropped(void **state)
{
	struct ground_dump before;

	(void)state;
	ground_need();
	ground_add("lo", "198.18.7.3", 32);
	before = ground_dump();
	write_journal("01234567-89ab-cdef-0123-456789abcdef", journal_netns(),
	              "link 1 lo\naddresses 32 198.18.7.3 1\n");
	ground_expect(&end, 0, down);
	ground_assert_out(&end, "the machine was started since");
	assert_int_equal(ground_journals(), 0);
	ground_assert_same(&before);
	ground_delete("lo", "198.18.7.3", 32);
}

static void of_another_network_is_refused(void **state)
{
	char boot_id[64], here[64];

	(void)state;
	ground_need();
	read_boot_id(boot_id);
	ground_add("lo", "198.18.7.3", 32);
	write_journal(boot_id, 4026531840, "link 1 lo\naddresses 32 198.18.7.3 1\n");
	ground_expect(&end, 4, down);
	ground_assert_err(&end, "4026531840");
	snprintf(here, sizeof(here), "%" PRIu64, journal_netns());
	ground_assert_err(&end, here);
	assert_int_equal(ground_journals(), 1);
	ground_expect(&end, 0, forced_down);
	ground_assert_out(&end, "forgotten");
	assert_int_equal(ground_journals(), 0);
	assert_true(ground_has("198.18.7.3"));
	ground_delete("lo", "198.18.7.3", 32);
}

static void damaged_is_left_and_others_are_undone(void **state)
{
	struct ground_dump before;
	char boot_id[64];

	(void)state;
	ground_need();
	read_boot_id(boot_id);
	for (int i = 0; i < 2; i++) {
		before = ground_dump();
		ground_expect(&end, 0, wishes[0].args);
		if (i == 0)
			write_file("addresses-7.journal", (const char *const[]){"rubbish\n"},
			           (const size_t[]){8}, 1);
		else
			write_journal(boot_id, journal_netns(), "link 1 lo\nadress\n");
		ground_expect(&end, 1, down);
		ground_assert_err(&end, "addresses-7.journal");
		assert_int_equal(ground_journals(), 1);
		ground_assert_same(&before);
		ground_expect(&end, 0, forced_down);
		ground_assert_out(&end, "thrown away");
		assert_int_equal(ground_journals(), 0);
	}
}

static void link_that_is_gone(void **state)
{
	char boot_id[64];

	(void)state;
	ground_need();
	read_boot_id(boot_id);
	write_journal(boot_id, journal_netns(), "link 4711 eth9\naddresses 32 198.18.7.3 1\n");
	ground_expect(&end, 0, down);
	ground_assert_out(&end, "eth9 is no more");
	assert_int_equal(ground_journals(), 0);
}

/* ---- use ------------------------------------------------------------------------------------ */

static void connect_from(const char *prefix, const char *server)
{
	const char *const up[] = {"up", prefix, "--anyip", NULL};
	const char *const listen[] = {"--listen", server, NULL};
	const char *const args[] = {server, "-n", apart_n_text(), "--source", prefix, "--hold",
	                            "0",    NULL};
	struct trial serve, connect;

	ground_expect(&end, 0, up);
	apart_serve(&serve, NULL, listen);
	apart_run(&connect, NULL, args);
	apart_assert_proved(&connect, apart_n());
	apart_stop(&serve, SIGINT, 0);
	trial_end(&connect);
	trial_end(&serve);
	ground_expect(&end, 0, down);
}

static void anyip_connects(void **state)
{
	(void)state;
	ground_need();
	connect_from("198.18.200.0/24", "127.0.0.1:9000");
	connect_from("2001:2:0:8::/120", "[::1]:9000");
}

static void loopback_needs_nothing(void **state)
{
	const char *const up[] = {"up", "127.0.0.2-127.0.0.21", "--dev", "lo", NULL};
	const char *const ping[] = {"ping", "127.0.0.2", "--dev", "lo", NULL};
	const char *const shipped[] = {"up", "--config", "megaconn.conf", NULL};

	(void)state;
	ground_need();
	ground_expect(&end, 0, up);
	ground_assert_out(&end, "127.0.0.2-127.0.0.21: local already, nothing to add");
	ground_expect(&end, 0, ping);
	ground_expect(&end, 0, shipped);
	ground_assert_out(&end, "local already");
	assert_int_equal(ground_journals(), 0);
}

static void pool_and_device_of_a_file(void **state)
{
	static const char text[] = "[server]\nserver-ip = 10.0.0.1\n[client]\n"
				   "client-ips = 10.7.0.1-10.7.0.9\ndevice = lo\n";
	char path[] = "/tmp/megaconn-test-XXXXXX";
	const char *const up[] = {"up", "--config", path, NULL};

	(void)state;
	ground_need();
	int fd = mkstemp(path);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	ground_expect(&end, 0, up);
	unlink(path);
	ground_assert_out(&end, "lo: added 10.7.0.1-10.7.0.9 (/32)");
	ground_expect(&end, 0, down);
}

static void no_neighbours_to_ask(void **state)
{
	const char *const ping[] = {"ping", "198.18.7.1-4", "--dev", "lo", NULL};

	(void)state;
	ground_need();
	ground_add("lo", "198.18.7.3", 32);
	ground_expect(&end, 0, ping);
	ground_assert_out(&end, "this host's own: 198.18.7.3");
	ground_assert_out(&end, "lo has no neighbours that could be asked");
	ground_assert_out(&end, "3 of 4 are free, 1 this host's own");
	ground_delete("lo", "198.18.7.3", 32);
}

static void ordinary_user_is_told(void **state)
{
	struct ground_dump before;

	(void)state;
	ground_need();
	if (!sealed_is_real_root())
		apart_skip("this is no ordinary user's network");
	before = ground_dump();
	ground_run(&end, trial_become_nobody, wishes[0].args);
	assert_int_equal(end.code, 4);
	ground_assert_out(&end, "would add 198.18.7.1-198.18.7.7 (/32)");
	ground_assert_err(&end, "root");
	ground_expect(&end, 0, wishes[0].args);
	ground_run(&end, trial_become_nobody, down);
	assert_int_equal(end.code, 4);
	ground_assert_err(&end, "only root may look into it");
	ground_expect(&end, 0, down);
	ground_assert_same(&before);
}

static const struct mistake {
	const char *args[8];
	int code;
	const char *says;
} mistakes[] = {
	{{NULL}, 2, "ping, up, down or show?"},
	{{"sideways"}, 2, "unknown verb"},
	{{"up"}, 2, "which addresses?"},
	{{"up", "198.18.7.1"}, 2, "on which link?"},
	{{"up", "198.18.7.1", "--dev", "eth9"}, 2, "no such link"},
	{{"ping", "198.18.7.1", "--dev", "a\nb"}, 2, "a\\x0ab"},
	{{"up", "198.18.7.1", "--dev", "averyveryverylongname"}, 2, "no such link"},
	{{"up", "198.18.7", "--dev", "lo"}, 2, "198.18.7"},
	{{"up", "198.18.7.1-0", "--dev", "lo"}, 2, "198.18.7.1-0"},
	{{"up", "198.18.7.1", "two", "--dev", "lo"}, 2, "unexpected 'two'"},
	{{"up", "198.18.7.1", "--dev", "lo", "--prefix", "33"}, 2, "32 bits"},
	{{"up", "198.18.7.1", "--dev", "lo", "--prefix", "0"}, 2, "--prefix"},
	{{"up", "239.1.1.1", "--dev", "lo"}, 2, "no address that a host can have"},
	{{"up", "0.0.0.0", "--dev", "lo"}, 2, "no address that a host can have"},
	{{"up", "8.8.8.8", "--dev", "lo"}, 4, "--allow-public"},
	{{"ping", "8.8.8.8", "--dev", "lo"}, 4, "--allow-public"},
	{{"up", "10.0.0.0/8", "--dev", "lo"}, 2, "16777214 addresses"},
	{{"up", "10.0.0.0/7", "--dev", "lo"}, 2, "10.0.0.0/7"},
	{{"up", "10.0.0.0/12", "--dev", "lo"}, 2, "--anyip"},
	{{"up", "198.18.7.1-9", "--anyip"}, 2, "one prefix"},
	{{"up", "198.18.7.1/24", "--anyip"}, 2, "one prefix"},
	{{"up", "198.18.7.0/99", "--anyip"}, 2, "one prefix"},
	{{"up", "198.18.7.0/24x", "--anyip"}, 2, "one prefix"},
	{{"up", "0.0.0.0/0", "--anyip"}, 2, "one prefix"},
	{{"up", "8.0.0.0/8", "--anyip"}, 4, "--allow-public"},
	{{"up", "198.18.7.0/24", "--anyip", "--prefix", "24"}, 2, "--prefix"},
	{{"ping", "198.18.7.1", "--dev", "lo", "--force"}, 2, "addr ping takes only"},
	{{"down", "--dev", "lo"}, 2, "addr down takes only"},
	{{"down", "198.18.7.1"}, 2, "unexpected"},
	{{"show", "--anyip"}, 2, "addr show takes only"},
	{{"up", "--config", "/no/such/file"}, 2, "/no/such/file"},
};

static void mistakes_get_one_line(void **state)
{
	(void)state;
	ground_need();
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		ground_expect(&end, mistakes[i].code, mistakes[i].args);
		ground_assert_err(&end, mistakes[i].says);
		assert_string_equal(end.out, "");
	}
	ground_expect(&end, 0, (const char *const[]){"--help", NULL});
	ground_assert_out(&end, "--anyip");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(up_and_down_leave_nothing),
		APART_TEST(up_twice_adds_once),
		APART_TEST(dry_run_changes_nothing),
		APART_TEST(thousands_in_seconds),
		APART_TEST(killed_up_is_undone),
		APART_TEST(killed_down_is_finished),
		APART_TEST(what_was_there_stays),
		APART_TEST(local_route_that_was_there_stays),
		APART_TEST(primary_with_anothers_secondary_stays),
		APART_TEST(promotion_makes_it_safe),
		APART_TEST(of_another_boot_is_dropped),
		APART_TEST(of_another_network_is_refused),
		APART_TEST(damaged_is_left_and_others_are_undone),
		APART_TEST(link_that_is_gone),
		APART_TEST(anyip_connects),
		APART_TEST(loopback_needs_nothing),
		APART_TEST(pool_and_device_of_a_file),
		APART_TEST(no_neighbours_to_ask),
		APART_TEST(ordinary_user_is_told),
		APART_TEST(mistakes_get_one_line),
	};

	return cmocka_run_group_tests_name("lab_addr", tests, ground_set_up, NULL);
}
