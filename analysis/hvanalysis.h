/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libhvanalysis: miss curves of a stream of page references, online, exact or sampled.
 *
 * A miss curve says how many of the references so far an LRU memory of x pages would have missed,
 * for every x at once. Feed references as they come, ask for the curve at any time:
 *
 *	struct mrc_opts opts = {.sz = sizeof(opts), .rate = 0.01};
 *	struct mrc *m = mrc__new(&opts);
 *	__u64 sizes[] = {16, 1024, 65536};
 *	struct curve_point curve[3];
 *
 *	mrc__access(m, pages, n);
 *	mrc__curve(m, sizes, 3, curve);
 *	printf("%f +- %f\n", curve_point__ratio(&curve[1]), curve[1].error);
 *	mrc__free(m);
 *
 * Pages are any 64-bit numbers. Sizes and distances are in pages, times in nanoseconds. Errors are
 * negative errno; what fails leaves everything as it was unless said otherwise. Objects belong to
 * who made them, `_free(NULL)` is fine, nothing is shared between objects: each may have a thread
 * of its own, none may be used by two at once. Link with -lhvanalysis -lm.
 */
#ifndef HVANALYSIS_H
#define HVANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- a point of a curve --- */

struct curve_point {
	__u64 size;	 /* pages */
	double misses;	 /* estimate for all pages, not a sampled count */
	double accesses; /* of all pages */
	double error;	 /* half-width of the 95 % interval of misses / accesses; 0: exact */
};

/* misses / accesses; 0 when there was no access. */
double curve_point__ratio(const struct curve_point *p);

/* --- LRU: all sizes at once, from reuse distances (Mattson et al., IBM Systems J. 9(2), 1970) ---
 */

struct mrc;

/*
 * Spatial sampling is SHARDS (Waldspurger et al., FAST '15): a page is followed when its lot, drawn
 * by its number so that each neighbourhood has its share, lies under a threshold.
 */
struct mrc_opts {
	size_t sz;	 /* sizeof(struct mrc_opts) */
	double rate;	 /* share of the pages to follow, above 0 and up to 1; 0 means 1: exact */
	__u64 max_pages; /* follow at most so many pages: the rate falls as new ones come. 0 = no
			    bound; else at least 64 */
	__u64 seed;	 /* which pages: another seed, another sample */
	double detail;	 /* small sizes, when sampled: references looked at for each range of sizes
			    that the rate is too low for, as a multiple of the rate; 0 = none */
};

/* NULL with errno: EINVAL, ENOMEM. */
struct mrc *mrc__new(const struct mrc_opts *opts);
void mrc__free(struct mrc *m);

/* n references, in order. -ENOMEM: not all of them are counted, and the curve is off. */
int mrc__access(struct mrc *m, const __u64 *pages, size_t n);

struct mrc_counts {
	__u64 accesses; /* references so far, all of them, sampled or not */
	double cold;	/* to pages never referenced before: estimate for all pages */
	__u64 samples;	/* references that were followed */
	__u64 tracked;	/* pages followed now, not scaled */
	double rate;	/* share of the pages followed now */
	size_t bytes;	/* memory held */
};
void mrc__counts(const struct mrc *m, struct mrc_counts *out);

/* The curve at n ascending sizes; out has room for n. -ENOMEM. */
int mrc__curve(const struct mrc *m, const __u64 *sizes, size_t n, struct curve_point *out);
/* The size from which on the curve is flat; pages. */
__u64 mrc__max_distance(const struct mrc *m);
/* References with a reuse distance in [lo, hi), estimate for all pages: a histogram's bucket. */
double mrc__reuse(const struct mrc *m, __u64 lo, __u64 hi);

/* --- LRU: the recent past --- */

struct curve_window;

/* Times are in any unit: nanoseconds, references, ... */
struct curve_window_opts {
	size_t sz;    /* sizeof(struct curve_window_opts) */
	__u64 window; /* accesses of the last so much time count, or of up to a sixteenth (rounded
			 up) more; or */
	__u64 half_life;    /* all count, those so much time ago half: the other is 0 */
	__u64 start;	    /* time of the first access */
	const __u64 *sizes; /* ascending, pages; copied */
	size_t nr_sizes;
};

/* NULL with errno: EINVAL (not one of the two times), ENOMEM. */
struct curve_window *curve_window__new(const struct curve_window_opts *opts);
void curve_window__free(struct curve_window *w);
/* Call curve_window__step() when all accesses before this time were made, and none after. */
__u64 curve_window__due(const struct curve_window *w);
/* Times must not go back. -ENOMEM: this step is left out, the window reaches back further. */
int curve_window__step(struct curve_window *w, const struct mrc *m, __u64 now);
/* The curve of the window that ends now: out has room for as many points as there are sizes.
 * -ENOMEM. */
int curve_window__curve(struct curve_window *w, const struct mrc *m, __u64 now,
			struct curve_point *out);

/* --- other policies: one size at a time, all sizes in one pass --- */

/*
 * Simulated caches, scaled down to the sampled pages (miniature simulation, Waldspurger et al.,
 * USENIX ATC '17).
 */
enum policy {
	POLICY_LRU,
	POLICY_FIFO,
	POLICY_CLOCK,
	POLICY_S3FIFO,
	POLICY_ARC,
	POLICY_OPT, /* Belady's: looks ahead, so it keeps the sampled references until the end */
	POLICIES
};

/* "lru", "fifo", "clock", "s3fifo", "arc", "opt". */
const char *policy__name(enum policy p);
/* -EINVAL: no such policy. */
int policy__parse(const char *name, enum policy *out);

struct policy_sim;

struct policy_opts {
	size_t sz; /* sizeof(struct policy_opts) */
	enum policy policy;
	const __u64 *sizes; /* ascending, pages, at least 1; copied. NULL: chosen as the footprint
			       grows, evenly on a logarithmic scale */
	size_t nr_sizes;    /* how many sizes there are, or are to be chosen */
	double rate;	    /* as in struct mrc_opts; the same pages at the same seed */
	__u64 seed;
};

/* NULL with errno. */
struct policy_sim *policy_sim__new(const struct policy_opts *opts);
void policy_sim__free(struct policy_sim *s);
/* n references, in order. -ENOMEM: the simulation is of no use any more. */
int policy_sim__access(struct policy_sim *s, const __u64 *pages, size_t n);
/* How many points policy_sim__curve() gives. */
size_t policy_sim__points(const struct policy_sim *s);
/* out has room for them. For OPT this is the simulation itself. -ENOMEM. */
int policy_sim__curve(struct policy_sim *s, struct curve_point *out);

/* --- reading a curve --- */

/* Smallest size on the curve (n points, ascending sizes) with a miss ratio of at most `ratio`,
 * on a straight line between two points; pages. -ENOENT: not even the largest. */
int curve__working_set(const struct curve_point *curve, size_t n, double ratio, __u64 *size);
/* The point furthest below the straight line from the first to the last point (Satopaa et al.,
 * "Kneedle", SIMPLEX '11). -ENOENT: none lies below by more than its error. */
int curve__knee(const struct curve_point *curve, size_t n, size_t *at);

#ifdef __cplusplus
}
#endif

#endif
