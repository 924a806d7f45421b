/* SPDX-License-Identifier: GPL-2.0 */
/* A miss curve: misses as a function of the memory added to direct memory. */
#ifndef HVTRACE_CURVE_H
#define HVTRACE_CURVE_H

#include "hvanalysis.h"

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
