// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "curve_window.h"
#include "mrc.h"

/* From the one at or before the window's begin up to the present. */
#define SNAPSHOTS (CURVE_WINDOW_STEPS + 1)

struct snapshot {
	__u64 time; /* nothing was added since, up to the next one's time */
	struct curve_sums *sums;
};

struct curve_window {
	__u64 window, half_life; /* one is 0 */
	__u64 step, due, start;
	struct curve_sums *present;
	/* Of a window: the last snapshots, a ring; the newest is the one before `next`. */
	struct snapshot ring[SNAPSHOTS];
	unsigned int next, nr;
	/* Of a half-life: as of the last step, all sums, and what was added by its weight. */
	struct curve_sums *faded, *before;
	__u64 faded_at;
};

static int make_sums(struct curve_window *w, const __u64 *sizes, size_t n)
{
	w->present = curve_sums__new(sizes, n);
	if (w->window)
		return w->present ? 0 : -ENOMEM;
	w->before = curve_sums__new(sizes, n);
	w->faded = curve_sums__new(sizes, n);
	return w->present && w->before && w->faded ? 0 : -ENOMEM;
}

struct curve_window *curve_window__new(const struct curve_window_opts *opts)
{
	struct curve_window_opts o = {0};
	struct curve_window *w;

	memcpy(&o, opts, opts->sz < sizeof(o) ? opts->sz : sizeof(o));
	if (!o.window == !o.half_life || !o.nr_sizes) {
		errno = EINVAL;
		return NULL;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->window = o.window;
	w->half_life = o.half_life;
	/* Rounded up: the snapshots have to reach back to the window's begin. */
	w->step = (o.window + o.half_life - 1) / CURVE_WINDOW_STEPS + 1;
	w->start = w->faded_at = o.start;
	w->due = o.start + w->step;
	if (make_sums(w, o.sizes, o.nr_sizes)) {
		curve_window__free(w);
		errno = ENOMEM;
		return NULL;
	}
	return w;
}

void curve_window__free(struct curve_window *w)
{
	if (!w)
		return;
	for (int i = 0; i < SNAPSHOTS; i++)
		free(w->ring[i].sums);
	free(w->present);
	free(w->before);
	free(w->faded);
	free(w);
}

__u64 curve_window__due(const struct curve_window *w)
{
	return w->due;
}

struct curve_sums *curve_window__present(struct curve_window *w)
{
	return w->present;
}

/* --- a window --- */

static int snapshot(struct curve_window *w, __u64 time)
{
	struct snapshot *s = &w->ring[w->next];
	size_t bytes = sizeof(*s->sums) + w->present->n * sizeof(w->present->at[0]);

	if (!s->sums)
		s->sums = malloc(bytes);
	if (!s->sums)
		return -ENOMEM;
	curve_sums__copy(s->sums, w->present);
	s->time = time;
	w->next = (w->next + 1) % SNAPSHOTS;
	if (w->nr < SNAPSHOTS)
		w->nr++;
	return 0;
}

/* The last one at or before a time; NULL: before the first, where all sums are zero. The oldest
 * of a full ring is a whole window before the newest. */
static const struct curve_sums *as_of(const struct curve_window *w, __u64 time)
{
	for (unsigned int back = 1; back <= w->nr; back++) {
		const struct snapshot *s = &w->ring[(w->next + SNAPSHOTS - back) % SNAPSHOTS];

		if (s->time <= time)
			return s->sums;
	}
	return NULL;
}

/* --- a half-life --- */

static double fade(const struct curve_window *w, __u64 now)
{
	return exp2(-(double)(now - w->faded_at) / w->half_life);
}

static void scale(struct curve_sums *s, double factor)
{
	curve_sums__add(s, s, factor - 1);
}

static void fade_step(struct curve_window *w, __u64 now)
{
	scale(w->faded, fade(w, now));
	curve_sums__add(w->faded, w->present, 1);
	curve_sums__add(w->faded, w->before, -1);
	curve_sums__copy(w->before, w->present);
	w->faded_at = now;
}

/* --- both --- */

int curve_window__push(struct curve_window *w, __u64 now)
{
	__u64 due = w->due;

	if (now < due)
		return 0;
	w->due = now - (now - w->start) % w->step + w->step;
	/* Nothing was added since it was due. */
	if (w->window)
		return snapshot(w, due);
	fade_step(w, due);
	return 0;
}

/* What the window began with. Nothing comes behind what is due before a step is made: when that is
 * over, all is. */
static const struct curve_sums *begin(const struct curve_window *w, __u64 now)
{
	if (now - w->start <= w->window)
		return NULL;
	return now - w->window >= w->due ? w->present : as_of(w, now - w->window);
}

/* What was added since the last step is as good as new until the next one is due. */
static void add_faded(struct curve_window *w, __u64 now)
{
	curve_sums__add(w->present, w->before, -1);
	if (now > w->due)
		scale(w->present, exp2(-(double)(now - w->due) / w->half_life));
	curve_sums__add(w->present, w->faded, fade(w, now));
}

void curve_window__points(struct curve_window *w, __u64 now, struct curve_point *out)
{
	const struct curve_sums *before;

	if (w->half_life) {
		add_faded(w, now);
	} else {
		before = begin(w, now);
		if (before)
			curve_sums__add(w->present, before, -1);
	}
	curve_sums__points(w->present, out);
}

int curve_window__step(struct curve_window *w, const struct mrc *m, __u64 now)
{
	if (now < w->due)
		return 0;
	return mrc__sums(m, w->present) ?: curve_window__push(w, now);
}

int curve_window__curve(struct curve_window *w, const struct mrc *m, __u64 now,
			struct curve_point *out)
{
	int err = mrc__sums(m, w->present);

	if (!err)
		curve_window__points(w, now, out);
	return err;
}
