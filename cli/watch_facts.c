// SPDX-License-Identifier: GPL-2.0
#include <math.h>

#include "cli.h"
#include "watch.h"

double watch__seconds(const struct watch *w)
{
	return w->ended ? w->seconds : cli__now() - w->since;
}

/* How long the accesses of the curve took; of those that fade, as if none had. */
static double seconds_of(const struct watch *w)
{
	double watched = watch__seconds(w);
	const struct past *past = w->recent ? &vm_recent__opts(w->recent)->past : NULL;

	if (past && past->window.n)
		return fmin(past->window.n / 1e9, watched);
	if (past && past->half_life.n) {
		double life = past->half_life.n / 1e9;

		return life / M_LN2 * (1 - exp2(-watched / life));
	}
	return watched;
}

double watch__miss_page(const struct watch *w)
{
	return w->now.fills ? table__latency_sum(w->now.latency[0]) / w->now.fills : NAN;
}

static double latency_of(const struct watch *w, enum page_space space)
{
	return space == SPACE_DISK ? watch__miss_page(w) : NAN;
}

void watch__facts(const struct watch *w, const struct vm_report *r, enum page_space space,
		  struct vms_csv_row *out)
{
	const struct space_report *of = &r->space[space];
	double seconds = seconds_of(w);
	double memory = w->mem_pages ? (double)w->mem_pages * PAGE_BYTES : NAN;

	*out = (struct vms_csv_row){
		.vm = r->name,
		.space = space,
		.memory = memory,
		.direct = memory,
		.accesses = of->nr_points && seconds > 0 ? of->curve[0].accesses / seconds : NAN,
		.latency = latency_of(w, space),
	};
}
