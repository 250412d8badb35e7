/* wire: see the header. */
#include "wire.h"

#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

uint64_t now_ns, look_ns;
struct wire wire;

uint64_t __wrap_clock_now_ns(void); /* NOLINT(*-reserved-identifier,cert-dcl*) */
uint64_t __wrap_clock_now_ns(void)  /* NOLINT(*-reserved-identifier,cert-dcl*) */
{
	now_ns += look_ns;
	return now_ns;
}

static uint8_t *wire_room(struct device *d)
{
	(void)d;
	return wire.room;
}

static void wire_put(struct device *d, uint32_t len)
{
	struct sent *sent = &wire.sent[wire.sent_count % WIRE_SENT_MOST];

	(void)d;
	wire.sent_count++;
	wire.unsent++;
	memcpy(sent->bytes, wire.room, len);
	assert_int_equal(packet_parse(sent->bytes, len, false, &sent->packet), PACKET_TCP);
	if (wire.peer)
		wire.peer(&sent->packet);
}

static int wire_exchange(struct device *d, struct device_frame *frames, int max)
{
	int count = wire.frame_count < max ? wire.frame_count : max;

	(void)d;
	wire.unsent = 0;
	now_ns += wire.step_ns;
	if (wire.failed != 0)
		return wire.failed;
	memcpy(frames, wire.frames, (size_t)count * sizeof(*frames));
	assert_true(count == wire.frame_count);
	wire.frame_count = 0;
	return count;
}

static int wire_flush(struct device *d)
{
	(void)d;
	wire.unsent = 0;
	return 0;
}

static void wire_close(struct device *d)
{
	close(d->fd);
	wire.is_closed = true;
}

const struct device_ops wire_ops = {wire_room, wire_put, wire_exchange, wire_flush, wire_close};
