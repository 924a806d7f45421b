// SPDX-License-Identifier: GPL-2.0
/* First in, first out: a hit changes nothing. */
#include "policy.h"

static inline bool fifo__hit(struct policy_cache *c, __u32 page)
{
	__u8 *resident = c->pages;

	if (resident[page])
		return true;
	if (c->queue[0].n == c->capacity)
		resident[policy_queue__pop(c, 0)] = 0;
	policy_queue__push(c, 0, page);
	resident[page] = 1;
	return false;
}

static int access(struct policy_cache *c, const struct policy_refs *refs)
{
	return policy__run(c, refs, sizeof(__u8), fifo__hit);
}

const struct policy_ops policy_fifo = {
	.name = "fifo",
	.cache_bytes = sizeof(struct policy_cache),
	.page_bytes = sizeof(__u8),
	.queues = 1,
	.access = access,
};
