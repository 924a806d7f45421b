// SPDX-License-Identifier: GPL-2.0
/* Reports of what is no VM: foreign traces, and curves from elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "size.h"

static struct vm_report *new_report(const char *name, enum page_space space, const char *order,
				    size_t points)
{
	struct vm_report *r = calloc(1, sizeof(*r));
	struct space_report *s;

	if (!r)
		return NULL;
	s = &r->space[space];
	s->seen = true;
	s->order = order;
	s->curve = calloc(points ? points : 1, sizeof(*s->curve));
	s->nr_points = points;
	r->name = strdup(name);
	if (r->name && s->curve)
		return r;
	vm_report__free(r);
	return NULL;
}

static void take_mrc_reuse(struct space_report *s, const struct mrc *m)
{
	for (int b = 0; b < REPORT_BUCKETS; b++) {
		__u64 low = b ? 1ULL << b : 0, high = b < 63 ? 2ULL << b : ~0ULL;

		s->reuse[b] = low < s->max_distance ? mrc__reuse(m, low, high) + 0.5 : 0;
	}
}

static void take_mrc_counts(struct space_report *s, const struct mrc *m)
{
	struct mrc_counts c;

	mrc__counts(m, &c);
	s->counts.fills = s->counts.access_ordered = c.accesses;
	s->counts.cold = c.cold + 0.5;
	s->counts.refaults = s->counts.fills - s->counts.cold;
	s->counts.tracked = s->counts.ghosts = c.tracked;
	s->max_distance = mrc__max_distance(m);
	take_mrc_reuse(s, m);
}

struct vm_report *vm_report__of_trace(const struct mrc *m, const char *name, const __u64 *sizes,
				      size_t n)
{
	__u64 defaults[REPORT_POINTS];
	struct vm_report *r;

	if (!sizes) {
		n = size__defaults(mrc__max_distance(m), defaults, REPORT_POINTS);
		sizes = defaults;
	}
	r = new_report(name, SPACE_DISK, "access", n);
	if (!r)
		return NULL;
	take_mrc_counts(&r->space[SPACE_DISK], m);
	if (!mrc__curve(m, sizes, n, r->space[SPACE_DISK].curve))
		return r;
	vm_report__free(r);
	return NULL;
}

struct vm_report *vm_report__of_curve(const char *name, enum page_space space, const char *order,
				      const struct curve_point *points, size_t n)
{
	struct vm_report *r = new_report(name, space, order, n);

	if (r && n)
		memcpy(r->space[space].curve, points, n * sizeof(*points));
	return r;
}
