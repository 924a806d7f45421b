/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Detail: the small sizes of a sampled miss curve.
 *
 * At a sampling rate of 1/1000 a size of 16 pages is 0.016 sampled pages: nothing can be said of
 * it. Small sizes need a high rate; but their distances are short, so that a look at a short window
 * of the stream will do. Hence levels, the first of every page, each next one of a quarter of the
 * pages, with windows four times as long and four times as often: each costs the same, and each is
 * good for sizes of DETAIL_DEPTH / 4 to DETAIL_DEPTH of its sampled pages, the first one for all
 * sizes below, too.
 *
 * A window's references are followed forward until each page is referenced again, a hit for sizes
 * above the distance, or DETAIL_DEPTH other pages were: what is found is the share of all
 * references that are followed by their page's next one within a distance, whatever the stream
 * does, for windows begin when the clock says and not the stream.
 *
 * Each window that begins with nothing left to follow samples other pages; windows take turns in
 * counting for one of ESTIMATE_GROUPS groups, so that the groups' differences tell the error of
 * both, the times and the pages that were chosen.
 */
#ifndef ANALYSIS_DETAIL_H
#define ANALYSIS_DETAIL_H

#include <stddef.h>
#include <linux/types.h>

#include "curve.h"

#define DETAIL_DEPTH 128

struct detail;
struct memory;

/* key: of the sample (filter.h). cost: sampled references looked at by a level for each one sampled
 * at the rate given to detail__access(). lowest: that this rate may come to; levels are there for
 * it from the begin, as they have to be where a stream changes. The memory must live longer. NULL
 * with errno. */
struct detail *detail__new(struct memory *m, __u64 key, double cost, double lowest);
void detail__free(struct detail *d); /* NULL is fine */

/* n references of the stream, which is sampled at `rate` now; those at rate 1 are not looked at.
 * -ENOMEM. */
int detail__access(struct detail *d, const __u64 *pages, size_t n, double rate);
/* Put the levels' sums where they say more than a sample of `rate`. accesses: of all pages, since
 * the rate is below 1. */
void detail__take(const struct detail *d, struct curve_sums *s, double rate, double accesses);
/* Bytes held beside the memory. */
size_t detail__heap(void);
/* References looked at. */
__u64 detail__cost(const struct detail *d);

#endif
