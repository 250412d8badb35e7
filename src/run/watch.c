/* watch: one loop over a timer, signals and the keyboard.
 *
 * The timer is absolute and of CLOCK_MONOTONIC, so that samples are exactly an interval apart, and
 * those that were missed while we, or the machine, slept are not made up for. A sample costs what
 * reading some files of /proc costs, whatever the number of sockets; near_look comes every ten
 * seconds, and sockets are looked at only where they were asked for, every five, for a fifth of a
 * second at most. Signals are taken by a descriptor: nothing happens in a handler, and the terminal
 * is given back on every way out. */
#include "run/watch.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "kernel/diag.h"
#include "out/http.h"
#include "out/lines.h"
#include "out/tui.h"
#include "run/account.h"
#include "run/near.h"
#include "run/sampler.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NEAR_EVERY_NS  (10 * NS_PER_S)
#define PORTS_EVERY_NS (5 * NS_PER_S)
#define PORTS_MOST_NS  (200 * NS_PER_MS)
#define ESCAPE_KEY     27

/* All up to NEW_SYN_RECV, but for those that listen; not what is only bound (from 6.8 on). */
#define STATES_MASK (0x1ffeu & ~(1u << TCP_LISTEN))

/* What a picture is drawn from. */
struct scene {
	struct sample first, before, now;
	bool has_before;
	struct history history;
	struct near_table near;
	struct ports_table ports;
	struct bill bill;
};

struct watch {
	struct watch_options options; /* as keys have changed them */
	struct scene live, held;      /* held: while the picture stands still */
	struct grid grid;
	struct limits machine;
	struct account_host account;
	struct ports_counts counts;
	struct http *http;
	char page[HTTP_TOKEN_MOST + 96]; /* its address */
	char host[65], clock[16];
	uint64_t near_at_ns;
	uint64_t samples; /* after the first */
	uint32_t lines;   /* since the last headline */
	uint32_t width, height;
	bool is_screen, has_keys, has_help, is_paused, is_over;
	int timer, signals; /* descriptors */
	sigset_t blocked, old;
};

/* --- sampling ----------------------------------------------------------------------------- */

static void see(void *context, uint8_t state, const struct diag_socket *socket)
{
	ports_count(context, state, socket->local_port, socket->remote_port);
}

/* The family that has fewer has half of the time; what it leaves is the other's. */
static void look_at_ports(struct watch *w)
{
	const struct probe_sockstat *sockets = &w->live.now.sockets;
	bool has_more_ipv6 = sockets->tcp6_inuse > sockets->tcp_inuse;
	struct ports_table *table = &w->live.ports;
	uint64_t start_ns = clock_now_ns();

	memset(&w->counts, 0, sizeof(w->counts));
	table->is_partial = false;
	table->failed = diag_listening_ports(w->counts.listening);
	for (uint32_t i = 0; i < 2 && table->failed == 0; i++) {
		const struct diag_query query = {
			.family = (i == 0) == has_more_ipv6 ? AF_INET : AF_INET6,
			.high = UINT16_MAX,
			.state_mask = STATES_MASK,
		};

		table->failed = diag_each(&query, start_ns + PORTS_MOST_NS / 2 * (i + 1), see,
		                          &w->counts, &table->is_partial);
	}
	ports_rank(&w->counts, table);
	table->at_ns = start_ns;
}

static void look_around(struct watch *w)
{
	uint64_t now_ns = w->live.now.at_ns;

	if (!w->is_screen)
		return;
	account_standing(&w->live.now, &w->account, &w->live.bill);
	if (w->near_at_ns == 0 || now_ns - w->near_at_ns >= NEAR_EVERY_NS) {
		w->near_at_ns = now_ns;
		near_look(&w->machine, &w->live.now, &w->live.near);
	}
	if (w->options.has_ports && now_ns - w->live.ports.at_ns >= PORTS_EVERY_NS)
		look_at_ports(w);
}

static void take(struct watch *w)
{
	struct scene *scene = &w->live;
	bool is_first = scene->history.count == 0;

	if (!is_first) {
		scene->before = scene->now;
		scene->has_before = true;
		w->samples++;
	}
	sampler_take(&scene->now);
	if (is_first)
		scene->first = scene->now;
	history_add(&scene->history, scene->has_before ? &scene->before : NULL, &scene->now);
	look_around(w);
	if (w->http)
		http_publish(w->http, &scene->now);
}

/* --- showing ------------------------------------------------------------------------------ */

