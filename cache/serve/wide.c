// SPDX-License-Identifier: GPL-2.0
/*
 * Discards and write-zeroes: ranges of any length, which all shards have pages of. The pages leave
 * all caches before storage is told, and what came in meanwhile leaves after.
 */
#include "disk.h"

static struct wide *wide_of(struct shard_call *c)
{
	struct shard *s = c->shard;

	return (struct wide *)((char *)(c - s->index) - __builtin_offsetof(struct wide, call));
}

static void begin(struct data_loop *l, struct request *req);

static void next(struct data_loop *l)
{
	struct request *req = l->wide.first;

	l->wide.req = NULL;
	if (!req)
		return;
	l->wide.first = req->next;
	if (!req->next)
		l->wide.last = &l->wide.first;
	begin(l, req);
}

static void finish(struct data_loop *l)
{
	request__finish(l->wide.req);
	next(l);
}

/* --- the caches --- */

static void drop_pages(struct shard_call *c)
{
	const struct blk_request *b = &wide_of(c)->req->blk;
	__u64 n = 0;

	for (unsigned i = 0; i < b->nr_ranges; i++) {
		__u64 first = b->range[i].offset / PAGE_BYTES;
		__u64 end = (b->range[i].offset + b->range[i].bytes + PAGE_BYTES - 1) / PAGE_BYTES;

		n += exclusive_cache__invalidate(c->shard->cache, first, end - first);
	}
	COUNT_N(c->shard->owner, invalidated, n);
}

static void issue(struct data_loop *l);

static void dropped(struct shard_call *c)
{
	struct wide *w = wide_of(c);
	struct data_loop *l = w->req->home;

	if (--w->left)
		return;
	if (w->after)
		finish(l);
	else
		issue(l);
}

static void drop_everywhere(struct data_loop *l)
{
	struct wide *w = &l->wide;

	w->left = l->disk->nr_shards;
	for (unsigned i = 0; i < l->disk->nr_shards; i++) {
		w->call[i] = (struct shard_call){
			.shard = &l->disk->shard[i],
			.back = l->loop,
			.run = drop_pages,
			.done = dropped,
		};
		shard_call__post(&w->call[i]);
	}
}

/* --- storage --- */

static void range_done(struct storage_io *io, int err)
{
	struct wide *w = (struct wide *)((char *)io - __builtin_offsetof(struct wide, io));
	struct data_loop *l = w->req->home;

	if (err)
		w->req->err = err;
	w->range++;
	issue(l);
}

static void tell(struct data_loop *l, const struct blk_range *r)
{
	__u64 first = (r->offset + PAGE_BYTES - 1) / PAGE_BYTES;
	__u64 end = (r->offset + r->bytes) / PAGE_BYTES;
	struct page_event e = {
		.time = l->now,
		.page = first,
		.frame = PE_FRAME_NONE,
		.count = end - first,
		.vm = l->disk->id,
		.kind = PAGE_DISCARD,
		.space = SPACE_DISK,
	};

	if (first < end)
		data_loop__send_event(l, &e);
}

/* One range after the other. */
static void issue(struct data_loop *l)
{
	struct wide *w = &l->wide;
	const struct blk_request *b = &w->req->blk;
	const struct blk_range *r = &b->range[w->range];

	if (w->range == b->nr_ranges || w->req->err) {
		w->after = true;
		drop_everywhere(l);
		return;
	}
	data_loop__look_at_clock(l);
	tell(l, r);
	w->io = (struct storage_io){
		.op = b->op == BLK_DISCARD ? STORAGE_DISCARD : STORAGE_ZERO,
		.unmap = r->unmap,
		.offset = r->offset,
		.bytes = r->bytes,
		.done = range_done,
	};
	storage_queue__add(l->io, &w->io);
	l->to_submit = true;
}

/* --- turns --- */

static void begin(struct data_loop *l, struct request *req)
{
	l->wide.req = req;
	l->wide.range = 0;
	l->wide.after = false;
	drop_everywhere(l);
}

void wide__start(struct request *req)
{
	struct data_loop *l = req->home;

	if (!l->wide.req) {
		begin(l, req);
		return;
	}
	req->next = NULL;
	*l->wide.last = req;
	l->wide.last = &req->next;
}

void wide__init(struct data_loop *l)
{
	l->wide.last = &l->wide.first;
}
