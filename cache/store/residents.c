// SPDX-License-Identifier: GPL-2.0
#include "residents.h"

/* Numbers have 28 bits: see exclusive_cache.c. */
#define MAX_RESIDENTS (1U << 28)
#define MORE_BYTES (64UL << 10)

void residents__init(struct residents *r, struct memory *m, __u64 max)
{
	*r = (struct residents){.memory = m, .free = RESIDENTS_NONE};
	r->max = max && max < MAX_RESIDENTS ? max : MAX_RESIDENTS;
}

void residents__free(struct residents *r)
{
	region__free(&r->region, r->memory);
}

void residents__restart(struct residents *r, __u64 max)
{
	residents__free(r);
	residents__init(r, r->memory, max);
}

static __u32 one_more(struct residents *r)
{
	size_t need = (r->used + 1ULL) * sizeof(*r->digest);

	if (r->used == r->max)
		return RESIDENTS_NONE;
	if (need > r->region.bytes) {
		/* An eighth more while it is copied each time. */
		size_t more = need < REGION_CHUNK ? need / 8 & -4096UL : MORE_BYTES;
		int err = region__grow(&r->region, r->memory, need + more);

		r->digest = r->region.base;
		if (err && need > r->region.bytes)
			return RESIDENTS_NONE;
	}
	return r->used++;
}

__u32 residents__get(struct residents *r)
{
	__u32 i = r->free;

	if (i != RESIDENTS_NONE)
		r->free = r->digest[i].lo;
	else
		i = one_more(r);
	r->count += i != RESIDENTS_NONE;
	return i;
}

void residents__put(struct residents *r, __u32 i)
{
	r->digest[i] = (struct page_digest){.lo = r->free};
	r->free = i;
	r->count--;
}