static const char *clock_of(struct watch *w, const struct sample *sample)
{
	time_t seconds = (time_t)(sample->unix_ns / NS_PER_S);
	struct tm local;

	if (!localtime_r(&seconds, &local) ||
	    strftime(w->clock, sizeof(w->clock), "%H:%M:%S", &local) == 0)
		w->clock[0] = '\0';
	return w->clock;
}

static void draw(struct watch *w)
{
	const struct scene *scene = w->is_paused ? &w->held : &w->live;
	const struct screen screen = {
		.host = w->host,
		.netns = w->options.netns,
		.clock = clock_of(w, &scene->now),
		.url = w->http ? w->page : NULL,
		.interval_ns = w->options.interval_ns,
		.first = &scene->first,
		.before = scene->has_before ? &scene->before : NULL,
		.now = &scene->now,
		.history = &scene->history,
		.bill = &scene->bill,
		.near = &scene->near,
		.ports = w->options.has_ports ? &scene->ports : NULL,
		.sort = w->options.sort,
		.is_paused = w->is_paused,
		.has_help = w->has_help,
		.has_keys = w->has_keys,
	};

	grid_reset(&w->grid, w->width, w->height);
	screen_draw(&screen, &w->grid);
	tui_show(&w->grid);
}

/* The first sample has no rates, so the first line is of the second. */
static int print(struct watch *w, struct err *err)
{
	const struct scene *scene = &w->live;

	if (!scene->has_before)
		return 0;
	if (w->lines % LINES_A_PAGE == 0)
		lines_head(stdout);
	w->lines++;
	lines_print(stdout, clock_of(w, &scene->now), &scene->before, &scene->now, &scene->history);
	return ferror(stdout) ? err_set(err, -EIO, "cannot write to standard output") : 0;
}

static int show(struct watch *w, struct err *err)
{
	if (!w->is_screen)
		return print(w, err);
	draw(w);
	return 0;
}

/* --- keys --------------------------------------------------------------------------------- */

static int set_timer(struct watch *w)
{
	uint64_t first_ns = clock_now_ns() + w->options.interval_ns;
	struct itimerspec when = {
		.it_value = {(time_t)(first_ns / NS_PER_S), (long)(first_ns % NS_PER_S)},
		.it_interval = {(time_t)(w->options.interval_ns / NS_PER_S),
	                        (long)(w->options.interval_ns % NS_PER_S)},
	};

	return timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

/* To the next of the usual intervals. */
static void change_interval(struct watch *w, bool is_longer)
{
	static const uint64_t steps_ms[] = {100,  200,   500,   1000,  2000,
	                                    5000, 10000, 30000, 60000, 300000};
	uint64_t next_ns = w->options.interval_ns;

	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		uint64_t step_ns = steps_ms[i] * NS_PER_MS;

		if (is_longer && step_ns > w->options.interval_ns) {
			next_ns = step_ns;
			break;
		}
		if (!is_longer && step_ns < w->options.interval_ns)
			next_ns = step_ns;
	}
	w->options.interval_ns = next_ns;
	(void)set_timer(w); /* the values are within what it takes */
}

static void toggle_pause(struct watch *w)
{
	w->is_paused = !w->is_paused;
	if (w->is_paused)
		w->held = w->live;
}

static void toggle_ports(struct watch *w)
{
	w->options.has_ports = !w->options.has_ports;
	if (!w->options.has_ports)
		return;
	look_at_ports(w);
	w->held.ports = w->live.ports;
}

static void press(struct watch *w, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		w->is_over = true;
		return;
	case 's':
		w->options.sort = (w->options.sort + 1) % SCREEN_SORT_COUNT;
		return;
	case 'p':
		toggle_ports(w);
		return;
	case 'h':
	case '?':
		w->has_help = !w->has_help;
		return;
	case ESCAPE_KEY:
		w->has_help = false;
		return;
	case ' ':
		toggle_pause(w);
		return;
	case '+':
	case '=':
	case '-':
		change_interval(w, key != '-');
		return;
	case 'c':
		history_clear_peaks(&w->live.history);
		history_clear_peaks(&w->held.history);
		return;
	default:
		return;
	}
}

/* --- the loop ----------------------------------------------------------------------------- */

static void on_timer(struct watch *w)
{
	uint64_t times;

	if (read(w->timer, &times, sizeof(times)) != sizeof(times))
		return;
	take(w);
	if (w->options.count > 0 && w->samples >= w->options.count)
		w->is_over = true;
}

