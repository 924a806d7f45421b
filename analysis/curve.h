/* SPDX-License-Identifier: GPL-2.0 */
/* A miss curve: misses as a function of the memory added to direct memory. */
#ifndef HVTRACE_CURVE_H
#define HVTRACE_CURVE_H

#include <stddef.h>

#include "../bpf/page_event.h"

struct curve_point {
	__u64 size;	 /* pages added to direct memory */
	double misses;	 /* estimate for all pages, not a sampled count */
	double accesses; /* fills */
	double error; /* half-width of misses / accesses: 95 % of sampling plus the bounds of unseen
			 evictions */
};

/* misses / accesses; 0 when there was no access. */
double curve_point__ratio(const struct curve_point *p);

struct reuse_histogram;

/* Sampling: rate is the share of pages sampled now (1: all), unit how many accesses stand behind
 * one unit of the histogram. */
struct curve_scale {
	double rate, unit;
};

/* One point of the curve at p->size; fills in all else. */
void curve__point(const struct reuse_histogram *h, const struct curve_scale *scale,
		  struct curve_point *p);

#endif
