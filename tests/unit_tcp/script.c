/* script: see the header. */
#include "unit_tcp/script.h"

#include <stdio.h>
#include <string.h>

static struct {
	struct watch w;
	uint32_t iss, irs; /* what the relative numbers count from */
	uint8_t seen;      /* emits that have been expected         */
	uint8_t told;      /* events likewise                        */
	bool is_fresh;     /* a step has been made                    */
} s;

/* Our ISS and the peer's. They wrap after the SYN, in a message, in a FIN; and pass 2^31. */
static const uint32_t numbers[][2] = {
	{1000, 5000},         {0xffffffff, 0xffffffff}, {0xfffffff8, 0xfffffff8},
	{0xffffffef, 0},      {0, 0xffffffef},          {0x7ffffff8, 0x7ffffffe},
	{0xfffffff0, 100000}, {0xffff0000, 0xffff0000},
};

static const char *const state_names[TCP_STATE_COUNT] = {
	"CLOSED",     "SYN_SENT",   "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1",
	"FIN_WAIT_2", "CLOSE_WAIT", "CLOSING",      "LAST_ACK",    "TIME_WAIT",
};

struct watch *script(void)
{
	return &s.w;
}

__attribute__((format(printf, 2, 3))) static void wrong(struct here at, const char *format, ...)
{
	va_list args;

	printf("%s:%d: ISS %u, peer's %u, state %s, at %lld ms: ", at.file, at.line, s.iss, s.irs,
	       state_names[s.w.conn.state % TCP_STATE_COUNT],
	       (long long)(s.w.now_ns - WATCH_START_NS) / 1000000);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	_fail(at.file, at.line);
}

static const char *flag_text(unsigned int flags, char text[8])
{
	static const char letters[] = "FSRPA";
	int n = 0;

	for (int i = 0; i < 5; i++)
		if (flags & 1U << i)
			text[n++] = letters[i];
	text[n] = '\0';
	return text;
}

static void wrong_emit(struct here at, const char *what, const struct tcp_emit *e)
{
	char text[8];

	wrong(at, "%s: %s seq %d ack %d, bytes %u+%u", what, flag_text(e->flags, text),
	      (int)(e->seq - s.iss), (int)(e->ack - s.irs), e->from, e->len);
}

void script_settled(struct here at)
{
	const struct tcp_out *out = &s.w.out;

	if (!s.is_fresh)
		return;
	if (s.w.rule)
		wrong(at, "rule: %s", s.w.rule);
	if (s.seen < out->emit_count)
		wrong_emit(at, "sent before this, and not expected", &out->emits[s.seen]);
	if (out->events & ~s.told)
		wrong(at, "told before this, and not expected: %#x (error %d)",
		      out->events & ~s.told, out->error);
}

static void begin(struct here at)
{
	script_settled(at);
	s.seen = 0;
	s.told = 0;
	s.is_fresh = true;
}

void script_run(void (*body)(void))
{
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		memset(&s, 0, sizeof(s));
		watch_init(&s.w, SCRIPT_MSS);
		s.iss = numbers[i][0];
		s.irs = numbers[i][1];
		body();
		script_settled(HERE);
	}
}

void script_connect(struct here at, uint32_t iss)
{
	begin(at);
	assert_true(watch_may_connect(&s.w));
	watch_connect(&s.w, s.iss + iss);
}

void script_unreachable(struct here at, uint32_t seq, int error)
{
	begin(at);
	watch_unreachable(&s.w, s.iss + seq, error);
}

void script_send(struct here at, uint8_t len)
{
	begin(at);
	assert_true(watch_may_send(&s.w));
	watch_send(&s.w, len);
}

void script_receive(struct here at)
{
	begin(at);
	assert_true(watch_may_receive(&s.w));
	watch_receive(&s.w);
}

void script_close(struct here at, enum tcp_close how)
{
	begin(at);
	watch_close(&s.w, how);
}

static int64_t due_ms(void)
{
	if (!watch_is_armed(&s.w))
		return -1;
	return (int64_t)(s.w.conn.timer.deadline_ns - WATCH_START_NS) / 1000000;
}

/* Timers are told by the nanosecond: that they are whole milliseconds here is a part of it. */
void script_timer(struct here at, int64_t ms)
{
	if (due_ms() != ms)
		wrong(at, "the timer is due at %lld ms, not at %lld", (long long)due_ms(),
		      (long long)ms);
	if (ms >= 0 && s.w.conn.timer.deadline_ns % 1000000)
		wrong(at, "the timer is off by %lu ns",
		      (unsigned long)(s.w.conn.timer.deadline_ns % 1000000));
}

