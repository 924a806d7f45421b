// SPDX-License-Identifier: GPL-2.0
/* Requests to the disk. */
#include <errno.h>
#include <string.h>
#include <linux/virtio_ring.h>

#include "frontend.h"

/* What a request needs of guest memory beside its data. */
struct slot {
	struct virtio_blk_outhdr header;
	__u8 status;
	struct virtio_blk_discard_write_zeroes range[BLK_IO_RANGES];
};
#define SLOT (2 * RAM_PAGE)

/* By the descriptor that the request is going to begin with. */
static __u64 next_slot(const struct frontend_queue *fq)
{
	return fq->slots + (__u64)fq->ring.free[fq->ring.nr_free - 1] * SLOT;
}

static bool device_writes(__u32 type)
{
	return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
}

/* Header, data, status; how many of them the device reads. */
static unsigned build(const struct blk_io *io, __u64 slot, struct ring_seg *seg, unsigned *nr)
{
	*nr = 0;
	seg[(*nr)++] = (struct ring_seg){slot, sizeof(struct virtio_blk_outhdr)};
	if (io->nr_ranges)
		seg[(*nr)++] = (struct ring_seg){slot + offsetof(struct slot, range),
						 io->nr_ranges * sizeof(io->range[0])};
	if (io->nr)
		memcpy(seg + *nr, io->seg, io->nr * sizeof(*seg));
	*nr += io->nr;
	seg[(*nr)++] = (struct ring_seg){slot + offsetof(struct slot, status), 1};
	return device_writes(io->type) ? 1 : *nr - 1;
}

int frontend__queue(struct frontend *f, unsigned q, struct blk_io *io)
{
	struct ring_seg seg[BLK_IO_SEGS + 3];
	struct frontend_queue *fq = &f->queue[q];
	struct vring_desc *table = NULL;
	unsigned nr, nr_out;
	struct slot *s;
	__u64 at;
	int head;

	if (io->nr > BLK_IO_SEGS || io->nr_ranges > BLK_IO_RANGES)
		return -E2BIG;
	if (!fq->ring.nr_free)
		return -ENOSPC;
	at = next_slot(fq);
	s = ram__at(&f->ram, at, sizeof(*s));
	s->header = (struct virtio_blk_outhdr){.type = io->type, .sector = io->sector};
	s->status = 0xff;
	if (io->nr_ranges)
		memcpy(s->range, io->range, io->nr_ranges * sizeof(io->range[0]));
	nr_out = build(io, at, seg, &nr);
	if (f->features & 1ULL << VIRTIO_RING_F_INDIRECT_DESC)
		table = (void *)((char *)s + RAM_PAGE);
	io->done = false;
	io->times = 0;
	head = driver_ring__add(&fq->ring, seg, nr_out, nr - nr_out, table, at + RAM_PAGE, io);
	io->head = head;
	return head < 0 ? head : 0;
}

void frontend__publish(struct frontend *f, unsigned q)
{
	driver_ring__publish(&f->queue[q].ring);
}

static void finish(struct frontend *f, struct frontend_queue *fq, struct blk_io *io)
{
	__u64 at = fq->slots + (__u64)io->head * SLOT + offsetof(struct slot, status);

	io->status = *(__u8 *)ram__at(&f->ram, at, 1);
	io->done = true;
	io->times++;
	if (io->fn)
		io->fn(io);
}

int frontend__reap(struct frontend *f, unsigned q)
{
	struct frontend_queue *fq = &f->queue[q];
	__u32 written;
	void *cookie;
	__u16 head;
	int n = 0, got;

	while ((got = driver_ring__get(&fq->ring, &head, &written, &cookie)) > 0) {
		n++;
		/* A test's own chain has none. */
		if (!cookie)
			continue;
		((struct blk_io *)cookie)->written = written;
		finish(f, fq, cookie);
	}
	return got < 0 ? got : n;
}

/* Something is done, or may be. */
static int wait_some(struct frontend *f, unsigned q, int milliseconds)
{
	struct driver_ring *r = &f->queue[q].ring;

	if (driver_ring__want_call(r, true))
		return 0;
	return driver_ring__sleep(r, f->sock, milliseconds);
}

static int poll_some(struct frontend *f, unsigned rounds)
{
	/* Now and then, see whether there is a server. */
	if (rounds % 65536 || f->sock < 0)
		return 0;
	return link__hung_up(f->sock, 0) ? -ECONNRESET : 0;
}

int frontend__wait_some(struct frontend *f, unsigned q)
{
	int n = frontend__reap(f, q), err = 0;

	for (unsigned rounds = 1; !n && !err; rounds++) {
		err = f->opts.polling ? poll_some(f, rounds) : wait_some(f, q, LINK_SECONDS * 1000);
		n = frontend__reap(f, q);
	}
	return n ?: err;
}

int frontend__wait(struct frontend *f, unsigned q, struct blk_io *io)
{
	while (!io->done) {
		int n = frontend__wait_some(f, q);

		if (n < 0)
			return n;
	}
	return 0;
}

int frontend__wait_all(struct frontend *f, unsigned q)
{
	while (driver_ring__in_flight(&f->queue[q].ring)) {
		int n = frontend__wait_some(f, q);

		if (n < 0)
			return n;
	}
	return 0;
}

int frontend__do(struct frontend *f, unsigned q, struct blk_io *io)
{
	int err = frontend__queue(f, q, io);

	if (err)
		return err;
	frontend__publish(f, q);
	return frontend__wait(f, q, io) ?: io->status;
}

int frontend__rw(struct frontend *f, unsigned q, __u32 type, __u64 offset, __u64 gpa, __u32 bytes)
{
	struct ring_seg seg = {gpa, bytes};
	struct blk_io io = {.type = type, .sector = offset / SECTOR, .seg = &seg, .nr = 1};

	return frontend__do(f, q, &io);
}

int frontend__flush(struct frontend *f, unsigned q)
{
	return frontend__do(f, q, &(struct blk_io){.type = VIRTIO_BLK_T_FLUSH});
}
