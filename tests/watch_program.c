/* watch_program: programs of bytes for a connection under watch. See watch.h. */
#include "watch.h"

#include <errno.h>

#define FUZZ_MSS 1460

/* What is left of the program; reads 0 behind its end. */
struct tape {
	const uint8_t *at;
	uint32_t left;
};

static uint8_t byte_of(struct tape *t)
{
	if (t->left == 0)
		return 0;
	t->left--;
	return *t->at++;
}

static uint16_t short_of(struct tape *t)
{
	uint16_t high = (uint16_t)(byte_of(t) << 8);

	return high | byte_of(t);
}

/* A number near `about`, or anywhere: the upper two bits of a byte say how it is meant. */
static uint32_t number_of(struct tape *t, uint32_t about)
{
	uint8_t how = byte_of(t);
	int32_t near = (int32_t)(how & 0x3f) - 0x20;

	switch (how >> 6) {
	case 0:
	case 1:
		return about + (uint32_t)near;
	case 2:
		return about + (uint32_t)(near * 2048) + byte_of(t);
	default:
		return (uint32_t)short_of(t) << 16 | short_of(t);
	}
}

static void run_segment(struct watch *w, struct tape *t)
{
	static const uint8_t data[256];
	struct segment s = {.flags = byte_of(t) & 0x1f, .data = data};

	s.seq = number_of(t, w->conn.rcv_nxt);
	s.ack = number_of(t, tcp_snd_nxt(&w->conn));
	s.window = (uint16_t)(byte_of(t) * 2);
	s.len = byte_of(t);
	s.mss = s.flags & SEGMENT_SYN ? short_of(t) : 0;
	watch_input(w, &s);
}

/* Time goes on, but not past the timer. */
static void run_wait(struct watch *w, struct tape *t)
{
	uint64_t to_ns = w->now_ns + (uint64_t)short_of(t) * 100000;

	if (watch_is_armed(w) && to_ns > w->conn.timer.deadline_ns)
		to_ns = w->conn.timer.deadline_ns;
	if (to_ns > w->now_ns)
		w->now_ns = to_ns;
}

static void run_call(struct watch *w, struct tape *t, uint8_t op)
{
	uint8_t len;
	enum tcp_close how;

	switch (op % 8) {
	case 0:
		if (watch_may_connect(w))
			watch_connect(w, number_of(t, w->conn.snd_una));
		break;
	case 1:
		len = byte_of(t);
		if (watch_may_send(w))
			watch_send(w, (uint8_t)(1 + len % TCP_MESSAGE_MOST));
		break;
	case 2:
		if (watch_may_receive(w))
			watch_receive(w);
		break;
	case 3:
		how = (enum tcp_close)(byte_of(t) % 3);
		if (watch_may_close(w, how))
			watch_close(w, how);
		break;
	case 4:
		if (watch_is_armed(w))
			watch_timer(w);
		break;
	case 5:
		run_wait(w, t);
		break;
	case 6:
		watch_unreachable(w, number_of(t, w->conn.snd_una), -EHOSTUNREACH);
		break;
	default:
		run_segment(w, t);
		break;
	}
}

const char *watch_program(const uint8_t *program, uint32_t len)
{
	struct tape t = {.at = program, .left = len};
	struct watch w;

	watch_init(&w, FUZZ_MSS);
	watch_connect(&w, number_of(&t, 0));
	while (t.left > 0 && !w.rule)
		run_call(&w, &t, byte_of(&t));
	if (!w.rule && watch_may_close(&w, TCP_CLOSE_FIN))
		watch_close(&w, TCP_CLOSE_FIN);
	if (!w.rule && (!watch_drain(&w) || w.conn.state != TCP_CLOSED))
		return w.rule ? w.rule : "is closed, and does not end";
	return w.rule;
}
