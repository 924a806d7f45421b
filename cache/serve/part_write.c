// SPDX-License-Identifier: GPL-2.0
/* Writes: through to storage, from a copy that the guest cannot change any more. */
#include <errno.h>
#include <stdatomic.h>

#include "disk.h"

static void begin_page(struct part *p, unsigned i)
{
	struct exclusive_cache *c = p->shard->cache;
	struct page_op *op = &p->op[i];

	if (exclusive_cache__is_cached(c, p->page + i))
		COUNT(p->at, invalidated);
	op->token = exclusive_cache__write_begin(c, p->page + i);
	if (op->at)
		data_loop__evict(p->at, op->frame * PAGE_BYTES, op->at, p->page + i, false);
	part__event(p, PAGE_WRITEBACK, i);
}

void part__write(struct part *p)
{
	if (!part__get_bounce(p, 0, p->pages, part__write))
		return;
	part__lay_out(p);
	part__copy(p, p->offset, p->bounce + p->offset % PAGE_BYTES, p->bytes, false);
	/* Zeroes may have been copied in the place of data that the front end took away. */
	if (guest_memory__broken(vring__memory(p->req->ring->ring))) {
		p->err = -EIO;
		part__done(p);
		return;
	}
	for (unsigned i = 0; i < p->pages; i++)
		begin_page(p, i);
	part__start_io(p, STORAGE_WRITE, 0, p->pages);
}

static void end_page(struct part *p, unsigned i)
{
	struct page_op *op = &p->op[i];
	const struct page_digest *digest = NULL;

	if (!p->err && op->at && op->token) {
		op->digest = page_digest__of(&p->at->disk->secret, p->bounce + i * PAGE_BYTES);
		digest = &op->digest;
		if (op->hint)
			atomic_store_explicit(op->hint, p->page + i + 1, memory_order_relaxed);
	}
	exclusive_cache__write_end(p->shard->cache, p->page + i, op->token, op->frame, digest);
}

void part__write_done(struct part *p)
{
	for (unsigned i = 0; i < p->pages; i++)
		end_page(p, i);
	part__done(p);
}
