/* task: segments by hand, without a state machine. */
#include "task.h"

#include "base/clock.h"
#include "utcp/packet.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define SOURCES_MOST 65536
#define ROUNDS       5
#define ROUND_MS     200
#define PATIENCE_NS  (5 * NS_PER_S)
#define MSS          1400
#define SEQ          1000

static struct device_frame frames[DEVICE_BATCH];
static uint32_t server_seq; /* of the handshake's other end */

static struct tuple tuple_of(const struct device_config *config, uint32_t number, uint16_t port)
{
	const struct tuple_plan *plan = config->tuples;

	return (struct tuple){
		.source = pool_at(&plan->sources, config->first_source + number),
		.target = plan->target,
		.source_port = 1024,
		.target_port = port,
	};
}

static void send_one(struct device *d, const struct tuple *tuple, const struct segment *segment)
{
	device_put(d, packet_build(device_room(d), tuple, segment));
}

/* Sleeps until there is something, as long as `ms`; false where there is nothing. */
static bool await(struct device *d, int ms)
{
	struct pollfd ready = {.fd = d->fd, .events = POLLIN};

	return poll(&ready, 1, ms) > 0;
}

/* True where the frame is a segment to one of this device's sources, whose number is in *number. */
static bool parse(const struct device_frame *frame, const struct device_config *config,
                  struct bench_report *report, struct packet *packet, uint32_t *number)
{
	enum packet_kind kind = packet_parse(frame->bytes, frame->len, frame->is_checked, packet);

	if (kind == PACKET_MALFORMED || kind == PACKET_BAD_CHECKSUM)
		report->bad++;
	if (kind != PACKET_TCP)
		return false;
	int64_t at = pool_index(&config->tuples->sources, &packet->tuple.source);
	bool is_ours = at >= config->first_source &&
	               at < (int64_t)config->first_source + config->source_count;

	report->strangers += !is_ours;
	*number = (uint32_t)(at - config->first_source);
	return is_ours;
}

/* --- asking ---------------------------------------------------------------------------------- */

static uint8_t has_answered[SOURCES_MOST];

static void take_answers(struct device *d, const struct device_config *config,
                         struct bench_report *report)
{
	int count = device_exchange(d, frames, DEVICE_BATCH);

	for (int i = 0; i < count; i++) {
		struct packet packet;
		uint32_t number;

		if (!parse(&frames[i], config, report, &packet, &number))
			continue;
		if ((packet.segment.flags & SEGMENT_RST) == 0 ||
		    packet.segment.ack != SEQ + number + 1)
			report->bad++;
		else if (!has_answered[number])
			report->answered++;
		has_answered[number] = 1;
	}
}

static void send_syn(struct device *d, const struct device_config *config, uint32_t number)
{
	const struct tuple tuple = tuple_of(config, number, TASK_CLOSED_PORT);
	const struct segment syn = {.flags = SEGMENT_SYN, .seq = SEQ + number, .mss = MSS};

	send_one(d, &tuple, &syn);
}

static void ask_once(struct device *d, const struct device_config *config,
                     struct bench_report *report)
{
	for (uint32_t i = 0; i < config->source_count; i++) {
		if (has_answered[i])
			continue;
		send_syn(d, config, i);
		if (i % DEVICE_BATCH == DEVICE_BATCH - 1)
			take_answers(d, config, report);
	}
	take_answers(d, config, report);
	while (report->answered < config->source_count && await(d, ROUND_MS))
		take_answers(d, config, report);
}

/* What the kernel has to say by itself, as that it takes part in a multicast group, may come. */
static bool is_quiet(struct device *d)
{
	for (int i = 0; i < 20; i++) {
		while (device_exchange(d, frames, DEVICE_BATCH) > 0)
			;
		if (!await(d, 20))
			return true;
	}
	return false;
}

/* A wire may lose some. */
static void ask(struct device *d, const struct device_config *config, struct bench_report *report)
{
	memset(has_answered, 0, sizeof(has_answered));
	report->answered = 0;
	for (int i = 0; i < ROUNDS && report->answered < config->source_count; i++)
		ask_once(d, config, report);
	report->is_quiet = is_quiet(d);
	report->dropped = d->dropped;
}

