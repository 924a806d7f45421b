/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a VM misses, by its memory, as far as it was seen.
 *
 * A curve in the order of evictions begins at the memory a VM has. But that changes: what a curve
 * said of sizes that the VM has grown beyond since is kept for some time. Without it a VM whose
 * data just fit would look as if it needed no memory at all.
 *
 * Below what is known each step costs the same: the price of a trial.
 */
#ifndef HVTRACE_LOSSES_H
#define HVTRACE_LOSSES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "planner.h"

struct losses;

/* In granules of so many pages; what was seen is known for `keep` seconds. NULL: out of memory. */
struct losses *losses__new(__u64 granule, double keep);
void losses__free(struct losses *l); /* NULL is fine */

/* Misses a second with so many pages, at most, are known from `from` to `most` pages (rounded to
 * granules). -ENOMEM: nothing changed. */
int losses__see(struct losses *l, __u64 from, __u64 most, double (*misses)(void *ctx, __u64 pages),
		void *ctx, double time);
/* Misses a second. false: not known by now. */
bool losses__at(const struct losses *l, __u64 pages, double time, double *misses);
/* From which size on all up to `pages` is known: at most `pages`. */
__u64 losses__known_from(const struct losses *l, __u64 pages, double time);

struct losses_price {
	double miss;  /* of a miss a second */
	double trial; /* of each `step` pages below what is known */
	__u64 step;
};
/* What it costs to have so many pages, where `now` are there; pages below what is known included.
 */
double losses__cost(const struct losses *l, __u64 pages, __u64 now, const struct losses_price *p,
		    double time);
/* The same as a leaf of a plan has it, from `least` to `most`. Free with free(). -ENOMEM. */
int losses__steps(const struct losses *l, __u64 least, __u64 most, __u64 now,
		  const struct losses_price *p, double time, struct plan_step **out, size_t *n);

#endif
