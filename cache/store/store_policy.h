/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a replacement policy of the exclusive cache is: on which list a page goes that comes in, and
 * which one goes when room is needed. A hit takes the page out of the cache, so a policy never sees
 * a page accessed while it is on a list.
 *
 * Instead, it is told whether a page that comes in was wanted back before: "back" is a page that
 * the guest has read or written while it was cached or a ghost, since when it has not been lost.
 *
 * Internal to cache/store/.
 */
#ifndef HVTRACE_STORE_POLICY_H
#define HVTRACE_STORE_POLICY_H

#include <stdbool.h>

#include "slots.h"

struct store_policy {
	const char *name;
	/* The list of the slots that a page goes to, as its newest. */
	enum slot_list (*list)(bool back);
	/* The list whose oldest page is to go next; the cache holds some. */
	enum slot_list (*victims)(const struct slots *s);
	/* Whether pages that leave that list become ghosts. */
	bool (*leaves_ghosts)(enum slot_list list);
};

extern const struct store_policy store_lru, store_s3fifo;

/* By name; NULL: lru. NULL: there is none of that name. */
const struct store_policy *store_policy__find(const char *name);

#endif
