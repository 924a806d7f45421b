// SPDX-License-Identifier: GPL-2.0
/* Requests at home: from the ring to the parts, and the answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

/* Of one ring, before others have their turn. */
#define RING_BATCH 32

static struct request *request__new(struct served_ring *r, const struct vring_chain *chain)
{
	struct request *req = r->free;

	r->free = req->next;
	req->ring = r;
	req->home = r->loop;
	req->head = chain->head;
	req->issuing = req->missed = req->starved = false;
	req->parts = 0;
	req->err = 0;
	req->issued = 0;
	req->pos = (struct seg_pos){};
	req->segs = req->inline_segs;
	req->home->requests++;
	return req;
}

/* The chain's pieces are another's soon. */
static int keep_segs(struct request *req)
{
	size_t bytes = req->blk.nr_data * sizeof(*req->segs);

	if (req->blk.nr_data > REQUEST_SEGS) {
		req->segs = malloc(bytes);
		if (!req->segs)
			return -ENOMEM;
	}
	if (bytes)
		memcpy(req->segs, req->blk.data, bytes);
	req->blk.data = req->segs;
	return 0;
}

static void answer(struct request *req, __u8 status, __u32 data)
{
	struct served_ring *r = req->ring;

	if (req->blk.status)
		data = blk_request__finish(&req->blk, status, data);
	vring__push(r->ring, req->head, data);
	r->dirty = true;
	if (req->segs != req->inline_segs)
		free(req->segs);
	req->next = r->free;
	r->free = req;
	req->home->requests--;
}

static void count_done(struct request *req)
{
	struct data_loop *l = req->home;

	switch (req->blk.op) {
	case BLK_READ:
		COUNT(l, reads);
		COUNT_N(l, read_bytes, req->blk.bytes);
		data_loop__latency(l, req->missed ? &l->miss : &l->hit,
				   data_loop__clock() - req->start);
		break;
	case BLK_WRITE:
		COUNT(l, writes);
		COUNT_N(l, written_bytes, req->blk.bytes);
		break;
	case BLK_FLUSH:
		COUNT(l, flushes);
		break;
	case BLK_DISCARD:
	case BLK_ZERO:
		COUNT(l, discards);
		break;
	default:
		COUNT(l, other);
	}
}

void request__finish(struct request *req)
{
	/* What was read may have gone to zeroes in the place of the guest's memory. */
	if (req->blk.op == BLK_READ && guest_memory__broken(vring__memory(req->ring->ring)))
		req->err = -EIO;
	if (req->err)
		COUNT(req->home, errors);
	else
		count_done(req);
	answer(req, req->err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK,
	       req->blk.op == BLK_READ && !req->err ? req->blk.bytes : 0);
}

static void refuse(struct request *req, __u8 status)
{
	COUNT(req->home, refused);
	answer(req, status, 0);
}

/* --- parts --- */

/* Up to the next multiple of a part's pages, which extents end at, too. */
static __u32 part_bytes(const struct request *req)
{
	__u64 from = req->blk.offset + req->issued, left = req->blk.bytes - req->issued;
	__u64 bytes = PART_PAGES * PAGE_BYTES - from % (PART_PAGES * PAGE_BYTES);

	return bytes < left ? bytes : left;
}

static void skip_segs(struct request *req, __u32 bytes)
{
	while (bytes) {
		const struct vring_seg *s = &req->segs[req->pos.seg];
		__u32 n = s->bytes - req->pos.off < bytes ? s->bytes - req->pos.off : bytes;

		bytes -= n;
		req->pos.off += n;
		if (req->pos.off == s->bytes) {
			req->pos.off = 0;
			req->pos.seg++;
		}
	}
}

static void issue_part(struct request *req, struct part *p)
{
	__u64 end;

	p->req = req;
	p->offset = req->blk.offset + req->issued;
	p->bytes = part_bytes(req);
	p->page = p->offset / PAGE_BYTES;
	end = p->offset + p->bytes + PAGE_BYTES - 1;
	p->pages = end / PAGE_BYTES - p->page;
	p->pos = req->pos;
	p->go = req->blk.op == BLK_READ ? part__read : part__write;
	skip_segs(req, p->bytes);
	req->issued += p->bytes;
	req->parts++;
	part__route(p);
}

