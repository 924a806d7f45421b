// SPDX-License-Identifier: GPL-2.0
/* Frames that the VMM gave up (balloon, free page reporting): what they held is gone. */
#include <stdatomic.h>
#include <stdlib.h>

#include "disk.h"

#define BATCH 128
/* Frames looked at for one word of the VMM: more would take all others' time. What they are thought
 * to hold is found out when they are filled again. */
#define MAX_FRAMES (1ULL << 24)

/* Pages of one shard that are not resident any more. */
struct gone_order {
	struct loop_msg msg;
	struct shard *shard;
	unsigned n, room;
	struct {
		__u64 page, frame;
	} gone[];
};

static void forget(struct loop_msg *m)
{
	struct gone_order *o = (struct gone_order *)m;

	for (unsigned i = 0; i < o->n; i++)
		exclusive_cache__capture(o->shard->cache, o->gone[i].page, o->gone[i].frame, NULL,
					 NULL);
	free(o);
}

static void send(struct gone_order **order)
{
	if (!*order)
		return;
	(*order)->msg.fn = forget;
	shard__post((*order)->shard, &(*order)->msg);
	*order = NULL;
}

/* For `left` pages at most. NULL: no memory. */
static struct gone_order *new_order(struct shard *s, __u64 left)
{
	unsigned room = left < BATCH ? left : BATCH;
	struct gone_order *o = malloc(sizeof(*o) + room * sizeof(o->gone[0]));

	if (o)
		*o = (struct gone_order){.shard = s, .room = room};
	return o;
}

/* A page that the shard does not hear of for want of memory counts as resident until it is asked
 * for. */
static void put(struct gone_order **orders, struct shard *s, __u64 page, __u64 frame, __u64 left)
{
	struct gone_order **at = &orders[s->index], *o = *at ? *at : new_order(s, left);

	*at = o;
	if (!o)
		return;
	o->gone[o->n].page = page;
	o->gone[o->n].frame = frame;
	if (++o->n == o->room)
		send(at);
}

static void tell(struct disk *d, __u64 page, __u64 frame)
{
	struct page_event e = {
		.time = data_loop__clock(),
		.page = page,
		.frame = frame,
		.count = 1,
		.vm = d->id,
		.kind = PAGE_EVICT,
		.space = SPACE_DISK,
		.flags = PE_UNCAPTURED,
	};

	server__events(d->server, &e, 1);
}

static void give_up(struct disk *d, struct gone_order **orders, _Atomic __u64 *hint, __u64 frame,
		    __u64 left)
{
	__u64 held = atomic_load_explicit(hint, memory_order_relaxed);

	if (!held)
		return;
	atomic_store_explicit(hint, 0, memory_order_relaxed);
	d->gone.gone++;
	tell(d, held - 1, frame);
	put(orders, disk__shard(d, held - 1), held - 1, frame, left);
}

/* So many frames of the region at most. How many it were. */
static __u64 give_up_region(struct disk *d, const struct guest_region *r, __u64 hva, __u64 end,
			    __u64 most)
{
	struct gone_order *orders[MAX_SHARDS] = {};
	__u64 from = (hva > r->hva ? hva - r->hva : 0) / PAGE_BYTES;
	__u64 to = (end < r->hva + r->bytes ? end - r->hva : r->bytes) / PAGE_BYTES;

	if (to > from + most)
		to = from + most;
	for (__u64 i = from; i < to; i++)
		give_up(d, orders, &r->hint[i], r->gpa / PAGE_BYTES + i, to - i);
	for (unsigned i = 0; i < d->nr_shards; i++)
		send(&orders[i]);
	return to - from;
}

void disk__unmapped(struct disk *d, __u64 hva, __u64 end)
{
	const struct guest_memory *m = vhost_dev__memory(d->dev);
	__u64 left = MAX_FRAMES;

	/* The events of what was served before come first. */
	server__drain_events(d->server);
	for (unsigned i = 0; i < m->nr; i++) {
		const struct guest_region *r = &m->region[i];

		if (hva < r->hva + r->bytes && r->hva < end)
			left -= give_up_region(d, r, hva, end, left);
	}
}
