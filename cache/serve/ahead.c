// SPDX-License-Identifier: GPL-2.0
/*
 * What is known of a page lies all over memory, and so do pages: one after the other, most of a
 * hit's time is waiting for them. So what a batch of requests is going to look at is asked for
 * before, in steps, as each tells where the next one has to look:
 *
 *	add	the page's cell in the cache, the hint of the frame it goes to
 *	look	the page's slot, the cell of what the frame holds
 *	fetch	that one's digest, the frame
 *
 * All pages are added first. The other steps are a few pages ahead of what is done: what is asked
 * for much earlier has left the CPU's first-level cache again.
 */
#include <stdatomic.h>

#include "../minmax.h"
#include "disk.h"

/* Pages between two steps. */
#define STEP 2

static void add_page(struct ahead *a, struct data_loop *l, __u64 page, __u64 gpa, char *at)
{
	struct shard *s = disk__shard(l->disk, page);
	struct ahead_page *p = &a->page[a->pages++];

	*p = (struct ahead_page){.page = page, .at = at};
	p->hint = guest_memory__hint(vhost_dev__memory(l->disk->dev), gpa);
	if (p->hint)
		__builtin_prefetch((const void *)p->hint);
	p->cache = s->owner == l ? s->cache : NULL;
	if (p->cache)
		exclusive_cache__prefetch(p->cache, page);
}

/* Of whole pages in whole frames, as far as there is room. */
void ahead__add(struct ahead *a, const struct request *req)
{
	__u64 page = req->blk.offset / PAGE_BYTES;

	if (req->blk.op != BLK_READ || req->blk.offset % PAGE_BYTES)
		return;
	for (unsigned i = 0; i < req->blk.nr_data; i++) {
		const struct vring_seg *s = &req->segs[i];

		if ((s->gpa | s->bytes) % PAGE_BYTES)
			return;
		for (__u32 off = 0; off < s->bytes; off += PAGE_BYTES) {
			if (a->pages == AHEAD_PAGES)
				return;
			add_page(a, req->home, page++, s->gpa + off, s->base + off);
		}
	}
}

static void look(struct ahead_page *p, struct data_loop *l)
{
	__u64 held = p->hint ? atomic_load_explicit(p->hint, memory_order_relaxed) : 0;
	struct shard *s = held ? disk__shard(l->disk, held - 1) : NULL;

	if (p->cache)
		exclusive_cache__prefetch_more(p->cache, p->page);
	p->captured = held;
	p->held = held - 1;
	p->held_by = s && s->owner == l ? s->cache : NULL;
	if (p->held_by)
		exclusive_cache__prefetch(p->held_by, p->held);
}

static void fetch(const struct ahead_page *p)
{
	if (p->held_by)
		exclusive_cache__prefetch_more(p->held_by, p->held);
	if (p->captured)
		page_digest__prefetch(p->at);
}

void ahead__go(struct ahead *a, struct data_loop *l, unsigned pages)
{
	unsigned fetched = smaller(pages + STEP, a->pages),
		 looked = smaller(fetched + STEP, a->pages);

	for (; a->looked < looked; a->looked++)
		look(&a->page[a->looked], l);
	for (; a->fetched < fetched; a->fetched++)
		fetch(&a->page[a->fetched]);
}
