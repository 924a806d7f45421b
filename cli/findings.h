/* SPDX-License-Identifier: GPL-2.0 */
/* What is read off a curve for people: working set sizes, the knee, the compulsory part. */
#ifndef HVTRACE_FINDINGS_H
#define HVTRACE_FINDINGS_H

#include <stddef.h>
#include <stdio.h>

#include "../analysis/report.h"

/* Miss ratios to find the working set size at. */
struct wss_list {
	const double *ratios;
	size_t n;
};
/* 1 % and 5 %. */
extern const struct wss_list wss_defaults;

/* A size with the ends of its 95 % interval: where the curve's lower and upper bound get there. */
struct working_set {
	__u64 size, low, high; /* ~0: not even at the curve's end */
};
/* -ENOMEM. */
int findings__working_set(const struct curve_point *curve, size_t n, double ratio,
			  struct working_set *out);

/* The curve of a space, which need not have any points. -ENOMEM. */
int findings__print(FILE *out, const struct space_report *s, const struct wss_list *wss);
/* The same of all spaces as JSON, one object a line: wss, knee, compulsory. */
int findings__json(FILE *out, const struct vm_report *r, const struct wss_list *wss);

#endif