static void starve(struct request *req)
{
	struct data_loop *l = req->home;

	if (req->starved)
		return;
	req->starved = true;
	req->next = NULL;
	*l->starved_last = req;
	l->starved_last = &req->next;
}

/* Ends the request when all is done. Parts may be done before part__route() returns. */
void request__issue(struct request *req)
{
	req->issuing = true;
	while (req->issued < req->blk.bytes && req->parts < REQUEST_PARTS && !req->err) {
		struct part *p = part__new(req->home);

		if (!p) {
			starve(req);
			break;
		}
		issue_part(req, p);
	}
	req->issuing = false;
	if (!req->parts && !req->starved)
		request__finish(req);
}

/* A part is free again: who waits for one? */
static void feed(struct data_loop *l)
{
	struct request *req = l->starved;

	if (!req)
		return;
	l->starved = req->next;
	if (!l->starved)
		l->starved_last = &l->starved;
	req->starved = false;
	request__issue(req);
}

void request__part_done(struct request *req, struct part *p)
{
	struct data_loop *home = req->home;

	req->parts--;
	req->missed |= p->missed;
	if (p->err)
		req->err = p->err;
	p->next = home->free_parts;
	home->free_parts = p;
	if (!req->issuing && !req->starved)
		request__issue(req);
	if (home->starved && !req->issuing)
		feed(home);
}

/* --- what needs no parts --- */

static void flushed(struct storage_io *io, int err)
{
	struct part *p = ((struct part_io *)io)->part;

	p->err = err;
	request__part_done(p->req, p);
}

/* A part carries it, for its storage_io. */
static void flush(struct request *req)
{
	struct part *p = part__new(req->home);

	if (!p) {
		req->err = -EBUSY;
		request__finish(req);
		return;
	}
	req->parts = 1;
	p->req = req;
	p->io[0] = (struct part_io){{.op = STORAGE_FLUSH, .done = flushed}, p};
	storage_queue__add(req->home->io, &p->io[0].io);
	req->home->to_submit = true;
}

static void put_id(struct request *req)
{
	__u32 n = blk_request__put_id(&req->blk, &req->home->disk->blk);

	COUNT(req->home, other);
	answer(req, VIRTIO_BLK_S_OK, n);
}

/* Blocks as the storage has them: the guest was told. */
static bool in_blocks(const struct request *req)
{
	__u32 block = req->home->disk->blk.block_bytes;

	return !((req->blk.offset | req->blk.bytes) % block);
}

static void start(struct request *req)
{
	switch (req->blk.op) {
	case BLK_READ:
	case BLK_WRITE:
		if (!in_blocks(req))
			refuse(req, VIRTIO_BLK_S_IOERR);
		else
			request__issue(req);
		break;
	case BLK_FLUSH:
		req->blk.bytes = 0;
		flush(req);
		break;
	case BLK_DISCARD:
	case BLK_ZERO:
		wide__start(req);
		break;
	case BLK_ID:
		put_id(req);
	}
}

static void begin(struct served_ring *r, __u64 now, bool bad)
{
	struct data_loop *l = r->loop;
	struct request *req = request__new(r, &l->chain);
	int status = -EBADMSG;

	req->start = now;
	req->blk.status = NULL;
	req->blk.nr_data = 0;
	if (!bad)
		status = blk_request__parse(&l->disk->blk, &l->chain, &req->blk);
	if (status < 0)
		req->blk.status = NULL;
	if (status)
		refuse(req, status < 0 ? VIRTIO_BLK_S_IOERR : status);
	else if (guest_memory__broken(vring__memory(r->ring)) || keep_segs(req))
		refuse(req, VIRTIO_BLK_S_IOERR);
	else
		start(req);
}

/* Parts are at hand for what is popped, or the guest waits. */
bool served_ring__poll(struct served_ring *r)
{
	struct data_loop *l = r->loop;
	const char *reason = "";
	__u64 now = 0;
	int got = 0, n;

	for (n = 0; n < RING_BATCH && !r->dead && r->free && l->free_parts; n++) {
		got = vring__pop(r->ring, &l->chain, &reason);
		/* Its death was told to the control loop, which has a word for the administrator.
		 */
		r->dead = got == -EPROTO;
		if (!got || r->dead)
			break;
		if (!now)
			now = data_loop__clock();
		begin(r, now, got < 0);
	}
	return n > 0;
}
