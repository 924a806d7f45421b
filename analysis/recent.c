// SPDX-License-Identifier: GPL-2.0
#include "recent.h"

#include <errno.h>
#include <stdlib.h>

#include "curve_window.h"

#define NEVER (~0ULL)

struct recent {
	struct recent_opts o;
	bool refs; /* times are references */
	__u64 start;
	struct curve_window *window;	 /* NULL: of each interval alone, */
	struct curve_sums *now, *before; /* then: as of its end, as of its begin */
	struct curve_sums *between;
	struct curve_point *points;
	/* The interval: what was told of ends at `told`. */
	__u64 due, told, refs_before;
};

static __u64 in_unit(const struct recent *r, struct moment m)
{
	return r->refs ? m.refs : m.ns;
}

static int make_window(struct recent *r)
{
	struct curve_window_opts opts = {
		.sz = sizeof(opts),
		.window = r->o.past.window.n,
		.half_life = r->o.past.half_life.n,
		.start = in_unit(r, r->o.first),
		.sizes = r->o.sizes,
		.nr_sizes = r->o.nr_sizes,
	};

	r->window = curve_window__new(&opts);
	return r->window ? 0 : -ENOMEM;
}

static int make_sums(struct recent *r)
{
	r->now = curve_sums__new(r->o.sizes, r->o.nr_sizes);
	r->before = curve_sums__new(r->o.sizes, r->o.nr_sizes);
	r->between = curve_sums__new(r->o.sizes, r->o.nr_sizes);
	return r->now && r->before && r->between ? 0 : -ENOMEM;
}

/* The begin of the interval that a time falls into. */
static __u64 begin_of(const struct recent *r, __u64 time)
{
	return time - (time - r->start) % r->o.every.n;
}

struct recent *recent__new(const struct recent_opts *opts)
{
	struct recent *r = calloc(1, sizeof(*r));
	bool windowed = past__limited(&opts->past);

	if (!r)
		return NULL;
	r->o = *opts;
	r->refs = windowed ? past__span(&opts->past)->refs : opts->every.refs;
	r->start = in_unit(r, opts->start);
	r->refs_before = opts->first.refs;
	r->told = opts->every.n ? begin_of(r, in_unit(r, opts->first)) : 0;
	r->due = opts->every.n ? r->told + opts->every.n : NEVER;
	r->points = calloc(opts->nr_sizes + 1, sizeof(*r->points));
	if (!r->points || (windowed ? make_window(r) : make_sums(r))) {
		recent__free(r);
		return NULL;
	}
	return r;
}

void recent__free(struct recent *r)
{
	if (!r)
		return;
	curve_window__free(r->window);
	free(r->now);
	free(r->before);
	free(r->between);
	free(r->points);
	free(r);
}

/* --- curves --- */

static int window_curve(struct recent *r, __u64 now, struct curve_point *out)
{
	int err = r->o.sums(r->o.ctx, curve_window__present(r->window));

	if (!err)
		curve_window__points(r->window, now, out);
	return err;
}

/* Of what came since the last one. */
static int interval_curve(struct recent *r, struct curve_point *out)
{
	struct curve_sums *now = r->now;
	int err = r->o.sums(r->o.ctx, now);

	if (err)
		return err;
	curve_sums__copy(r->between, now);
	curve_sums__add(r->between, r->before, -1);
	curve_sums__points(r->between, out);
	r->now = r->before;
	r->before = now;
	return 0;
}

int recent__curve(struct recent *r, struct moment now, struct curve_point *out)
{
	if (r->window)
		return window_curve(r, in_unit(r, now), out);
	return -EINVAL;
}

/* Differences of estimates are rounded. */
size_t recent__until_flat(const struct curve_point *curve, size_t n)
{
	double end = curve[n - 1].misses + 1e-9 * curve[n - 1].accesses;

	while (n > 1 && curve[n - 2].misses <= end)
		n--;
	return n;
}

/* --- intervals --- */

/* Since the start. */
static int tell(struct recent *r, __u64 from, __u64 to, __u64 refs, const struct curve_point *curve)
{
	const struct interval i = {
		.refs = r->refs,
		.from = from - r->start,
		.to = to - r->start,
		.references = refs,
		.curve = curve,
	};

	return r->o.interval(r->o.ctx, &i);
}

/* It began at `begin`; what was not told of before it had no reference. */
static int tell_interval(struct recent *r, __u64 begin, __u64 end, __u64 refs)
{
	int err = r->told < begin ? tell(r, r->told, begin, 0, NULL) : 0;

	if (!err)
		err = r->window ? window_curve(r, end, r->points) : interval_curve(r, r->points);
	/* The last one may consist of a single moment: that is no time, but no nothing either. */
	if (end == begin)
		end++;
	if (!err)
		err = tell(r, begin, end, refs - r->refs_before, r->points);
	r->told = end;
	r->refs_before = refs;
	return err;
}

static int end_interval(struct recent *r, __u64 now, __u64 refs)
{
	__u64 end = r->due;

	/* The next one is that of the reference to come, however far off. */
	r->due = begin_of(r, now) + r->o.every.n;
	return refs > r->refs_before ? tell_interval(r, end - r->o.every.n, end, refs) : 0;
}

int recent__end(struct recent *r, struct moment m)
{
	__u64 now = in_unit(r, m);
	int err = recent__pass(r, m);

	if (err || !r->o.every.n)
		return err;
	if (m.refs > r->refs_before)
		return tell_interval(r, begin_of(r, now), now, m.refs);
	return r->told < now ? tell(r, r->told, now, 0, NULL) : 0;
}

/* --- time --- */

static __u64 window_due(const struct recent *r)
{
	return r->window ? curve_window__due(r->window) : NEVER;
}

__u64 recent__due(const struct recent *r)
{
	return r->due < window_due(r) ? r->due : window_due(r);
}

static int step_window(struct recent *r, __u64 now)
{
	int err = r->o.sums(r->o.ctx, curve_window__present(r->window));

	return err ?: curve_window__push(r->window, now);
}

/* In the order of their times: a window cannot be asked for what lies before its last step. */
int recent__pass(struct recent *r, struct moment m)
{
	__u64 now = in_unit(r, m);
	int err = 0;

	while (!err && recent__due(r) <= now) {
		if (r->due <= window_due(r))
			err = end_interval(r, now, m.refs);
		else
			err = step_window(r, r->due < now ? r->due : now);
	}
	return err;
}
