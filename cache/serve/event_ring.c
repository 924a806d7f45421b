// SPDX-License-Identifier: GPL-2.0
#include <stdatomic.h>
#include <stdlib.h>

#include "event_ring.h"

/* Rings taken from at once. */
#define MAX_RINGS 64
#define BATCH 256

struct event_ring {
	_Alignas(64) _Atomic __u64 head; /* written so far, */
	__u64 tail_seen;		 /* and how far the writer knows it was read */
	_Atomic __u64 dropped;
	_Alignas(64) _Atomic __u64 tail; /* read so far */
	_Alignas(64) struct page_event event[EVENT_RING];
};

struct event_ring *event_ring__new(void)
{
	struct event_ring *r = aligned_alloc(64, sizeof(*r));

	if (!r)
		return NULL;
	atomic_init(&r->head, 0);
	atomic_init(&r->dropped, 0);
	atomic_init(&r->tail, 0);
	r->tail_seen = 0;
	return r;
}

void event_ring__free(struct event_ring *r)
{
	free(r);
}

void event_ring__put(struct event_ring *r, const struct page_event *e)
{
	__u64 head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head - r->tail_seen == EVENT_RING)
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
	if (head - r->tail_seen == EVENT_RING) {
		atomic_store_explicit(&r->dropped, event_ring__dropped(r) + 1,
				      memory_order_relaxed);
		return;
	}
	r->event[head % EVENT_RING] = *e;
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

int event_ring__urgent(const struct event_ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) -
		       atomic_load_explicit(&r->tail, memory_order_relaxed) >
	       EVENT_RING / 2;
}

__u64 event_ring__sent(const struct event_ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed);
}

__u64 event_ring__dropped(const struct event_ring *r)
{
	return atomic_load_explicit(&r->dropped, memory_order_relaxed);
}

/* The ring with the oldest event at hand; n: none has any. */
static size_t oldest(struct event_ring *const *rings, const __u64 *at, const __u64 *end, size_t n)
{
	size_t best = n;
	__u64 time = 0;

	for (size_t i = 0; i < n; i++) {
		__u64 t = at[i] < end[i] ? rings[i]->event[at[i] % EVENT_RING].time : 0;

		if (at[i] < end[i] && (best == n || t < time)) {
			best = i;
			time = t;
		}
	}
	return best;
}

void event_rings__take(struct event_ring *const *rings, size_t n, event_ring_fn fn, void *ctx)
{
	__u64 at[MAX_RINGS] = {}, end[MAX_RINGS] = {};
	struct page_event batch[BATCH];
	size_t i, held = 0;

	if (n > MAX_RINGS)
		n = MAX_RINGS;
	for (i = 0; i < n; i++) {
		at[i] = atomic_load_explicit(&rings[i]->tail, memory_order_relaxed);
		end[i] = atomic_load_explicit(&rings[i]->head, memory_order_acquire);
	}
	while ((i = oldest(rings, at, end, n)) < n) {
		batch[held++] = rings[i]->event[at[i]++ % EVENT_RING];
		if (held == BATCH) {
			fn(ctx, batch, held);
			held = 0;
		}
	}
	if (held)
		fn(ctx, batch, held);
	for (i = 0; i < n; i++)
		atomic_store_explicit(&rings[i]->tail, end[i], memory_order_release);
}
