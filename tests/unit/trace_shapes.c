// SPDX-License-Identifier: GPL-2.0
#include "trace_shapes.h"

#define PHASES 8

const char *trace_shape__name(enum trace_shape shape)
{
	static const char *const names[SHAPES] = {"uniform", "zipf", "loop", "scans", "phases"};

	return names[shape];
}

static void loop(struct random *r, __u64 pages, __u64 *out, size_t n)
{
	__u64 length = 1 + pages / 4 + random__below(r, pages - pages / 4);

	for (size_t i = 0; i < n; i++)
		out[i] = i % length < pages ? i % length : 0;
}

static void scans(struct random *r, __u64 pages, __u64 *out, size_t n)
{
	__u64 next = 0, left = 0;

	for (size_t i = 0; i < n; i++) {
		if (!left && random__one_in(r, pages)) {
			next = random__below(r, pages);
			left = random__below(r, pages);
		}
		out[i] = left ? next++ % pages : random__zipf(r, pages, 0.9);
		left -= !!left;
	}
}

static void phases(struct random *r, __u64 pages, __u64 *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		__u64 from = i * PHASES / n * pages / PHASES;
		__u64 hot = (from + random__below(r, 1 + pages / 4)) % pages;

		out[i] = random__one_in(r, 8) ? random__below(r, pages) : hot;
	}
}

void trace_shape__fill(enum trace_shape shape, struct random *r, __u64 pages, __u64 *out, size_t n)
{
	switch (shape) {
	case SHAPE_LOOP:
		return loop(r, pages, out, n);
	case SHAPE_SCANS:
		return scans(r, pages, out, n);
	case SHAPE_PHASES:
		return phases(r, pages, out, n);
	default:
		for (size_t i = 0; i < n; i++)
			out[i] = shape == SHAPE_ZIPF ? random__zipf(r, pages, 0.9)
						     : random__below(r, pages);
	}
}
