// SPDX-License-Identifier: GPL-2.0
/*
 * Captures: a frame is about to hold something else, and what it held enters the cache if its bytes
 * are still those of its page. Copy first, check after: the guest runs all the while.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

/* --- pages of other loops' shards --- */

int data_loop__init_stages(struct data_loop *l, struct memory *m)
{
	int err = region__grow(&l->stage_region, m, STAGES * PAGE_BYTES);

	if (err)
		return err;
	l->stages = calloc(STAGES, sizeof(*l->stages));
	if (!l->stages)
		return -ENOMEM;
	for (int i = 0; i < STAGES; i++) {
		struct stage *s = &l->stages[i];

		s->from = l;
		s->data = (char *)l->stage_region.base + i * PAGE_BYTES;
		s->next = l->free_stages;
		l->free_stages = s;
	}
	return 0;
}

static bool is_zero(const char *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE_BYTES - 1);
}

/* copy: what the frame held, NULL if nobody looked. */
static void count_capture(struct data_loop *l, enum capture why, const char *copy)
{
	COUNT(l, capture[why]);
	if (copy && why == CAPTURE_CHANGED && is_zero(copy))
		COUNT(l, zeroed);
}

static void stage_returned(struct loop_msg *m)
{
	struct stage *s = (struct stage *)m;

	s->next = s->from->free_stages;
	s->from->free_stages = s;
}

static void stage_arrived(struct loop_msg *m)
{
	struct stage *s = (struct stage *)m;
	struct shard *shard = s->shard;
	void *slot = s->forget ? NULL : exclusive_cache__slot(shard->cache);
	enum capture why;

	if (slot)
		memcpy(slot, s->data, PAGE_BYTES);
	why = exclusive_cache__capture(shard->cache, s->page, s->frame, slot, &s->digest);
	if (s->forget) {
		free(s);
		return;
	}
	count_capture(shard->owner, why, s->data);
	shard__feel(shard);
	s->msg.fn = stage_returned;
	loop__post(s->from->loop, &s->msg);
}

static void send(struct stage *s, struct shard *shard, __u64 page, __u64 frame)
{
	s->shard = shard;
	s->page = page;
	s->frame = frame;
	s->msg.fn = stage_arrived;
	loop__post(shard->owner->loop, &s->msg);
}

/* What cannot be told for want of memory: the shard believes the page resident until it is read or
 * written again. That is a page too many known, and nothing wrong. */
static void send_forget(struct shard *shard, __u64 page, __u64 frame)
{
	struct stage *s = calloc(1, sizeof(*s));

	if (!s)
		return;
	s->forget = true;
	send(s, shard, page, frame);
}

/* Whether it is on its way. */
static bool capture_afar(struct data_loop *l, struct shard *shard, __u64 page, __u64 frame,
			 const char *at)
{
	struct stage *s = l->free_stages;

	if (!s) {
		count_capture(l, CAPTURE_NO_ROOM, NULL);
		send_forget(shard, page, frame);
		return false;
	}
	l->free_stages = s->next;
	s->digest = page_digest__copy(&l->disk->secret, s->data, at, true);
	send(s, shard, page, frame);
	return true;
}

/* --- pages of its own --- */

static enum capture capture_here(struct data_loop *l, struct shard *shard, __u64 page, __u64 frame,
				 const char *at)
{
	struct exclusive_cache *c = shard->cache;
	enum capture why = exclusive_cache__expects(c, page, frame);
	struct page_digest digest = {};
	void *slot = NULL;

	if (why == CAPTURED) {
		bool warm = exclusive_cache__next_slot_is_warm(c);

		slot = exclusive_cache__slot(c);
		if (slot)
			digest = page_digest__copy(&l->disk->secret, slot, at, warm);
		why = exclusive_cache__capture(c, page, frame, slot, &digest);
	}
	count_capture(l, why, slot);
	return why;
}

bool data_loop__find(struct data_loop *l, struct shard *shard, __u64 page, __u64 frame)
{
	const struct guest_memory *m = vhost_dev__memory(l->disk->dev);
	__u64 gpa = frame * PAGE_BYTES, bytes = PAGE_BYTES;
	_Atomic __u64 *hint = guest_memory__hint(m, gpa);
	const char *at = guest_memory__at(m, gpa, &bytes);

	if (!hint || !at || bytes < PAGE_BYTES ||
	    atomic_load_explicit(hint, memory_order_relaxed) != page + 1)
		return false;
	atomic_store_explicit(hint, 0, memory_order_relaxed);
	return capture_here(l, shard, page, frame, at) == CAPTURED;
}

static void tell(struct data_loop *l, __u64 page, __u64 frame, bool captured)
{
	struct page_event e = {
		.time = l->now,
		.page = page,
		.frame = frame,
		.count = 1,
		.vm = l->disk->id,
		.kind = PAGE_EVICT,
		.space = SPACE_DISK,
		.flags = captured ? 0 : PE_UNCAPTURED,
	};

	data_loop__send_event(l, &e);
}

static void forget(struct data_loop *l, struct shard *shard, __u64 page, __u64 frame)
{
	if (shard->owner == l)
		exclusive_cache__capture(shard->cache, page, frame, NULL, NULL);
	else
		send_forget(shard, page, frame);
	COUNT(l, gone);
}

void data_loop__evict(struct data_loop *l, __u64 gpa, const char *at, __u64 incoming, bool copy)
{
	const struct guest_memory *m = vhost_dev__memory(l->disk->dev);
	_Atomic __u64 *hint = guest_memory__hint(m, gpa);
	__u64 held = hint ? atomic_load_explicit(hint, memory_order_relaxed) : 0;
	__u64 page = held - 1, frame = gpa / PAGE_BYTES;
	bool captured = false;
	struct shard *shard;

	if (!held || page == incoming)
		return;
	atomic_store_explicit(hint, 0, memory_order_relaxed);
	shard = disk__shard(l->disk, page);
	at -= gpa % PAGE_BYTES;
	if (!copy) {
		forget(l, shard, page, frame);
	} else if (shard->owner == l) {
		captured = capture_here(l, shard, page, frame, at) == CAPTURED;
	} else {
		captured = capture_afar(l, shard, page, frame, at);
	}
	tell(l, page, frame, captured);
}
