/* SPDX-License-Identifier: GPL-2.0 */
/* Which page a frame holds: the table from which evictions are inferred. */
#ifndef HVTRACE_FRAME_MAP_BPF_H
#define HVTRACE_FRAME_MAP_BPF_H

static __always_inline struct hv_frame_bucket *frame_bucket(__u32 i)
{
	return bpf_map_lookup_elem(&frames, &i);
}

/* Puts value (1 + page; 0 to forget) into the entry if it is in the bucket. */
static __always_inline bool bucket__swap(struct hv_frame_bucket *b, __u64 key, __u64 value,
					 __u64 *old)
{
	for (int i = 0; i < HV_FRAME_WAY; i++) {
		if ((b->slot[i].key & ~HV_KEY_SPILLED) != key)
			continue;
		*old = b->slot[i].page;
		if (*old != value)
			*old = __sync_lock_test_and_set(&b->slot[i].page, value);
		return true;
	}
	return false;
}

static __always_inline int bucket__free(const struct hv_frame_bucket *b)
{
	int n = 0;

	for (int i = 0; i < HV_FRAME_WAY; i++)
		n += !b->slot[i].page;
	return n;
}

static __always_inline bool bucket__insert(struct hv_frame_bucket *b, __u64 key, __u64 value)
{
	for (int i = 0; i < HV_FRAME_WAY; i++) {
		__u64 was = b->slot[i].key, now = key | (was & HV_KEY_SPILLED);

		if (b->slot[i].page ||
		    __sync_val_compare_and_swap(&b->slot[i].key, was, now) != was)
			continue;
		b->slot[i].page = value;
		return true;
	}
	return false;
}

/* A new entry goes to its first bucket while that has room to spare, else to the emptier one. */
static __always_inline bool frame__insert(struct hv_frame_bucket *a, struct hv_frame_bucket *b,
					  __u64 key, __u64 value)
{
	int room = bucket__free(a);

	if ((room > 1 || room >= bucket__free(b)) && bucket__insert(a, key, value))
		return true;
	__sync_fetch_and_or(&a->slot[0].key, HV_KEY_SPILLED);
	return bucket__insert(b, key, value);
}

/*
 * The frame map: which page a frame holds. Two-choice hashing into buckets of
 * one cache line (Azar et al., "Balanced Allocations", 1994), leaning to the
 * first: most searches touch one line. At 60 % one entry in 500 is pushed out,
 * at 50 % one in 3000.
 * Returns 1 + the page the frame held before, or 0.
 *
 * No lock: an entry belongs to its frame, and a guest has one I/O at a time
 * for a frame. Only when an entry is taken over by another frame at the very
 * instant its old owner writes to it, one eviction is told of a wrong page.
 */
__global __u64 frame__swap(__u64 key, __u64 value)
{
	__u64 n = *(volatile __u64 *)&shared.frame_buckets;
	struct hv_frame_bucket *a = frame_bucket(hv_first_bucket(key, n)), *b;
	bool spilled;
	__u64 old = 0;

	if (!a || bucket__swap(a, key, value, &old))
		return old;
	spilled = a->slot[0].key & HV_KEY_SPILLED;
	if (!spilled && !value)
		return 0;
	b = frame_bucket(hv_second_bucket(key, n));
	if (!b || (spilled && bucket__swap(b, key, value, &old)) || !value)
		return old;
	if (frame__insert(a, b, key, value))
		return 0;
	n = hv_hash32(key) >> 30; /* which one: as good as at random */
	a->slot[n].key = key | (a->slot[n].key & HV_KEY_SPILLED);
	a->slot[n].page = value;
	lost(lost_frames);
	return 0;
}

#endif
