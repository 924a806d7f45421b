// SPDX-License-Identifier: GPL-2.0
/* The frame map from userspace: entries of ended VMs, and a lower sampling rate. */
#include "tracer_internal.h"

#define MIN_BUCKETS 1024

void tracer__forget_frames(struct tracer *t, __u32 vm)
{
	for (size_t i = 0; i < t->nr_buckets; i++) {
		for (int j = 0; j < HV_FRAME_WAY; j++) {
			struct hv_frame_slot *slot = &t->frames[i].slot[j];

			if ((slot->key & ~HV_KEY_SPILLED) >> 48 == vm)
				__atomic_store_n(&slot->page, 0, __ATOMIC_RELAXED);
		}
	}
}

static bool still_sampled(const struct hv_frame_slot *slot, __u64 threshold)
{
	if (slot->key & HV_KEY_MEM)
		return pe_lot(slot->key & HV_FRAME_MASK & ~HV_KEY_MEM, SPACE_MEM) <= threshold;
	return pe_lot(slot->page - 1, SPACE_DISK) <= threshold;
}

/* Into the slot that the frame has here already, if it has one. A program that was
 * faster has put a newer page there: that one stays. */
static bool bucket__put(struct hv_frame_bucket *b, __u64 key, __u64 page)
{
	for (int j = 0; j < HV_FRAME_WAY; j++) {
		__u64 empty = 0;

		if ((b->slot[j].key & ~HV_KEY_SPILLED) != key)
			continue;
		__atomic_compare_exchange_n(&b->slot[j].page, &empty, page, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED);
		return true;
	}
	return false;
}

static bool bucket__insert(struct hv_frame_bucket *b, __u64 key, __u64 page)
{
	for (int j = 0; j < HV_FRAME_WAY; j++) {
		__u64 was = b->slot[j].key, now = key | (was & HV_KEY_SPILLED);

		if (b->slot[j].page ||
		    !__atomic_compare_exchange_n(&b->slot[j].key, &was, now, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			continue;
		__atomic_store_n(&b->slot[j].page, page, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

/* Bring an entry to where a map of so many buckets looks for it. */
static void move_entry(struct tracer *t, struct hv_frame_slot *slot, size_t at, __u64 buckets)
{
	__u64 key = slot->key & ~HV_KEY_SPILLED, page = slot->page;
	__u64 first = hv_first_bucket(key, buckets), second = hv_second_bucket(key, buckets);
	struct hv_frame_bucket *a = &t->frames[first], *b = &t->frames[second];

	if (first == at)
		return;
	if (second == at) {
		__atomic_fetch_or(&a->slot[0].key, HV_KEY_SPILLED, __ATOMIC_ACQ_REL);
		return;
	}
	slot->page = 0;
	slot->key &= HV_KEY_SPILLED;
	if (bucket__put(a, key, page))
		return;
	if (!bucket__put(b, key, page)) {
		if (bucket__insert(a, key, page))
			return;
		if (!bucket__insert(b, key, page))
			__atomic_fetch_add(&t->shared->lost_frames, 1, __ATOMIC_RELAXED);
	}
	__atomic_fetch_or(&a->slot[0].key, HV_KEY_SPILLED, __ATOMIC_ACQ_REL);
}

/* Use so many buckets from now on. Places scale with the number, so the order of the
 * moves is that in which they make room for each other. */
static void use_buckets(struct tracer *t, __u64 now)
{
	__u64 old = t->shared->frame_buckets;

	__atomic_store_n(&t->shared->frame_buckets, now, __ATOMIC_RELEASE);
	for (size_t n = 0; n < old; n++) {
		size_t i = now > old ? old - 1 - n : n;

		for (int j = 0; j < HV_FRAME_WAY; j++) {
			if (t->frames[i].slot[j].page)
				move_entry(t, &t->frames[i].slot[j], i, now);
		}
	}
}

/* Drop what is not sampled any more; how many entries are left. */
static size_t drop_unsampled(struct tracer *t, __u64 threshold)
{
	size_t left = 0;

	for (size_t i = 0; i < t->shared->frame_buckets; i++) {
		for (int j = 0; j < HV_FRAME_WAY; j++) {
			struct hv_frame_slot *slot = &t->frames[i].slot[j];

			if (slot->page && !still_sampled(slot, threshold))
				slot->page = 0;
			left += !!slot->page;
		}
	}
	return left;
}

/* What a map for all frames shrinks to with the rate. */
static __u64 fewer_buckets(__u64 buckets, __u64 from, __u64 to)
{
	while (from / 2 >= to && buckets / 2 >= MIN_BUCKETS) {
		from /= 2;
		buckets /= 2;
	}
	return buckets;
}

/* A quarter full, but within bounds. */
static __u64 buckets_to_hold(const struct tracer *t, size_t entries)
{
	__u64 n = entries > MIN_BUCKETS ? entries : MIN_BUCKETS;

	return n < t->full_buckets ? n : t->full_buckets;
}

/*
 * A small map stays in the CPU's caches, and looking up frames that hold no sampled
 * page is most of a sampled run's cost. So a map that holds little takes little of
 * its memory, and more again when it fills.
 */
void tracer__thin_frames(struct tracer *t, __u64 threshold)
{
	t->full_buckets = fewer_buckets(t->full_buckets, t->thinned_for, threshold);
	t->thinned_for = threshold;
	use_buckets(t, buckets_to_hold(t, drop_unsampled(t, threshold)));
}

void tracer__grow_frames(struct tracer *t)
{
	__u64 buckets = t->shared->frame_buckets;
	size_t entries;

	/* The larger the map, the seldomer it is counted: so much a poll. */
	if (buckets == t->full_buckets || ++t->polls_uncounted * MIN_BUCKETS < buckets)
		return;
	t->polls_uncounted = 0;
	entries = drop_unsampled(t, t->thinned_for);
	if (entries * 5 > buckets * HV_FRAME_WAY * 2)
		use_buckets(t, buckets_to_hold(t, buckets * 2));
}
