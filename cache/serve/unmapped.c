// SPDX-License-Identifier: GPL-2.0
/* Frames that the VMM gave up (balloon, free page reporting): what they held is gone. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "disk.h"

#define BATCH 128

/* Pages of one shard that are not resident any more. */
struct gone_order {
	struct loop_msg msg;
	struct shard *shard;
	unsigned n;
	struct {
		__u64 page, frame;
	} gone[BATCH];
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

static int put(struct gone_order **orders, struct shard *s, __u64 page, __u64 frame)
{
	struct gone_order **o = &orders[s->index];

	if (!*o)
		*o = calloc(1, sizeof(**o));
	if (!*o)
		return -ENOMEM;
	(*o)->shard = s;
	(*o)->gone[(*o)->n].page = page;
	(*o)->gone[(*o)->n].frame = frame;
	if (++(*o)->n == BATCH)
		send(o);
	return 0;
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

static int give_up(struct disk *d, struct gone_order **orders, _Atomic __u64 *hint, __u64 frame)
{
	__u64 held = atomic_load_explicit(hint, memory_order_relaxed);

	if (!held)
		return 0;
	atomic_store_explicit(hint, 0, memory_order_relaxed);
	d->gone.gone++;
	tell(d, held - 1, frame);
	return put(orders, disk__shard(d, held - 1), held - 1, frame);
}

static int give_up_region(struct disk *d, const struct guest_region *r, __u64 hva, __u64 end)
{
	struct gone_order *orders[MAX_SHARDS] = {};
	__u64 from = hva > r->hva ? hva - r->hva : 0;
	__u64 to = end < r->hva + r->bytes ? end - r->hva : r->bytes;
	int err = 0;

	for (__u64 i = from / PAGE_BYTES; i < to / PAGE_BYTES && !err; i++)
		err = give_up(d, orders, &r->hint[i], r->gpa / PAGE_BYTES + i);
	for (unsigned i = 0; i < d->nr_shards; i++)
		send(&orders[i]);
	return err;
}

int disk__unmapped(struct disk *d, __u64 hva, __u64 end)
{
	const struct guest_memory *m = vhost_dev__memory(d->dev);
	int err = 0;

	/* The events of what was served before come first. */
	server__drain_events(d->server);
	for (unsigned i = 0; i < m->nr && !err; i++) {
		const struct guest_region *r = &m->region[i];

		if (hva < r->hva + r->bytes && r->hva < end)
			err = give_up_region(d, r, hva, end);
	}
	return err;
}
