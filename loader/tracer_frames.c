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
		return pe_hash(slot->key & HV_FRAME_MASK & ~HV_KEY_MEM, SPACE_MEM) <= threshold;
	return pe_hash(slot->page - 1, SPACE_DISK) <= threshold;
}

static bool bucket__has(const struct hv_frame_bucket *b, __u64 key)
{
	for (int j = 0; j < HV_FRAME_WAY; j++) {
		if ((b->slot[j].key & ~HV_KEY_SPILLED) == key)
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

/* Bring an entry to where the smaller map looks for it. A program that was
 * faster has put the frame's newer page there already. */
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
	if (bucket__has(a, key) || bucket__has(b, key) || bucket__insert(a, key, page))
		return;
	__atomic_fetch_or(&a->slot[0].key, HV_KEY_SPILLED, __ATOMIC_ACQ_REL);
	if (!bucket__insert(b, key, page))
		__atomic_fetch_add(&t->shared->lost_frames, 1, __ATOMIC_RELAXED);
}

/* The map shrinks with the rate: a small one stays in the CPU's caches, and
 * looking up frames that hold no sampled page is most of a sampled run's cost. */
static __u64 fewer_buckets(__u64 buckets, __u64 from, __u64 to)
{
	while (from / 2 >= to && buckets / 2 >= MIN_BUCKETS) {
		from /= 2;
		buckets /= 2;
	}
	return buckets;
}

void tracer__thin_frames(struct tracer *t, __u64 threshold)
{
	__u64 old = t->shared->frame_buckets, now = fewer_buckets(old, t->thinned_for, threshold);

	t->thinned_for = threshold;
	__atomic_store_n(&t->shared->frame_buckets, now, __ATOMIC_RELEASE);
	for (size_t i = 0; i < old; i++) {
		for (int j = 0; j < HV_FRAME_WAY; j++) {
			struct hv_frame_slot *slot = &t->frames[i].slot[j];

			if (!slot->page)
				continue;
			if (still_sampled(slot, threshold))
				move_entry(t, slot, i, now);
			else
				slot->page = 0;
		}
	}
}
