#include "wire.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct wire wire;

uint64_t __wrap_clock_now_ns(void); /* NOLINT(*-reserved-identifier,cert-dcl*) */
uint64_t __wrap_clock_now_ns(void)  /* NOLINT(*-reserved-identifier,cert-dcl*) */
{
	wire.now_ns += wire.look_ns;
	return wire.now_ns;
}

static uint8_t *wire_room(struct device *d)
{
	(void)d;
	return wire.room;
}

static void wire_put(struct device *d, uint32_t len)
{
	struct wire_sent *sent = &wire.sent[wire.sent_count % WIRE_MOST];

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
	wire.now_ns += wire.step_ns;
	if (wire.failed != 0)
		return wire.failed;
	assert_true(count == wire.frame_count);
	if (wire.at_once > 0 && count > wire.at_once)
		count = wire.at_once;
	memcpy(frames, wire.frames, (size_t)count * sizeof(*frames));
	wire.frame_count -= count;
	memmove(wire.frames, wire.frames + count, (size_t)wire.frame_count * sizeof(*frames));
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

static const struct device_ops wire_ops = {wire_room, wire_put, wire_exchange, wire_flush,
                                           wire_close};

void wire_open(void)
{
	memset(&wire, 0, sizeof(wire));
	wire.now_ns = 1000000 * WIRE_MS;
	/* Readable, so that an engine that sleeps asks the device again. */
	wire.device = (struct device){
		.ops = &wire_ops, .fd = eventfd(1, EFD_CLOEXEC), .wake_ns = UINT64_MAX};
}

void wire_bring(const struct tuple *tuple, const struct segment *segment)
{
	const struct tuple back = {.source = tuple->target,
	                           .target = tuple->source,
	                           .source_port = tuple->target_port,
	                           .target_port = tuple->source_port};
	int number = wire.frame_count++;

	assert_true(number < DEVICE_BATCH);
	wire.frames[number] = (struct device_frame){
		.bytes = wire.in[number],
		.len = packet_build(wire.in[number], &back, segment),
	};
}

const struct packet *wire_last(void)
{
	assert_true(wire.sent_count > 0);
	return &wire.sent[(wire.sent_count - 1) % WIRE_MOST].packet;
}

void wire_expect_puts(uint32_t count)
{
	assert_int_equal(wire.sent_count, count);
	wire.sent_count = 0;
}
