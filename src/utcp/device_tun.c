/* device_tun: one batch is one io_uring_enter: the packets that were put are written, and what the
 * kernel answers is read, in that order.
 *
 * Writing a packet to a TUN device runs the kernel's TCP for it at once, in the writer's context
 * (drivers/net/tun.c, tun_get_user), so the answers to a batch are there when its reads begin. A
 * read that finds nothing completes at once with EAGAIN (RWF_NOWAIT: that the descriptor is
 * non-blocking is not enough, io_uring would wait for it), so that none is left behind. How many
 * reads are tried follows what the last batch found.
 *
 * Where io_uring cannot be had, or is one of before 5.17, which knows no write without a completion
 * (IOSQE_CQE_SKIP_SUCCESS), each packet is a system call of its own. */
#include "utcp/device_tun.h"

#include "base/map.h"
#include "kernel/link.h"
#include "kernel/tun.h"
#include "utcp/packet.h"
#include "utcp/subnet.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#define NAME_PATTERN  "mctun%d"
#define QUEUE_PACKETS 16384 /* answers that wait to be read: a batch's, or a server's burst */
#define FRAME_BYTES   1536  /* the device's MTU of 1,500, and whole cache lines */
#define READS_LEAST   8
#define WRITE_TAG     UINT64_MAX /* of a completion: else it is the number of a read */

struct tun {
	struct device device;
	bool has_ring;
	struct io_uring ring;
	uint32_t put_count;
	uint32_t put_len[DEVICE_BATCH];
	uint8_t (*put)[PACKET_BYTES_MOST];
	uint32_t reads; /* to try next */
	uint8_t (*in)[FRAME_BYTES];
};

static struct tun *tun_of(struct device *d)
{
	return (struct tun *)(void *)d;
}

static uint8_t *tun_room(struct device *d)
{
	struct tun *t = tun_of(d);

	return t->put_count < DEVICE_BATCH ? t->put[t->put_count] : NULL;
}

static void tun_put(struct device *d, uint32_t len)
{
	struct tun *t = tun_of(d);

	t->put_len[t->put_count++] = len;
}

/* --- by io_uring ----------------------------------------------------------------------------- */

/* The ring has room for a whole batch each way. */
static struct io_uring_sqe *next_entry(struct tun *t)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&t->ring);

	assert(sqe);
	return sqe;
}

static void queue_writes(struct tun *t)
{
	for (uint32_t i = 0; i < t->put_count; i++) {
		struct io_uring_sqe *sqe = next_entry(t);

		io_uring_prep_write(sqe, 0, t->put[i], t->put_len[i], 0);
		sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
		io_uring_sqe_set_data64(sqe, WRITE_TAG);
	}
	t->put_count = 0;
}

static void queue_reads(struct tun *t, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = next_entry(t);

		io_uring_prep_read(sqe, 0, t->in[i], FRAME_BYTES, 0);
		sqe->rw_flags = RWF_NOWAIT;
		sqe->flags |= IOSQE_FIXED_FILE;
		io_uring_sqe_set_data64(sqe, i);
	}
}

/* All of it: the kernel stops early where it has no memory for a request at the moment. */
static int submit(struct tun *t)
{
	int count = 1;

	while (io_uring_sq_ready(&t->ring) > 0 && (count > 0 || count == -EINTR))
		count = io_uring_submit(&t->ring);
	if (io_uring_sq_ready(&t->ring) == 0)
		return 0;
	return count < 0 ? count : -EAGAIN;
}

/* Why the device is of no use any more, by the errno of a write: somebody has set it down. Else the
 * packet is lost, and no more. */
static int end_of_write(int code)
{
	return code == -EIO ? -ENETDOWN : 0;
}

/* Everything completes within the submission: a TUN device does not wait for anything. Returns the
 * number of frames, or where there is none, why the device is of no use any more (EBADFD: somebody
 * has deleted it). */
static int reap(struct tun *t, struct device_frame *frames)
{
	struct io_uring_cqe *cqe;
	int count = 0, failed = 0;

	while (io_uring_peek_cqe(&t->ring, &cqe) == 0) {
		uint64_t tag = io_uring_cqe_get_data64(cqe);

		if (tag == WRITE_TAG) {
			t->device.dropped++;
			failed = failed == 0 ? end_of_write(cqe->res) : failed;
		} else if (cqe->res > 0) {
			frames[count++] = (struct device_frame){.bytes = t->in[tag],
			                                        .len = (uint32_t)cqe->res};
		} else if (cqe->res != -EAGAIN && cqe->res != -EINTR) {
			failed = cqe->res;
		}
		io_uring_cqe_seen(&t->ring, cqe);
	}
	return count > 0 ? count : failed;
}

