/* wall: settings of the test's own network are kept here and put back after each test; those of
 * the machine by the guardian. */
#include "wall.h"

#include "guardian.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT_MOST    32
#define ARGS_MOST    (2 * WALL_OPTIONS_MOST + 8)
#define USUAL_PORT   8090
#define USUAL_TARGET "127.0.0.1:8090"
#define HOLD         "700ms"
#define SECONDS_MOST 90

static struct {
	char name[96], value[256];
} kept[KEPT_MOST];
static int kept_count;

/* ---- settings -------------------------------------------------------------------------------- */

int wall_set_up(void **state)
{
	(void)guardian_start();
	return apart_set_up(state);
}

int wall_tear_down(void **state)
{
	(void)state;
	return guardian_end() ? 0 : -1;
}

int wall_restore(void **state)
{
	bool is_restored = true;

	apart_tear_down(state);
	while (kept_count > 0) {
		kept_count--;
		is_restored &= sysctl_set(kept[kept_count].name, kept[kept_count].value) == 0;
	}
	return guardian_restore() && is_restored ? 0 : -1;
}

void wall_need_network(void)
{
	if (!apart_is_private())
		apart_skip("no network of the test's own: unshare(2) is forbidden here");
}

void wall_need_root(void)
{
	if (guardian_pid() == 0)
		apart_skip("the setting is the machine's: only root may write it");
}

/* Where walls.sh has its lines written. */
static const char *table_path(void)
{
	const char *path = getenv("WALLS_TABLE");

	return path && path[0] != '\0' ? path : NULL;
}

bool wall_has_time(void)
{
	return trial_is_full() || table_path();
}

void wall_need_time(const char *instead)
{
	if (!wall_has_time())
		apart_skip(instead);
}

