// SPDX-License-Identifier: GPL-2.0
#include <math.h>

#include "watch.h"

/* How long the accesses of the curve took; of those that fade, as if none had. */
static double seconds_of(const struct watch *w)
{
	const struct past *past = w->recent ? &vm_recent__opts(w->recent)->past : NULL;

	if (past && past->window.n)
		return fmin(past->window.n / 1e9, w->seconds);
	if (past && past->half_life.n) {
		double life = past->half_life.n / 1e9;

		return life / M_LN2 * (1 - exp2(-w->seconds / life));
	}
	return w->seconds;
}

/* Of a page: a request reads several. */
static double latency_of(const struct watch *w, enum page_space space)
{
	if (space != SPACE_DISK || !w->now.fills)
		return NAN;
	return table__latency_sum(w->now.latency[0]) / w->now.fills;
}

void watch__facts(const struct watch *w, enum page_space space, struct vms_csv_row *out)
{
	const struct space_report *r = &w->report->space[space];
	double memory = w->mem_pages ? (double)w->mem_pages * PAGE_BYTES : NAN;

	*out = (struct vms_csv_row){
		.vm = w->report->name,
		.space = space,
		.memory = memory,
		.direct = memory,
		.accesses =
			r->nr_points && w->seconds > 0 ? r->curve[0].accesses / seconds_of(w) : NAN,
		.latency = latency_of(w, space),
	};
}