static int ring_exchange(struct device *d, struct device_frame *frames, int max)
{
	struct tun *t = tun_of(d);
	uint32_t reads = t->reads < (uint32_t)max ? t->reads : (uint32_t)max;
	int failed, count;

	queue_writes(t);
	queue_reads(t, reads);
	failed = submit(t);
	if (failed != 0)
		return failed;
	count = reap(t, frames);
	if (count < 0)
		return count;
	t->reads = (uint32_t)count == reads ? 2 * reads : (uint32_t)count + READS_LEAST;
	if (t->reads > DEVICE_BATCH)
		t->reads = DEVICE_BATCH;
	return count;
}

static int ring_flush(struct device *d)
{
	struct tun *t = tun_of(d);
	int failed;

	queue_writes(t);
	failed = submit(t);
	return failed == 0 ? reap(t, NULL) : failed;
}

/* --- by system calls ------------------------------------------------------------------------- */

static int plain_flush(struct device *d)
{
	struct tun *t = tun_of(d);
	int failed = 0;

	for (uint32_t i = 0; i < t->put_count && failed == 0; i++) {
		if (write(d->fd, t->put[i], t->put_len[i]) >= 0)
			continue;
		failed = end_of_write(-errno);
		d->dropped++;
	}
	t->put_count = 0;
	return failed;
}

static int plain_exchange(struct device *d, struct device_frame *frames, int max)
{
	struct tun *t = tun_of(d);
	int failed = plain_flush(d), count = 0;

	if (failed != 0)
		return failed;
	while (count < max) {
		ssize_t len = read(d->fd, t->in[count], FRAME_BYTES);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN || count > 0 ? count : -errno;
		frames[count] = (struct device_frame){.bytes = t->in[count], .len = (uint32_t)len};
		count++;
	}
	return count;
}

/* --- opening --------------------------------------------------------------------------------- */

static void drop(struct tun *t)
{
	if (t->device.fd >= 0)
		close(t->device.fd);
	map_drop(t->put, DEVICE_BATCH * sizeof(*t->put));
	map_drop(t->in, DEVICE_BATCH * sizeof(*t->in));
	map_drop(t, sizeof(*t));
}

static void tun_close(struct device *d)
{
	struct tun *t = tun_of(d);

	/* Else the ring would hold the device for as long as the kernel takes to tear it down. */
	if (t->has_ring) {
		(void)io_uring_unregister_files(&t->ring);
		io_uring_queue_exit(&t->ring);
	}
	drop(t);
}

static const struct device_ops ring_ops = {tun_room, tun_put, ring_exchange, ring_flush, tun_close};
static const struct device_ops plain_ops = {tun_room, tun_put, plain_exchange, plain_flush,
                                            tun_close};

static bool open_ring(struct tun *t)
{
	if (io_uring_queue_init(2 * DEVICE_BATCH, &t->ring, 0) != 0)
		return false;
	if ((t->ring.features & IORING_FEAT_CQE_SKIP) &&
	    io_uring_register_files(&t->ring, &t->device.fd, 1) == 0)
		return true;
	io_uring_queue_exit(&t->ring);
	return false;
}

static struct tun *make(void)
{
	struct tun *t = map_private(sizeof(*t));

	if (!t)
		return NULL;
	t->device.fd = -1;
	t->device.wake_ns = UINT64_MAX;
	t->reads = READS_LEAST;
	t->put = map_private(DEVICE_BATCH * sizeof(*t->put));
	t->in = map_private(DEVICE_BATCH * sizeof(*t->in));
	if (t->put && t->in)
		return t;
	drop(t);
	return NULL;
}

/* Sets the device up, and leads the sources to it. */
static int lead(const struct device_config *config, const char *name, struct err *err)
{
	static const struct link_setup setup = {
		.queue_packets = QUEUE_PACKETS,
		.no_queue = true,
		.no_ipv6_address = true,
	};
	unsigned int link = if_nametoindex(name);
	int family = config->tuples->target.family;
	const struct ip gateway = subnet_gateway(family);
	struct channel c;
	int failed = channel_open(&c);

	if (failed != 0)
		return err_set(err, failed, "cannot talk to rtnetlink: %s", strerror(-failed));
	failed = link_set_up(&c, link, &setup);
	if (failed != 0)
		err_set(err, failed, "cannot set the device %s up: %s", name, strerror(-failed));
	/* IPv4 has one neighbour on such a device, whatever the address; IPv6 one for each. */
	if (failed == 0)
		failed = subnet_route(&c, link, config, family == AF_INET6 ? &gateway : NULL, err);
	channel_close(&c);
	return failed;
}

int device_tun_open(const struct device_config *config, struct device **out, struct err *err)
{
	struct tun *t = make();
	char name[IF_NAMESIZE];
	int result;

	if (!t)
		return err_set(err, -ENOMEM, "no memory for a device's packets");
	t->device.fd = tun_open(NAME_PATTERN, name, err);
	result = t->device.fd < 0 ? t->device.fd : lead(config, name, err);
	if (result < 0) {
		drop(t);
		return result;
	}
	t->has_ring = open_ring(t);
	t->device.ops = t->has_ring ? &ring_ops : &plain_ops;
	*out = &t->device;
	return 0;
}