static void on_signal(struct watch *w)
{
	struct signalfd_siginfo info;

	if (read(w->signals, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGTSTP: /* ... and SIGCONT is the next one */
		tui_suspend();
		return;
	case SIGCONT:
		tui_resume();
		tui_size(true, &w->width, &w->height);
		return;
	case SIGWINCH:
		tui_size(true, &w->width, &w->height);
		return;
	default:
		w->is_over = true;
		return;
	}
}

static void on_keys(struct watch *w, short events)
{
	int key = tui_key();

	if (key == TUI_NO_KEY && events & (POLLHUP | POLLERR))
		w->is_over = true;
	for (; key != TUI_NO_KEY && !w->is_over; key = tui_key())
		press(w, key);
}

static int watch_on(struct watch *w, struct err *err)
{
	struct pollfd fds[] = {
		{.fd = w->timer, .events = POLLIN},
		{.fd = w->signals, .events = POLLIN},
		{.fd = w->has_keys ? STDIN_FILENO : -1, .events = POLLIN},
	};
	int failed;

	take(w);
	failed = set_timer(w);
	if (failed != 0)
		return err_set(err, failed, "no timer: %s", strerror(-failed));
	failed = show(w, err);
	while (failed == 0 && !w->is_over) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return err_set(err, -errno, "poll: %s", strerror(errno));
		if (fds[0].revents)
			on_timer(w);
		if (fds[1].revents)
			on_signal(w);
		if (fds[2].revents)
			on_keys(w, fds[2].revents);
		if (w->is_screen || fds[0].revents)
			failed = show(w, err);
	}
	return failed;
}

/* --- beginning and end -------------------------------------------------------------------- */

static void block_signals(struct watch *w)
{
	sigemptyset(&w->blocked);
	sigaddset(&w->blocked, SIGINT);
	sigaddset(&w->blocked, SIGTERM);
	sigaddset(&w->blocked, SIGHUP);
	if (w->is_screen) {
		sigaddset(&w->blocked, SIGTSTP);
		sigaddset(&w->blocked, SIGCONT);
		sigaddset(&w->blocked, SIGWINCH);
	}
	pthread_sigmask(SIG_BLOCK, &w->blocked, &w->old);
}

/* What listens stays in the network namespace where we are now. */
static int open_all(struct watch *w, void (*say)(const char *line), struct err *err)
{
	char line[sizeof(w->page) + 32];
	struct text t;

	near_start(&w->machine);
	(void)slab_alias_read(&w->account.aliases); /* without, each cache is its own */
	if (w->options.http) {
		const struct http_gate gate = {.token = &w->options.token};

		w->http = http_open(w->options.http, &gate, err);
		if (!w->http)
			return -EADDRINUSE;
		text_init(&t, w->page, sizeof(w->page));
		http_token_page(&w->options.token, http_url(w->http), &t);
		text_init(&t, line, sizeof(line));
		text_add(&t, "metrics and live page: %s", w->page);
		if (!w->is_screen)
			say(line);
	}
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	w->signals = signalfd(-1, &w->blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->timer < 0 || w->signals < 0)
		return err_set(err, -errno, "no descriptors: %s", strerror(errno));
	return 0;
}

static void open_screen(struct watch *w, void (*say)(const char *line))
{
	if (!w->is_screen)
		return;
	w->grid.is_utf8 = tui_is_utf8();
	w->is_screen = tui_open();
	if (!w->is_screen) {
		say("TERM names no terminal that is known here: plain lines");
		return;
	}
	w->has_keys = isatty(STDIN_FILENO) == 1;
	tui_size(false, &w->width, &w->height);
}

static int run(struct watch *w, void (*say)(const char *line), struct err *err)
{
	int failed = w->options.netns ? sampler_enter_netns(w->options.netns, err) : 0;

	if (failed != 0)
		return failed;
	open_screen(w, say);
	failed = watch_on(w, err);
	if (w->is_screen)
		tui_close();
	return failed;
}

int watch_run(const struct watch_options *options, void (*say)(const char *line), struct err *err)
{
	struct watch *w = map_private(sizeof(*w));
	int failed;

	if (!w)
		return err_set(err, -ENOMEM, "no memory to watch with");
	w->options = *options;
	w->timer = w->signals = -1;
	w->is_screen = !options->is_plain && tui_is_possible();
	history_clear(&w->live.history);
	if (gethostname(w->host, sizeof(w->host) - 1) != 0)
		w->host[0] = '\0';
	block_signals(w);
	failed = open_all(w, say, err);
	if (failed == 0)
		failed = run(w, say, err);
	http_close(w->http);
	if (w->timer >= 0)
		close(w->timer);
	if (w->signals >= 0)
		close(w->signals);
	pthread_sigmask(SIG_SETMASK, &w->old, NULL);
	map_drop(w, sizeof(*w));
	return failed;
}
