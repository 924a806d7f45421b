/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a replacement policy of the exclusive cache is: on which list a page goes that comes in, and
 * which one goes when room is needed. A hit takes the page out of the cache, so a policy never sees
 * a page accessed while it is on a list.
 *
 * Instead, pages have a standing, a small number that they keep while the guest has them and that
 * is lost with what else is known of them. It is 0 for a page that comes for the first time, one
 * more each time the guest reads or writes the page while it is cached, and STANDING_GHOST at least
 * for one that was a ghost then.
 *
 * Internal to cache/store/.
 */
#ifndef HVTRACE_STORE_POLICY_H
#define HVTRACE_STORE_POLICY_H

#include <stdbool.h>

#include "slots.h"

enum { STANDING_GHOST = 2, STANDING_MOST = 5 };
/* Slots that a policy looks at for one eviction, no request waits for more. */
#define STORE_LOOKS 256

struct store_policy {
	const char *name;
	/* The list of the slots that a page of that standing goes to, as its newest. */
	enum slot_list (*list)(unsigned standing);
	/* The list whose oldest page is to go next; the cache holds some. */
	enum slot_list (*victims)(const struct slots *s);
	/* May put off some of that list, which become its newest, before its oldest goes. */
	void (*spare)(struct slots *s, enum slot_list list);
	/* Whether pages that leave that list become ghosts, and for how many evictions. */
	bool (*leaves_ghosts)(enum slot_list list);
	__u64 (*ghosts)(__u64 slots);
};

extern const struct store_policy store_lru, store_s3fifo;

/* By name; NULL: lru. NULL: there is none of that name. */
const struct store_policy *store_policy__find(const char *name);

#endif
