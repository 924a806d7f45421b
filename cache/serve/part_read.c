// SPDX-License-Identifier: GPL-2.0
/* Reads: hits from the cache, the rest from storage. */
#include <stdatomic.h>
#include <string.h>

#include "disk.h"

static bool chosen_for_audit(struct data_loop *l)
{
	__u64 one_in = server__audit(l->disk->server);

	if (!one_in || --l->audit_left)
		return false;
	l->audit_left = one_in;
	return true;
}

/* A guest that drops a page and wants it back before its frame was used for anything else: nobody
 * could see that eviction, but the page's bytes are there. Told to the miss curve it is as unseen
 * as before: how long it was gone is not known. */
static void *find_in_guest(struct part *p, unsigned i, __u64 frame)
{
	__u64 page = p->page + i;

	if (frame == PE_FRAME_NONE || !data_loop__find(p->at, p->shard, page, frame))
		return NULL;
	COUNT(p->at, found);
	return exclusive_cache__take(p->shard->cache, page, &p->op[i].digest, &frame);
}

static void look_up(struct part *p, unsigned i)
{
	struct page_op *op = &p->op[i];
	struct exclusive_cache *c = p->shard->cache;
	__u64 frame;

	if (!op->at) {
		COUNT(p->at, bypassed);
		op->missing = true;
		return;
	}
	op->slot = exclusive_cache__take(c, p->page + i, &op->digest, &frame);
	if (!op->slot)
		op->slot = find_in_guest(p, i, frame);
	if (!op->slot)
		COUNT(p->at, misses);
	else
		COUNT(p->at, hits);
	op->missing = !op->slot || chosen_for_audit(p->at);
	if (op->missing)
		op->token = exclusive_cache__read_begin(c, p->page + i);
}

/* What each frame held that some of these bytes go to is evicted now. */
static void evict_bytes(struct part *p, const struct vring_seg *s, __u32 off, __u32 bytes)
{
	for (__u64 a = s->gpa + off, end = a + bytes; a < end;
	     a = (a / PAGE_BYTES + 1) * PAGE_BYTES)
		data_loop__evict(p->at, a, s->base + (a - s->gpa), ~0ULL, true);
}

/* What the frames of a page held. */
static void evict_frames(struct part *p, unsigned i)
{
	const struct page_op *op = &p->op[i];
	struct seg_pos pos = p->pos;
	__u64 offset;
	__u32 bytes;

	if (op->at) {
		data_loop__evict(p->at, op->frame * PAGE_BYTES, op->at, p->page + i, true);
		return;
	}
	part__span(p, i, &offset, &bytes);
	request__advance(p->req, &pos, offset - p->offset);
	for (; bytes; pos.seg++, pos.off = 0) {
		const struct vring_seg *s = &p->req->segs[pos.seg];
		__u32 n = s->bytes - pos.off < bytes ? s->bytes - pos.off : bytes;

		evict_bytes(p, s, pos.off, n);
		bytes -= n;
	}
}

static void remember(const struct page_op *op, __u64 page)
{
	if (op->hint)
		atomic_store_explicit(op->hint, page + 1, memory_order_relaxed);
}

static void serve_hit(struct part *p, unsigned i)
{
	struct page_op *op = &p->op[i];

	memcpy(op->at, op->slot, PAGE_BYTES);
	exclusive_cache__release_slot(p->shard->cache, op->slot);
	exclusive_cache__hit_end(p->shard->cache, p->page + i, op->frame, &op->digest);
	remember(op, p->page + i);
}

/* --- misses --- */

static unsigned first_missing(const struct part *p, unsigned from)
{
	while (from < p->pages && !p->op[from].missing)
		from++;
	return from;
}

static void read_missing(struct part *p)
{
	unsigned first = first_missing(p, 0), last = p->pages, end;

	while (!p->op[last - 1].missing)
		last--;
	if (!part__get_bounce(p, first, last - first, read_missing))
		return;
	for (; first < last; first = first_missing(p, end)) {
		for (end = first; end < last && p->op[end].missing; end++)
			;
		part__start_io(p, STORAGE_READ, first, end - first);
	}
}

/* All take()s before the first eviction: it must not push out what this very request reads. */
void part__read(struct part *p)
{
	bool missing = false;

	part__lay_out(p);
	for (unsigned i = 0; i < p->pages; i++) {
		look_up(p, i);
		missing |= p->op[i].missing;
		p->missed |= p->op[i].missing && !p->op[i].slot;
	}
	for (unsigned i = 0; i < p->pages; i++) {
		evict_frames(p, i);
		part__event(p, PAGE_FILL, i);
		if (!p->op[i].missing)
			serve_hit(p, i);
	}
	shard__feel(p->shard);
	if (missing)
		read_missing(p);
	else
		part__done(p);
}

/* Both were private all the time, and nobody wrote to the page (overlapped): what differs was
 * wrong. */
static void audit(struct part *p, unsigned i, const char *bytes, bool overlapped)
{
	struct page_op *op = &p->op[i];

	COUNT(p->at, audited);
	if (overlapped) {
		COUNT(p->at, audit_overlapped);
	} else if (!p->err && memcmp(op->slot, bytes, PAGE_BYTES)) {
		COUNT(p->at, audit_failed);
		disk__clear(p->at->disk);
		disk__log(p->at->disk,
			  "audit: page %llu in the cache is not what storage holds; it was served "
			  "from storage, and the disk's cache is dropped",
			  p->page + i);
	}
	exclusive_cache__release_slot(p->shard->cache, op->slot);
}

static void fill(struct part *p, unsigned i)
{
	struct page_op *op = &p->op[i];
	char *at = p->bounce + (i - p->bounce_first) * PAGE_BYTES;
	const struct page_digest *digest = NULL;
	bool known = false;
	__u64 offset;
	__u32 bytes;

	part__span(p, i, &offset, &bytes);
	if (!p->err && op->at)
		memcpy(op->at, at, PAGE_BYTES);
	else if (!p->err)
		part__copy(p, offset, at + offset % PAGE_BYTES, bytes, true);
	if (op->token && !p->err) {
		op->digest = page_digest__of(&p->at->disk->secret, at);
		digest = &op->digest;
		remember(op, p->page + i);
	}
	if (op->token)
		known = exclusive_cache__read_end(p->shard->cache, p->page + i, op->token,
						  op->frame, digest);
	if (op->slot)
		audit(p, i, at, !known);
}

void part__read_done(struct part *p)
{
	for (unsigned i = 0; i < p->pages; i++)
		if (p->op[i].missing)
			fill(p, i);
	part__done(p);
}
