/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Does the curve tell the truth? When the memory of a VM changes, the curve of the smaller size is
 * put to the test: what it said that the larger one would miss is compared with what that one was
 * seen to miss.
 *
 * A *stay* is a time at one size. Its first part is its warm-up, until pages that were not seen
 * coming, or room that was added, are filled; only the rest counts. Curves are of that rest alone.
 * Misses are compared by the second: as if the guest asked for as much in one stay as in the other.
 */
#ifndef HVTRACE_SELF_CHECK_H
#define HVTRACE_SELF_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "curve.h"

struct self_check;

struct self_check_opts {
	const __u64 *sizes; /* of curves: ascending, pages, from 0; theirs who made them */
	size_t nr_sizes;
	/* Fill in the sums at present; -ENOENT: nothing seen so far; else -errno is passed on. */
	int (*sums)(void *ctx, struct curve_sums *out);
	void *ctx;
};

/* A VM as it is. Times and fills must not go back. */
struct check_moment {
	double time;  /* seconds */
	__u64 memory; /* pages; 0: nobody knows, and nothing is checked */
	__u64 fills;  /* so far, all pages */
};

/* One change of memory. */
struct check {
	double at;	   /* time of the change, seconds */
	__u64 before, now; /* memory, pages */
	double seconds;	   /* for which the new size was seen, without its warm-up */
	double predicted;  /* misses a second with the larger of the two sizes, by the curve */
	double error;	   /* ... of the smaller: the half-width of its 95 % interval; */
	double observed;   /* ... as they were seen */
	double smaller;	   /* misses a second that were seen with the smaller size */
};

/* NULL: out of memory. */
struct self_check *self_check__new(const struct self_check_opts *opts);
void self_check__free(struct self_check *c); /* NULL is fine */
/* Tell, every second or so. 1: its memory is not what it was; 0; -errno. */
int self_check__tell(struct self_check *c, const struct check_moment *now);
/* The VM has ended. -errno: the last check is lost. */
int self_check__end(struct self_check *c);
/* The VM is that one, which has ended, started again, maybe with another size: what was seen of it
 * last is what to compare with. Nothing happens if there is something already. -EINVAL: other sizes
 * of curves. */
int self_check__follows(struct self_check *c, const struct self_check *last);
/* The check that is going on as of the last moment. -ENOENT: there is none, or nothing was seen
 * long enough yet; -errno. */
int self_check__running(struct self_check *c, struct check *out);
/* All that are over, the oldest first; they stay the object's. */
const struct check *self_check__over(const struct self_check *c, size_t *n);

/* By how much prediction and observation differ, as a miss ratio: of what the smaller size
 * misses. */
double check__difference(const struct check *c);
/* For so long, and by so much more than the error, that the curve or the workload is another. */
bool check__differs(const struct check *c);

#endif
