/* SPDX-License-Identifier: GPL-2.0 */
/* The smaller and the larger of two whole numbers of 0 or more; of doubles that is fmin() and
 * fmax(). */
#ifndef HVTRACE_MINMAX_H
#define HVTRACE_MINMAX_H

#include <linux/types.h>

static inline __u64 smaller(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static inline __u64 larger(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

#endif
