// SPDX-License-Identifier: GPL-2.0
#include <stddef.h>

#include "bounce.h"

int bounce__init(struct bounce *b, struct memory *m)
{
	int err;

	b->region = (struct region){};
	err = region__grow(&b->region, m, BOUNCE_BYTES);
	for (int i = 0; i < BOUNCE_WORDS; i++)
		b->free[i] = ~0ULL;
	return err;
}

void bounce__free(struct bounce *b, struct memory *m)
{
	region__free(&b->region, m);
}

static __u64 run_mask(unsigned n)
{
	return n == BOUNCE_RUN ? ~0ULL : (1ULL << n) - 1;
}

/* Bits of `free` at which a run of n free ones begins: runs are doubled until they are long enough
 * (Warren, Hacker's Delight, 6-2). */
static __u64 starts(__u64 free, unsigned n)
{
	for (unsigned s; n > 1; n -= s) {
		s = n / 2;
		free &= free >> s;
	}
	return free;
}

char *bounce__take(struct bounce *b, unsigned n)
{
	for (int i = 0; i < BOUNCE_WORDS; i++) {
		__u64 at = starts(b->free[i], n);
		unsigned bit;

		if (!at)
			continue;
		bit = __builtin_ctzll(at);
		b->free[i] &= ~(run_mask(n) << bit);
		return (char *)b->region.base + (i * BOUNCE_RUN + bit) * 4096UL;
	}
	return NULL;
}

void bounce__give(struct bounce *b, char *run, unsigned n)
{
	size_t page = (run - (char *)b->region.base) / 4096;

	b->free[page / BOUNCE_RUN] |= run_mask(n) << page % BOUNCE_RUN;
}
