/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages of one image to be told of once more, one to two ticks from now: a write is seen when it is
 * issued, and who reads its page while it is on its way may get the old bytes and keep them.
 */
#ifndef HVTRACE_LATER_H
#define HVTRACE_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define LATER_RANGES 16 /* more than these are told as fewer, larger ones */

struct page_range {
	__u64 page, end;
};

struct later {
	struct ranges {
		size_t n;
		struct page_range range[LATER_RANGES];
	} recent, older, due;
};

void later__add(struct later *l, __u64 page, __u64 end);
/* A tick: what is in l->due afterwards is to be told. */
void later__tick(struct later *l);
bool later__is_empty(const struct later *l);

#endif
