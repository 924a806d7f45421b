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
				   data_loop__look_at_clock(l) - req->start);
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

void request__advance(const struct request *req, struct seg_pos *pos, __u32 bytes)
{
	while (bytes) {
		const struct vring_seg *s = &req->segs[pos->seg];
		__u32 n = s->bytes - pos->off < bytes ? s->bytes - pos->off : bytes;

		bytes -= n;
		pos->off += n;
		if (pos->off == s->bytes) {
			pos->off = 0;
			pos->seg++;
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
	request__advance(req, &req->pos, p->bytes);
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

static void flush(struct request *req);

/* A part is free again, for the one that has waited longest. */
static void feed(struct data_loop *l)
{
	struct request *req = l->starved;

	l->starved = req->next;
	if (!l->starved)
		l->starved_last = &l->starved;
	req->starved = false;
	if (req->blk.op == BLK_FLUSH)
		flush(req);
	else
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
	home->nr_free_parts++;
	/* Whoever issues it goes on. */
	if (req->issuing)
		return;
	if (!req->starved)
		request__issue(req);
	/* All that can be: nobody may come back after this one. */
	while (home->starved && home->free_parts)
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
		starve(req);
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

/* What is asked for, and what is wrong with it. */
static void read_chain(struct request *req, struct vring_chain *chain)
{
	struct data_loop *l = req->home;
	int status = blk_request__parse(&l->disk->blk, chain, &req->blk);

	if (status < 0)
		req->blk.status = NULL;
	if (!status && (guest_memory__broken(vring__memory(req->ring->ring)) || keep_segs(req)))
		status = VIRTIO_BLK_S_IOERR;
	req->status = status < 0 ? VIRTIO_BLK_S_IOERR : status;
}

/* Its header was written by another CPU: it will be here when the next chain was popped. */
static struct request *accept_chain(struct served_ring *r, const struct vring_chain *chain,
				    bool bad)
{
	struct request *req = request__new(r, chain);

	req->start = r->loop->now;
	req->blk.status = NULL;
	req->blk.nr_data = 0;
	req->status = bad ? VIRTIO_BLK_S_IOERR : 0;
	if (!bad)
		__builtin_prefetch(chain->seg[0].base);
	return req;
}

static void read_last(struct data_loop *l, struct request **batch, unsigned n)
{
	if (n && !batch[n - 1]->status)
		read_chain(batch[n - 1], &l->chain[(n - 1) % 2]);
}

/* There is a part for each that is popped, or the guest waits. */
static unsigned accept_batch(struct served_ring *r, struct request **batch)
{
	struct data_loop *l = r->loop;
	unsigned n = 0, most = l->starved ? 0 : l->nr_free_parts;
	const char *reason = "";

	while (n < RING_BATCH && n < most && !r->dead && r->free) {
		struct vring_chain *chain = &l->chain[n % 2];
		int got = vring__pop(r->ring, chain, &reason);

		/* Its death was told to the control loop, which has a word for the administrator.
		 */
		r->dead = got == -EPROTO;
		if (!got || r->dead)
			break;
		if (!n)
			data_loop__look_at_clock(l);
		read_last(l, batch, n);
		batch[n++] = accept_chain(r, chain, got < 0);
	}
	read_last(l, batch, n);
	return n;
}

bool served_ring__poll(struct served_ring *r)
{
	struct request *batch[RING_BATCH];
	unsigned n = accept_batch(r, batch), pages[RING_BATCH];
	struct ahead ahead;

	ahead.pages = ahead.looked = ahead.fetched = 0;
	for (unsigned i = 0; i < n; i++) {
		pages[i] = ahead.pages;
		if (!batch[i]->status)
			ahead__add(&ahead, batch[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		ahead__go(&ahead, r->loop, pages[i]);
		if (batch[i]->status)
			refuse(batch[i], batch[i]->status);
		else
			start(batch[i]);
	}
	return n;
}
