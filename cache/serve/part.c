// SPDX-License-Identifier: GPL-2.0
/* Parts of requests: where they are carried out, and what reads and writes have in common. */
#include <stdatomic.h>
#include <string.h>

#include "disk.h"

struct part *part__new(struct data_loop *home)
{
	struct part *p = home->free_parts;

	if (!p)
		return NULL;
	home->free_parts = p->next;
	home->nr_free_parts--;
	p->err = 0;
	p->ios = 0;
	p->missed = false;
	p->bounce = NULL;
	return p;
}

static void arrived(struct loop_msg *m)
{
	struct part *p = (struct part *)m;

	data_loop__look_at_clock(p->at);
	p->go(p);
}

void part__route(struct part *p)
{
	struct data_loop *home = p->req->home;

	p->shard = disk__shard(home->disk, p->page);
	p->at = p->shard->owner;
	if (p->at == home) {
		p->go(p);
		return;
	}
	p->msg.fn = arrived;
	loop__post(p->at->loop, &p->msg);
}

static void back_home(struct loop_msg *m)
{
	struct part *p = (struct part *)m;

	request__part_done(p->req, p);
}

void part__done(struct part *p)
{
	struct data_loop *at = p->at, *home = p->req->home;

	if (p->bounce) {
		bounce__give(&at->bounce, p->bounce, p->bounce_pages);
		p->bounce = NULL;
	}
	if (at == home) {
		request__part_done(p->req, p);
	} else {
		p->msg.fn = back_home;
		loop__post(home->loop, &p->msg);
	}
}

/* --- bounce buffers --- */

static void leave_queue(struct part *p)
{
	struct data_loop *l = p->at;

	l->bounce_first = p->next;
	if (!p->next)
		l->bounce_last = &l->bounce_first;
}

static void join_queue(struct part *p)
{
	struct data_loop *l = p->at;

	COUNT(l, busy);
	p->next = NULL;
	*l->bounce_last = p;
	l->bounce_last = &p->next;
}

/* In turn: a long one is not to be overtaken for ever. */
bool part__get_bounce(struct part *p, unsigned first, unsigned pages,
		      void (*resume)(struct part *p))
{
	struct part *turn = p->at->bounce_first;

	if (!turn || turn == p)
		p->bounce = bounce__take(&p->at->bounce, pages);
	if (p->bounce) {
		p->bounce_first = first;
		p->bounce_pages = pages;
		if (turn)
			leave_queue(p);
		return true;
	}
	p->go = resume;
	if (turn != p)
		join_queue(p);
	return false;
}

void data_loop__retry(struct data_loop *l)
{
	struct part *p;

	while ((p = l->bounce_first)) {
		p->go(p);
		if (l->bounce_first == p)
			break;
	}
}

/* --- places --- */

void part__span(const struct part *p, unsigned i, __u64 *offset, __u32 *bytes)
{
	__u64 from = (p->page + i) * PAGE_BYTES, to = from + PAGE_BYTES;

	if (from < p->offset)
		from = p->offset;
	if (to > p->offset + p->bytes)
		to = p->offset + p->bytes;
	*offset = from;
	*bytes = to - from;
}

/* A whole page of the disk in a whole frame of the guest? */
static void place(const struct part *p, struct page_op *op, const struct seg_pos *pos)
{
	const struct vring_seg *s = &p->req->segs[pos->seg];
	__u64 gpa = s->gpa + pos->off;

	op->at = NULL;
	op->frame = PE_FRAME_NONE;
	op->hint = NULL;
	if (!op->whole || gpa % PAGE_BYTES || s->bytes - pos->off < PAGE_BYTES)
		return;
	op->at = s->base + pos->off;
	op->frame = gpa / PAGE_BYTES;
	op->hint = guest_memory__hint(vring__memory(p->req->ring->ring), gpa);
}

void part__lay_out(struct part *p)
{
	struct seg_pos pos = p->pos;

	for (unsigned i = 0; i < p->pages; i++) {
		struct page_op *op = &p->op[i];
		__u64 offset;
		__u32 bytes;

		part__span(p, i, &offset, &bytes);
		op->whole = bytes == PAGE_BYTES;
		op->slot = NULL;
		op->token = 0;
		op->missing = false;
		place(p, op, &pos);
		request__advance(p->req, &pos, bytes);
	}
}

void part__copy(const struct part *p, __u64 offset, char *buf, __u32 bytes, bool to_guest)
{
	struct seg_pos pos = p->pos;

	request__advance(p->req, &pos, offset - p->offset);
	while (bytes) {
		const struct vring_seg *s = &p->req->segs[pos.seg];
		__u32 n = s->bytes - pos.off < bytes ? s->bytes - pos.off : bytes;

		if (to_guest)
			memcpy(s->base + pos.off, buf, n);
		else
			memcpy(buf, s->base + pos.off, n);
		buf += n;
		bytes -= n;
		pos.off = 0;
		pos.seg++;
	}
}

/* --- storage --- */

static void io_done(struct storage_io *io, int err)
{
	struct part *p = ((struct part_io *)io)->part;

	if (err)
		p->err = err;
	if (--p->ios)
		return;
	if (io->op == STORAGE_READ)
		part__read_done(p);
	else
		part__write_done(p);
}

static void count_io(struct part *p, enum storage_op op, __u64 bytes)
{
	if (op == STORAGE_READ) {
		COUNT(p->at, storage_reads);
		COUNT_N(p->at, storage_read_bytes, bytes);
	} else {
		COUNT(p->at, storage_writes);
		COUNT_N(p->at, storage_written_bytes, bytes);
	}
}

/* For `pages` of its pages from `first` on, which are in the bounce buffer. */
void part__start_io(struct part *p, enum storage_op op, unsigned first, unsigned pages)
{
	struct part_io *io = &p->io[p->ios++];
	__u64 from, to;
	__u32 bytes;

	part__span(p, first + pages - 1, &to, &bytes);
	to += bytes;
	part__span(p, first, &from, &bytes);
	*io = (struct part_io){
		{.op = op,
		 .offset = from,
		 .bytes = to - from,
		 .buffer = p->bounce + (first - p->bounce_first) * PAGE_BYTES + from % PAGE_BYTES,
		 .done = io_done},
		p};
	count_io(p, op, to - from);
	storage_queue__add(p->at->io, &io->io);
	p->at->to_submit = true;
}

void part__event(struct part *p, enum page_event_kind kind, unsigned i)
{
	const struct page_op *op = &p->op[i];
	struct page_event e = {
		.time = p->at->now,
		.page = p->page + i,
		.frame = op->frame,
		.count = 1,
		.vm = p->at->disk->id,
		.kind = kind,
		.space = SPACE_DISK,
		.flags = op->whole ? 0 : PE_PARTIAL,
	};

	data_loop__send_event(p->at, &e);
}
