/* progress: one line, cut to the terminal's width so that redrawing never scrolls. */
#include "out/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLAIN_EVERY_NS 2000000000ULL
#define LINE_BYTES     256

void progress_init(struct progress *p, bool is_quiet)
{
	*p = (struct progress){
		.is_quiet = is_quiet, .is_terminal = isatty(STDERR_FILENO) == 1, .last_phase = -1};
}

static void add_failed(struct text *t, const struct live *live)
{
	if (live->failed == 0)
		return;
	text_add(t, live->target > 0 ? "  failed " : "  ended ");
	text_count(t, live->failed);
	text_add(t, " (");
	const char *before = "";

	for (int i = 0; i < CAUSE_COUNT; i++) {
		if (live->failed_by_cause[i] == 0)
			continue;
		text_add(t, "%s%s ", before, cause_name((enum cause)i));
		text_count(t, live->failed_by_cause[i]);
		before = ", ";
	}
	text_add(t, ")");
}

void progress_format(struct text *t, const struct live *live)
{
	text_add(t, "%-5s ", live_phase_name(live->phase));
	if (live->starts_in_ns > 0) {
		text_add(t, "in ");
		text_duration(t, live->starts_in_ns);
		return;
	}
	text_count(t, live->opened);
	text_add(t, live->target > 0 ? " / " : " open");
	if (live->target > 0)
		text_count(t, live->target);
	if (live->rate_per_s > 0) {
		text_add(t, "  ");
		text_count(t, live->rate_per_s);
		text_add(t, "/s");
	}
	if (live->answers_per_s > 0) {
		text_add(t, "  ");
		text_count(t, live->answers_per_s);
		text_add(t, " answers/s, p99 ");
		text_duration(t, live->latency_p99_ns);
	}
	add_failed(t, live);
	if (live->reconnected > 0) {
		text_add(t, "  reconnected ");
		text_count(t, live->reconnected);
	}
	if (live->eta_ns != UINT64_MAX) {
		text_add(t, "  ETA ");
		text_duration(t, live->eta_ns);
	}
	if (live->kernel_bytes_per_connection > 0) {
		text_add(t, "  kernel ");
		text_count(t, live->kernel_bytes_per_connection);
		text_add(t, " B/conn");
	}
	if (live->memory_left_bytes > 0) {
		text_add(t, "  ");
		text_bytes(t, live->memory_left_bytes);
		text_add(t, " left");
	}
}

static size_t terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
		return 79;
	return size.ws_col - 1U;
}

void progress_draw(struct progress *p, const struct live *live, uint64_t now_ns)
{
	char line[LINE_BYTES];
	struct text t;
	uint64_t mark = live->opened + live->failed + live->reconnected;
	bool is_new = (int)live->phase != p->last_phase;
	bool is_due = is_new || (mark != p->last_mark && now_ns - p->last_ns >= PLAIN_EVERY_NS);

	if (p->is_quiet || (!p->is_terminal && !is_due))
		return;
	p->last_mark = mark;
	text_init(&t, line, sizeof(line));
	progress_format(&t, live);
	if (p->is_terminal)
		fprintf(stderr, "\r\033[K%.*s", (int)terminal_width(), line);
	else
		fprintf(stderr, "%s\n", line);
	p->is_drawn = p->is_terminal;
	p->last_ns = now_ns;
	p->last_phase = (int)live->phase;
}

void progress_status(struct progress *p, const char *line)
{
	if (p->is_quiet || !p->is_terminal)
		return;
	fprintf(stderr, "\r\033[K%.*s", (int)terminal_width(), line);
	p->is_drawn = true;
}

void progress_end(struct progress *p)
{
	if (p->is_drawn)
		fprintf(stderr, "\r\033[K");
	p->is_drawn = false;
}

void progress_say(struct progress *p, const char *line)
{
	progress_end(p);
	if (!p->is_quiet)
		fprintf(stderr, "megaconn: %s\n", line);
}
