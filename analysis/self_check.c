// SPDX-License-Identifier: GPL-2.0
#include "self_check.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Memory that differs by less is the same: a VMM's own few pages come and go. */
#define SAME_PART 50
#define SAME_PAGES 256
/* What may be missing from a warm-up's fills when its time is up does no harm. */
#define WARM_UP_MAX 60.0
/* Of less nothing is said. */
#define STAY_MIN 2.0
/* From so many seconds on a difference is no passing one; nor is it below such a miss ratio. */
#define DIFFERS_FOR 60.0
#define DIFFERS_BY 0.05

struct stay {
	__u64 memory;
	struct check_moment since; /* the warm-up's begin, then its end */
	double began;
	__u64 to_fill; /* of the warm-up */
	bool warm;
};

/* What is kept of a stay that is over. */
struct seen {
	__u64 memory; /* 0: there was none */
	double rate;  /* misses a second */
	struct curve_point *curve;
};

struct self_check {
	struct self_check_opts o;
	struct check_moment last;
	struct stay stay;
	struct curve_sums *since; /* as of the end of the stay's warm-up */
	struct curve_sums *present;
	struct seen before;
	struct check *over;
	size_t nr_over;
	bool started_again;
};

struct self_check *self_check__new(const struct self_check_opts *opts)
{
	struct self_check *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->o = *opts;
	c->since = curve_sums__new(opts->sizes, opts->nr_sizes);
	c->present = curve_sums__new(opts->sizes, opts->nr_sizes);
	c->before.curve = calloc(opts->nr_sizes, sizeof(*c->before.curve));
	if (!c->since || !c->present || !c->before.curve) {
		self_check__free(c);
		return NULL;
	}
	return c;
}

void self_check__free(struct self_check *c)
{
	if (!c)
		return;
	free(c->since);
	free(c->present);
	free(c->before.curve);
	free(c->over);
	free(c);
}

/* --- stays --- */

static bool same(__u64 a, __u64 b)
{
	__u64 off = a > b ? a - b : b - a, most = (a > b ? a : b) / SAME_PART;

	return off <= (most > SAME_PAGES ? most : SAME_PAGES);
}

/* Of a VM that was not seen before, or is booted, all memory; else what was added to it. */
static void stay__begin(struct self_check *c, const struct check_moment *now)
{
	bool known = c->before.memory && !c->started_again;
	__u64 had = known ? c->before.memory : 0;

	c->stay = (struct stay){
		.memory = now->memory,
		.since = *now,
		.began = now->time,
		.to_fill = now->memory > had ? now->memory - had : 0,
	};
}

static int take_sums(struct self_check *c, struct curve_sums *out)
{
	int err = c->o.sums(c->o.ctx, out);

	if (err == -ENOENT) {
		curve_sums__add(out, out, -1);
		return 0;
	}
	return err;
}

static int warm_up(struct self_check *c, const struct check_moment *now)
{
	struct stay *s = &c->stay;
	int err;

	if (s->warm ||
	    (now->fills - s->since.fills < s->to_fill && now->time - s->since.time < WARM_UP_MAX))
		return 0;
	err = take_sums(c, c->since);
	if (err)
		return err;
	s->warm = true;
	s->since = *now;
	return 0;
}

static double stay__seconds(const struct self_check *c)
{
	return c->stay.warm ? c->last.time - c->stay.since.time : 0;
}

static double stay__rate(const struct self_check *c)
{
	return (c->last.fills - c->stay.since.fills) / stay__seconds(c);
}

/* Of the stay alone; out has room for all sizes. */
static int stay__curve(struct self_check *c, struct curve_point *out)
{
	int err = take_sums(c, c->present);

	if (err)
		return err;
	curve_sums__add(c->present, c->since, -1);
	curve_sums__points(c->present, out);
	return 0;
}

/* --- two stays --- */

