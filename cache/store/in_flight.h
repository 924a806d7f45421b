/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages with requests in flight: what a read or a write did to a page's bytes is known when it ends
 * only if no write to the page overlapped it, and nothing else changed the page meanwhile.
 *
 * Each page has an epoch, which ends at each such change; a request's token is the epoch it began
 * in. So a read that overlaps reads only shares their token, and they all count.
 *
 * Internal to cache/store/.
 */
#ifndef HVTRACE_IN_FLIGHT_H
#define HVTRACE_IN_FLIGHT_H

#include <stdbool.h>
#include <linux/types.h>

#include "../region.h"
#include "exclusive_cache.h"

struct in_flight_page {
	__u64 page, epoch;
	__u32 writers;
	__u32 readers : 28; /* those with a token */
	__u32 standing : 4; /* the page's: see store_policy.h */
};

struct in_flight {
	struct memory *memory;
	struct region region;
	struct in_flight_page *entry; /* open addressing; empty: neither writers nor readers */
	__u32 mask, pages;
	__u32 written; /* pages with writers */
	__u32 blind;   /* writers that there was no memory for: nothing is known while there are */
	__u64 epochs;
	__u64 secret;
};

/* -ENOMEM. */
int in_flight__init(struct in_flight *f, struct memory *m);
void in_flight__free(struct in_flight *f);
/* Give memory back, when nothing is in flight. */
void in_flight__trim(struct in_flight *f);

cache_token in_flight__read(struct in_flight *f, __u64 page, unsigned standing);
cache_token in_flight__write(struct in_flight *f, __u64 page, unsigned standing);
/* Whether the request is to be remembered, and the highest standing at the beginning of those to
 * the page (not changed when there is no token). */
bool in_flight__end_read(struct in_flight *f, __u64 page, cache_token t, unsigned *standing);
bool in_flight__end_write(struct in_flight *f, __u64 page, cache_token t, unsigned *standing);

bool in_flight__writing(const struct in_flight *f, __u64 page);
/* These pages changed: no request in flight to them is to be remembered. */
void in_flight__change(struct in_flight *f, __u64 page, __u64 count);

#endif