static void flood(struct device *d, const struct device_config *config, struct bench_report *report)
{
	int count;

	for (uint32_t i = 0; i < config->source_count; i++) {
		if (!device_room(d))
			(void)device_flush(d);
		send_syn(d, config, i);
	}
	(void)device_flush(d);
	do {
		count = device_exchange(d, frames, DEVICE_BATCH);
		report->flooded += count > 0 ? (uint32_t)count : 0;
	} while (count > 0 || (count == 0 && await(d, ROUND_MS)));
}

/* --- one connection -------------------------------------------------------------------------- */

static bool take_syn_ack(struct device *d, const struct device_config *config,
                         struct bench_report *report)
{
	int count = device_exchange(d, frames, DEVICE_BATCH);
	bool is_found = false;

	for (int i = 0; i < count; i++) {
		struct packet packet;
		uint32_t number;

		if (!parse(&frames[i], config, report, &packet, &number))
			continue;
		server_seq = packet.segment.seq + 1;
		is_found |= packet.segment.flags == (SEGMENT_SYN | SEGMENT_ACK);
	}
	return is_found;
}

static void connect_one(struct device *d, const struct device_config *config,
                        struct bench_report *report)
{
	const struct tuple tuple = tuple_of(config, 0, BENCH_OPEN_PORT);
	const struct segment syn = {.flags = SEGMENT_SYN, .seq = SEQ, .window = 65535, .mss = MSS};
	struct segment ack = {.flags = SEGMENT_ACK, .seq = SEQ + 1, .window = 65535};
	const uint64_t end = clock_now_ns() + PATIENCE_NS;

	send_one(d, &tuple, &syn);
	while (!report->is_connected && clock_now_ns() < end) {
		report->is_connected = take_syn_ack(d, config, report);
		if (!report->is_connected)
			(void)await(d, ROUND_MS);
	}
	ack.ack = server_seq;
	send_one(d, &tuple, &ack);
	(void)device_flush(d);
}

/* Data that comes in order, and is what it must be. */
static void take_data(const struct segment *segment, struct bench_report *report)
{
	if (segment->seq - server_seq != report->collected)
		return;
	for (uint32_t i = 0; i < segment->len; i++) {
		if (segment->data[i] != bench_byte(report->collected + i)) {
			report->bad++;
			return;
		}
	}
	report->collected += segment->len;
}

/* And ends it by RST, so that the next device meets nothing of it. */
static void collect(struct device *d, const struct device_config *config,
                    struct bench_report *report)
{
	const struct tuple tuple = tuple_of(config, 0, BENCH_OPEN_PORT);
	const struct segment reset = {.flags = SEGMENT_RST, .seq = SEQ + 1};
	const uint64_t end = clock_now_ns() + PATIENCE_NS;

	while (report->collected < BENCH_LARGE && clock_now_ns() < end) {
		int count = device_exchange(d, frames, DEVICE_BATCH);

		for (int i = 0; i < count; i++) {
			struct packet packet;
			uint32_t number;

			if (!parse(&frames[i], config, report, &packet, &number))
				continue;
			if (frames[i].len > report->longest)
				report->longest = frames[i].len;
			take_data(&packet.segment, report);
		}
		if (count == 0)
			(void)await(d, ROUND_MS);
	}
	send_one(d, &tuple, &reset);
	(void)device_flush(d);
}

static void watch(struct device *d, struct bench_report *report)
{
	const uint64_t end = clock_now_ns() + PATIENCE_NS;

	while (report->watched >= 0 && clock_now_ns() < end) {
		(void)await(d, ROUND_MS);
		report->watched = device_exchange(d, frames, DEVICE_BATCH);
	}
}

void task_do(enum bench_task task, struct device *device, const struct device_config *config,
             struct bench_report *report)
{
	switch (task) {
	case BENCH_ASK:
		ask(device, config, report);
		break;
	case BENCH_FLOOD:
		flood(device, config, report);
		break;
	case BENCH_CONNECT:
		connect_one(device, config, report);
		break;
	case BENCH_COLLECT:
		collect(device, config, report);
		break;
	case BENCH_WATCH:
		watch(device, report);
		break;
	case BENCH_OPEN:
	case BENCH_CLOSE:
		break;
	}
}
