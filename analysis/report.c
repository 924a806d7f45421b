// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "size.h"

const char *page_space__name(enum page_space space)
{
	return space == SPACE_MEM ? "mem" : "disk";
}

static void take_reuse(struct space_report *r, const struct engine *e, __u16 vm,
		       enum page_space space)
{
	for (int b = 0; b < REPORT_BUCKETS; b++) {
		__u64 low = b ? 1ULL << b : 0, high = b < 63 ? 2ULL << b : ~0ULL;

		r->reuse[b] = low < r->max_distance ? engine__reuse(e, vm, space, low, high) : 0;
	}
}

static int take_curve(struct space_report *r, const struct engine *e, __u16 vm,
		      enum page_space space, const __u64 *sizes, size_t n)
{
	__u64 defaults[REPORT_POINTS];

	if (!sizes) {
		n = size__defaults(r->max_distance, defaults, REPORT_POINTS);
		sizes = defaults;
	}
	r->curve = calloc(n ? n : 1, sizeof(*r->curve));
	if (!r->curve)
		return -ENOMEM;
	r->nr_points = n;
	return engine__curve(e, vm, space, sizes, n, r->curve);
}

static int take_space(struct space_report *r, const struct engine *e, __u16 vm,
		      enum page_space space, const __u64 *sizes, size_t n)
{
	r->seen = engine__counts(e, vm, space, &r->counts);
	r->order = engine__order(e, vm, space);
	if (!r->seen)
		return 0;
	r->max_distance = engine__max_distance(e, vm, space);
	take_reuse(r, e, vm, space);
	return take_curve(r, e, vm, space, sizes, n);
}

struct vm_report *vm_report__new(const struct engine *e, __u16 vm, const char *name,
				 const struct vm_counters *counters, const __u64 *sizes, size_t n)
{
	struct vm_report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->vm = vm;
	if (counters) {
		r->has_counters = true;
		r->counters = *counters;
	}
	r->name = strdup(name);
	if (!r->name)
		goto fail;
	for (int space = 0; space < PAGE_SPACES; space++)
		if (take_space(&r->space[space], e, vm, space, sizes, n))
			goto fail;
	return r;
fail:
	vm_report__free(r);
	return NULL;
}

int space_report__tell_past(struct space_report *r, const struct past *past,
			    const struct curve_point *points, size_t n)
{
	struct curve_point *curve = calloc(n + 1, sizeof(*curve));

	if (!curve)
		return -ENOMEM;
	memcpy(curve, points, n * sizeof(*curve));
	free(r->curve);
	r->curve = curve;
	r->nr_points = n;
	r->past = *past;
	return 0;
}

void vm_report__free(struct vm_report *r)
{
	if (!r)
		return;
	for (int space = 0; space < PAGE_SPACES; space++)
		free(r->space[space].curve);
	free(r->checks);
	free(r->name);
	free(r);
}