static void read_here(const char *name, char *value, size_t size)
{
	char path[160];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	for (char *c = path + strlen("/proc/sys/"); *c; c++) {
		if (*c == '.')
			*c = '/';
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd >= 0 ? read(fd, value, size - 1) : 0;

	value[count > 0 ? count : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

void wall_set(const char *name, const char *fmt, ...)
{
	char value[256];
	va_list args;

	wall_need_network();
	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	assert_in_range(kept_count, 0, KEPT_MOST - 1);
	read_here(name, kept[kept_count].value, sizeof(kept[0].value));
	snprintf(kept[kept_count++].name, sizeof(kept[0].name), "%s", name);
	int failed = sysctl_set(name, value);

	if (failed != 0) {
		kept_count--;
		print_message("%s: %s\n", name, strerror(-failed));
		apart_skip("the setting cannot be written here");
	}
}

void wall_set_machine(const char *name, const char *fmt, ...)
{
	char value[256];
	va_list args;

	wall_need_root();
	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	int failed = guardian_set(name, value);

	if (failed != 0) {
		print_message("%s: %s\n", name, strerror(-failed));
		apart_skip("the setting cannot be written here");
	}
}

int64_t wall_get(const char *name)
{
	char value[256];

	read_here(name, value, sizeof(value));
	assert_true(value[0] >= '0' && value[0] <= '9');
	return strtoll(value, NULL, 10);
}

int64_t wall_ask_child(trial_prepare prepare, int64_t (*count)(void))
{
	int64_t found = -1;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();

	if (pid == 0) {
		prepare();
		found = count();
		_exit(write(ends[1], &found, sizeof(found)) == (ssize_t)sizeof(found) ? 0 : 1);
	}
	close(ends[1]);
	if (read(ends[0], &found, sizeof(found)) != (ssize_t)sizeof(found))
		found = -1;
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return found;
}

/* ---- doctor ---------------------------------------------------------------------------------- */

struct args {
	const char *at[ARGS_MOST];
	int count;
};

static void add(struct args *args, const char *word)
{
	assert_in_range(args->count, 0, ARGS_MOST - 2);
	args->at[args->count++] = word;
}

static void add_all(struct args *args, const char *const *words)
{
	for (int i = 0; i < WALL_OPTIONS_MOST && words[i]; i++)
		add(args, words[i]);
}

static const char *target_of(const struct wall *wall)
{
	return wall->target ? wall->target : USUAL_TARGET;
}

const json_t *wall_row(const struct trial *doctor, const char *row)
{
	json_t *rows = json_object_get(doctor->result, "rows");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *at = json_array_get(rows, i);
		const char *id = json_string_value(json_object_get(at, "id"));

		if (id && strcmp(id, row) == 0)
			return at;
	}
	fail_msg("doctor has no row %s", row);
	return NULL;
}

int64_t wall_allows(const struct trial *doctor, const char *row)
{
	const json_t *allows = json_object_get(wall_row(doctor, row), "allows");

	return json_is_integer(allows) ? (int64_t)json_integer_value(allows) : -1;
}

int64_t wall_examine(const struct wall *wall, const char *role, struct trial *doctor)
{
	struct args args = {.count = 0};

	add(&args, "--role");
	add(&args, role);
	add(&args, "--target");
	add(&args, target_of(wall));
	add(&args, "-n");
	add(&args, WALL_N);
	add_all(&args, wall->options);
	if (!wall->is_measured)
		add(&args, "--quick");
	trial_start_command(doctor, "doctor", wall->prepare, args.at);
	apart_keep(doctor->pid);
	trial_wait(doctor, SECONDS_MOST);
	if (!doctor->result)
		fail_msg("doctor ended with %d: %s%s", doctor->code, doctor->err, doctor->out);
	return wall_allows(doctor, wall->row);
}

int64_t wall_predict(const struct wall *wall, const char *role)
{
	struct trial doctor;
	int64_t allows = wall_examine(wall, role, &doctor);

	trial_assert_code(&doctor, 3);
	if (strcmp(trial_word(&doctor, "wall"), wall->row) != 0)
		fail_msg("the wall is %s, not %s\n%s", trial_word(&doctor, "wall"), wall->row,
		         doctor.out);
	assert_int_equal(trial_number(&doctor, "largest"), allows);
	assert_string_equal(
		json_string_value(json_object_get(wall_row(&doctor, wall->row), "state")), "wall");
	trial_end(&doctor);
	return allows;
}

/* ---- into the wall --------------------------------------------------------------------------- */

void wall_tell(const char *row, const char *how, const char *predicted, const char *reached,
               const char *note)
{
	const char *path = table_path();
	FILE *table = path ? fopen(path, "a") : NULL;

	if (!table)
		return;
	fprintf(table, "%s\t%s\t%s\t%s\t%s\n", row, how, predicted, reached, note ? note : "");
	fclose(table);
}

void wall_compare(const struct wall *wall, int64_t predicted, int64_t reached)
{
	char two[2][32];

	if (llabs(predicted - reached) * 100 > predicted * wall->percent)
		fail_msg("%s, %s: doctor said %lld, reached were %lld", wall->row, wall->how,
		         (long long)predicted, (long long)reached);
	snprintf(two[0], sizeof(two[0]), "%lld", (long long)predicted);
	snprintf(two[1], sizeof(two[1]), "%lld", (long long)reached);
	wall_tell(wall->row, wall->how, two[0], two[1], wall->note);
}

static void start_server(struct trial *serve, const struct wall *wall, trial_prepare prepare,
                         const char *const *options)
{
	struct args args = {.count = 0};

	add(&args, "--listen");
	add(&args, target_of(wall));
	add(&args, "-n");
	add(&args, WALL_N);
	add_all(&args, options);
	apart_serve(serve, prepare, args.at);
}

/* Waits for connect's live line, runs what the test does then, waits for its end. */
static void hold(struct trial *connect, const struct wall *wall, const struct trial *limited,
                 int64_t predicted)
{
	if (wall->beyond) {
		trial_wait_text(connect, "holding ", SECONDS_MOST);
		wall->beyond(limited, predicted);
	}
	trial_wait(connect, SECONDS_MOST);
	trial_assert_no_process_left(connect);
}

/* Held for long enough to try one more. */
static void start_clients(struct trial *connect, const struct wall *wall)
{
	struct args args = {.count = 0};

	add(&args, target_of(wall));
	add(&args, "-n");
	add(&args, WALL_N);
	add(&args, "--hold");
	add(&args, wall->beyond ? HOLD : "0");
	add_all(&args, wall->options);
	add_all(&args, wall->connects);
	apart_connect(connect, wall->prepare, args.at);
}

/* All that fit are there, proved, and no more: for the reason that doctor gave; where two
 * measurements of memory differ, the guard may come before. */
static int64_t assert_stopped(const struct trial *connect, const struct wall *wall)
{
	int64_t reached = trial_number(connect, "established.client");
	bool is_guarded = wall->is_measured &&
	                  strstr(trial_word(connect, "reason"), "memory: the ramp was stopped at");
	char reason[64];

	trial_assert_code(connect, 1);
	assert_string_equal(trial_word(connect, "verdict"), "partial");
	snprintf(reason, sizeof(reason), "no more fit: %s: ", wall->row);
	if (!is_guarded && !strstr(trial_word(connect, "reason"), reason))
		fail_msg("no '%s' in: %s", reason, trial_word(connect, "reason"));
	assert_int_equal(trial_number(connect, "established.kernel"), reached);
	assert_int_equal(trial_number(connect, "failed.total"), 0);
	assert_int_equal(trial_number(connect, "lost"), 0);
	assert_int_equal(trial_number(connect, "proved.echoed"), reached);
	return reached;
}

int64_t wall_provoke_client(const struct wall *wall)
{
	struct trial serve, connect;

	wall_need_network();
	start_server(&serve, wall, NULL, wall->others);
	int64_t predicted = wall_predict(wall, "client");

	start_clients(&connect, wall);
	hold(&connect, wall, &connect, predicted);
	int64_t reached = assert_stopped(&connect, wall);

	apart_stop(&serve, SIGTERM, 0);
	trial_end(&connect);
	trial_end(&serve);
	wall_compare(wall, predicted, reached);
	return reached;
}

/* ---- into the wall of a server --------------------------------------------------------------- */

#define LATE 16 /* that come when it is full */

static void fill(struct trial *connect, const struct wall *wall, int64_t room)
{
	struct args args = {.count = 0};
	char n[32];

	snprintf(n, sizeof(n), "%lld", (long long)room);
	add(&args, target_of(wall));
	add(&args, "-n");
	add(&args, n);
	add(&args, "--hold");
	add(&args, "60s");
	add(&args, "--proof");
	add(&args, "none");
	add_all(&args, wall->others);
	apart_hold(connect, NULL, args.at);
}

/* Nobody takes them: what they send is not sent back. */
static void assert_none_is_served(void)
{
	struct sockaddr_storage at;
	socklen_t len;
	int fds[LATE];
	char byte = 'x';

	apart_address("127.0.0.1", USUAL_PORT, &at, &len);
	for (int i = 0; i < LATE; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_true(fds[i] >= 0);
		(void)connect(fds[i], (const struct sockaddr *)&at, len);
		(void)send(fds[i], &byte, 1, MSG_NOSIGNAL);
	}
	apart_sleep(300);
	for (int i = 0; i < LATE; i++) {
		assert_int_equal(recv(fds[i], &byte, 1, 0), -1);
		close(fds[i]);
	}
}

int64_t wall_provoke_server(const struct wall *wall)
{
	struct trial serve, connect;
	char words[64];

	wall_need_network();
	int64_t predicted = wall_predict(wall, "server");

	start_server(&serve, wall, wall->prepare, wall->options);
	snprintf(words, sizeof(words), "; the wall is %s: ", wall->row);
	if (!strstr(serve.err, words))
		fail_msg("no '%s' in: %s", words, serve.err);
	fill(&connect, wall, predicted);
	trial_wait_text(&serve, "stopped accepting at ", 10);
	assert_none_is_served();
	if (wall->beyond)
		wall->beyond(&serve, predicted);
	/* What waits in the listen queue would be taken in the moment that others leave. */
	assert_int_equal(kill(serve.pid, SIGTERM), 0);
	trial_wait(&serve, SECONDS_MOST);
	trial_assert_code(&serve, 1);
	int64_t reached = trial_number(&serve, "served.accepted");

	assert_int_equal(trial_number(&serve, "served.peak_open"), reached);
	assert_non_null(strstr(trial_word(&serve, "reason"), "it had to stop accepting"));
	assert_non_null(strstr(trial_word(&serve, "reason"), wall->row));
	trial_wait(&connect, SECONDS_MOST);
	trial_assert_no_process_left(&connect);
	trial_assert_no_process_left(&serve);
	trial_end(&connect);
	trial_end(&serve);
	wall_compare(wall, predicted, reached);
	return reached;
}
