// SPDX-License-Identifier: GPL-2.0
#include "mrc_past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/recent.h"
#include "../analysis/size.h"

/* 256 TiB of pages, eight sizes to each power of two: a distance is off by a sixteenth at most. */
#define OCTAVES 36
#define PARTS 8
/* Lines of the table of sizes when none are asked for: 0, and powers of two. */
#define TABLE_SIZES 12

/* Both ascending. */
static size_t merge(const __u64 *a, size_t na, const __u64 *b, size_t nb, __u64 *out)
{
	size_t n = 0;

	while (na || nb) {
		__u64 x = !nb || (na && *a < *b) ? *a : *b;

		out[n++] = x;
		while (na && *a == x)
			a++, na--;
		while (nb && *b == x)
			b++, nb--;
	}
	return n;
}

int past_sizes__init(struct past_sizes *s, const struct mrc_options *o)
{
	__u64 grid[2 + PARTS * OCTAVES];
	size_t n = size__grid(PARTS, OCTAVES, grid);

	s->v = calloc(n + o->nr_sizes, sizeof(*s->v));
	if (!s->v)
		return -ENOMEM;
	s->n = merge(grid, n, o->sizes, o->sizes ? o->nr_sizes : 0, s->v);
	return 0;
}

void past_sizes__free(struct past_sizes *s)
{
	free(s->v);
	*s = (struct past_sizes){0};
}

static size_t points_asked(const struct mrc_options *o, const struct curve_point *all, size_t n,
			   struct curve_point *out)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		if (found < o->nr_sizes && all[i].size == o->sizes[found])
			out[found++] = all[i];
	return found;
}

size_t mrc_past__points(const struct mrc_options *o, const struct curve_point *all, size_t n,
			struct curve_point *out)
{
	if (o->sizes)
		return points_asked(o, all, n, out);
	n = recent__until_flat(all, n);
	memcpy(out, all, n * sizeof(*out));
	return n;
}

/* 0, and the last powers of two before the end. */
static size_t points_of_table(const struct curve_point *all, size_t n, struct curve_point *out)
{
	__u64 lowest = all[n - 1].size >> (TABLE_SIZES - 2);
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		__u64 size = all[i].size;

		if (!size || (size > lowest && !(size & (size - 1))))
			out[found++] = all[i];
	}
	return found;
}

int mrc_past__tell(const struct mrc_options *o, const struct curve_point *all, size_t n, bool table,
		   struct space_report *report)
{
	struct curve_point *points = calloc(n + 1, sizeof(*points));
	size_t flat = recent__until_flat(all, n);
	int err = -ENOMEM;

	if (!points)
		return err;
	if (!table)
		err = space_report__tell_past(report, &o->past, all, flat);
	else if (o->sizes)
		err = space_report__tell_past(report, &o->past, points,
					      points_asked(o, all, n, points));
	else
		err = space_report__tell_past(report, &o->past, points,
					      points_of_table(all, flat, points));
	free(points);
	return err;
}