void script_at(struct here at, int64_t ms)
{
	uint64_t now = WATCH_START_NS + (uint64_t)ms * 1000000;

	begin(at);
	assert_true(now >= s.w.now_ns);
	if (watch_is_armed(&s.w) && s.w.conn.timer.deadline_ns < now)
		wrong(at, "a timer was due before, at %lld ms", (long long)due_ms());
	s.w.now_ns = now;
	if (watch_is_armed(&s.w) && s.w.conn.timer.deadline_ns == now)
		watch_timer(&s.w);
	else
		s.is_fresh = false;
}

void script_in(struct here at, unsigned int flags, uint32_t seq, uint32_t ack, uint16_t window,
               uint16_t len, uint16_t mss, bool is_taken)
{
	static const uint8_t data[65535];
	struct segment segment = {
		.seq = s.irs + seq,
		.ack = flags & ACK ? s.iss + ack : 0,
		.window = window,
		.mss = mss,
		.len = len,
		.flags = (uint8_t)flags,
		.data = data,
	};

	begin(at);
	if (watch_input(&s.w, &segment) != is_taken)
		wrong(at, is_taken ? "was refused" : "was not refused");
}

/* An ACK number without ACK is not looked at. */
void script_out(struct here at, unsigned int flags, uint32_t seq, uint32_t ack, uint8_t from,
                uint8_t len)
{
	const struct tcp_emit *e = &s.w.out.emits[s.seen];
	char text[8];

	if (!s.is_fresh || s.seen >= s.w.out.emit_count)
		wrong(at, "nothing (more) was sent; expected %s seq %d ack %d, bytes %u+%u",
		      flag_text(flags, text), (int)seq, (int)ack, from, len);
	s.seen++;
	if (e->flags != flags || e->seq != s.iss + seq || e->len != len ||
	    (len > 0 && e->from != from) || ((flags & ACK) && e->ack != s.irs + ack))
		wrong_emit(at, "another was sent", e);
	if (e->has_mss != ((flags & SYN) != 0))
		wrong(at, "with or without an MSS");
}

void script_tell(struct here at, unsigned int event, int code)
{
	if (!s.is_fresh || !(s.w.out.events & event & ~s.told))
		wrong(at, "told %#x, not %#x", s.is_fresh ? s.w.out.events : 0, event);
	s.told |= (uint8_t)event;
	if (event & (TCP_FAILED | TCP_ERROR) && s.w.out.error != code)
		wrong(at, "error %d, not %d", s.w.out.error, code);
}

void script_tell_data(struct here at, uint16_t from, uint16_t len)
{
	script_tell(at, TCP_DATA, 0);
	if (s.w.out.data_at != from || s.w.out.data_len != len)
		wrong(at, "data %u+%u, not %u+%u", s.w.out.data_at, s.w.out.data_len, from, len);
}

void script_state(struct here at, enum tcp_state state)
{
	if (s.w.conn.state != state)
		wrong(at, "not %s", state_names[state]);
}

void script_counted(struct here at, const char *what, uint64_t is, uint64_t expected)
{
	if (is != expected)
		wrong(at, "%s is %lu, not %lu", what, (unsigned long)is, (unsigned long)expected);
}

void script_established(void)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN(SYN | ACK, 0, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 1);
	TELL(TCP_CONNECTED);
	STATE(ESTABLISHED);
	TIMER(-1);
}

void script_fin_wait_1(void)
{
	script_established();
	CLOSE(FIN);
	OUT(FIN | ACK, 1, 1);
	STATE(FIN_WAIT_1);
}

void script_fin_wait_2(void)
{
	script_fin_wait_1();
	IN(ACK, 1, 2, SCRIPT_SEND, 0);
	STATE(FIN_WAIT_2);
}

void script_closing(void)
{
	script_fin_wait_1();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	STATE(CLOSING);
}

void script_close_wait(void)
{
	script_established();
	RECEIVE();
	IN(FIN | ACK, 1, 1, SCRIPT_SEND, 0);
	OUT(ACK, 1, 2);
	TELL(TCP_FIN);
	STATE(CLOSE_WAIT);
}

void script_last_ack(void)
{
	script_close_wait();
	CLOSE(FIN);
	OUT(FIN | ACK, 1, 2);
	STATE(LAST_ACK);
}

void script_time_wait(void)
{
	script_fin_wait_2();
	IN(FIN | ACK, 1, 2, SCRIPT_SEND, 0);
	OUT(ACK, 2, 2);
	STATE(TIME_WAIT);
	TIMER(60000);
}

void script_syn_received(void)
{
	CONNECT();
	OUT(SYN, 0, 0);
	IN(SYN, 0, 0, SCRIPT_SEND, 0);
	OUT(SYN | ACK, 0, 1);
	STATE(SYN_RECEIVED);
}
