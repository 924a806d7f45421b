// SPDX-License-Identifier: GPL-2.0
/*
 * CLOCK, or second chance (Corbato, "A paging experiment with the Multics system", 1968): one
 * bit a page, set by a hit. The hand clears the bits that it finds set, and evicts at the first
 * that is clear. A new page takes the place under the hand, which moves on, with its bit clear.
 *
 * The clock's face is a queue here: what the hand leaves behind goes to the queue's end.
 */
#include "policy.h"

enum { ABSENT, RESIDENT, REFERENCED };

static inline void evict(struct policy_cache *c, __u8 *state)
{
	for (;;) {
		__u32 page = policy_queue__pop(c, 0);

		state[page]--;
		if (state[page] == ABSENT)
			return;
		policy_queue__push(c, 0, page);
	}
}

static inline bool clock__hit(struct policy_cache *c, __u32 page)
{
	__u8 *state = c->pages;

	if (state[page] != ABSENT) {
		state[page] = REFERENCED;
		return true;
	}
	if (c->queue[0].n == c->capacity)
		evict(c, state);
	policy_queue__push(c, 0, page);
	state[page] = RESIDENT;
	return false;
}

static int access(struct policy_cache *c, const struct policy_refs *refs)
{
	return policy__run(c, refs, sizeof(__u8), clock__hit);
}

const struct policy_ops policy_clock = {
	.name = "clock",
	.cache_bytes = sizeof(struct policy_cache),
	.page_bytes = sizeof(__u8),
	.queues = 1,
	.access = access,
};
