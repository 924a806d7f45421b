/* SPDX-License-Identifier: GPL-2.0 */
/* The sizes at which mrc follows windows and intervals, and the points that are told of them. */
#ifndef HVTRACE_MRC_PAST_H
#define HVTRACE_MRC_PAST_H

#include "../analysis/report.h"
#include "mrc_options.h"

struct past_sizes {
	__u64 *v;
	size_t n;
};

/* A grid as fine as curves are drawn, as far as any memory reaches, and --sizes among it. -ENOMEM.
 */
int past_sizes__init(struct past_sizes *s, const struct mrc_options *o);
void past_sizes__free(struct past_sizes *s);

/* Of a curve at all of them, what is told: at --sizes, or up to where it is flat. out has room for
 * n; returns how many. */
size_t mrc_past__points(const struct mrc_options *o, const struct curve_point *all, size_t n,
			struct curve_point *out);
/* The same in a report of a whole trace; table: a few points only, for a table, unless there are
 * --sizes; else up to where the curve is flat. -ENOMEM. */
int mrc_past__tell(const struct mrc_options *o, const struct curve_point *all, size_t n, bool table,
		   struct space_report *report);

#endif