/* What a curve says that so many pages more would miss, of `rate` misses a second. */
static void predict(const struct self_check *c, const struct curve_point *curve, __u64 more,
		    double rate, struct check *out)
{
	struct curve_point p = curve_point__at(curve, c->o.nr_sizes, more);

	/* A curve without an access was seen to miss nothing. */
	out->predicted = rate * curve_point__ratio(&p);
	out->error = rate * p.error;
	out->smaller = rate;
}

static void compare(const struct self_check *c, const struct curve_point *curve, struct check *out)
{
	const struct seen *b = &c->before;
	double rate = stay__rate(c);

	*out = (struct check){
		.at = c->stay.began,
		.before = b->memory,
		.now = c->stay.memory,
		.seconds = stay__seconds(c),
	};
	if (out->now >= out->before) {
		predict(c, b->curve, out->now - out->before, b->rate, out);
		out->observed = rate;
	} else {
		predict(c, curve, out->before - out->now, rate, out);
		out->observed = b->rate;
	}
}

static bool stay__counts(const struct self_check *c)
{
	return stay__seconds(c) >= STAY_MIN;
}

int self_check__running(struct self_check *c, struct check *out)
{
	struct curve_point *curve;
	int err;

	if (!c->before.memory || same(c->before.memory, c->stay.memory) || !stay__counts(c))
		return -ENOENT;
	curve = calloc(c->o.nr_sizes, sizeof(*curve));
	if (!curve)
		return -ENOMEM;
	err = stay__curve(c, curve);
	if (!err)
		compare(c, curve, out);
	free(curve);
	return err;
}

const struct check *self_check__over(const struct self_check *c, size_t *n)
{
	*n = c->nr_over;
	return c->over;
}

/* What the next stay is compared with. */
static int stay__keep(struct self_check *c)
{
	struct curve_point *curve = calloc(c->o.nr_sizes, sizeof(*curve));
	int err = curve ? stay__curve(c, curve) : -ENOMEM;

	if (err) {
		free(curve);
		return err;
	}
	free(c->before.curve);
	c->before = (struct seen){c->stay.memory, stay__rate(c), curve};
	c->started_again = false;
	return 0;
}

/* A stay too short to tell leaves things as they were. */
static int stay__end(struct self_check *c)
{
	struct check *over;
	struct check check;
	int err;

	if (!stay__counts(c))
		return 0;
	err = self_check__running(c, &check);
	if (!err) {
		over = realloc(c->over, (c->nr_over + 1) * sizeof(*over));
		if (!over)
			return -ENOMEM;
		c->over = over;
		c->over[c->nr_over++] = check;
	}
	return err && err != -ENOENT ? err : stay__keep(c);
}

int self_check__tell(struct self_check *c, const struct check_moment *now)
{
	bool changed = c->stay.memory && !same(c->stay.memory, now->memory);
	int err = 0;

	if (!now->memory)
		return 0;
	if (changed)
		err = stay__end(c);
	if (changed || !c->stay.memory)
		stay__begin(c, now);
	c->last = *now;
	return err ?: warm_up(c, now) ?: changed;
}

int self_check__end(struct self_check *c)
{
	int err = stay__end(c);

	c->stay = (struct stay){0};
	return err;
}

int self_check__follows(struct self_check *c, const struct self_check *last)
{
	if (!last->before.memory || c->before.memory)
		return 0;
	if (last->o.nr_sizes != c->o.nr_sizes)
		return -EINVAL;
	memcpy(c->before.curve, last->before.curve, c->o.nr_sizes * sizeof(*c->before.curve));
	c->before.memory = last->before.memory;
	c->before.rate = last->before.rate;
	c->started_again = true;
	return 0;
}

/* --- what to think of it --- */

double check__difference(const struct check *c)
{
	return c->smaller > 0 ? (c->predicted - c->observed) / c->smaller : 0;
}

bool check__differs(const struct check *c)
{
	double error = c->smaller > 0 ? c->error / c->smaller : 0;

	return c->seconds >= DIFFERS_FOR && fabs(check__difference(c)) > DIFFERS_BY + error;
}
