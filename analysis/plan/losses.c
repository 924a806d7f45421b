// SPDX-License-Identifier: GPL-2.0
#include "losses.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "../../cache/minmax.h"

struct entry {
	double misses; /* a second */
	double seen;   /* when; -INFINITY: never */
};

struct losses {
	__u64 granule;
	double keep;
	size_t n;
	struct entry *at; /* i: i granules */
};

struct losses *losses__new(__u64 granule, double keep)
{
	struct losses *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->granule = granule;
	l->keep = keep;
	return l;
}

void losses__free(struct losses *l)
{
	if (!l)
		return;
	free(l->at);
	free(l);
}

static size_t index_of(const struct losses *l, __u64 pages)
{
	return (pages + l->granule / 2) / l->granule;
}

static int make_room(struct losses *l, size_t n)
{
	struct entry *at;

	if (n <= l->n)
		return 0;
	at = realloc(l->at, n * sizeof(*at));
	if (!at)
		return -ENOMEM;
	l->at = at;
	while (l->n < n)
		at[l->n++] = (struct entry){.seen = -INFINITY};
	return 0;
}

int losses__see(struct losses *l, __u64 from, __u64 most, double (*misses)(void *ctx, __u64 pages),
		void *ctx, double time)
{
	size_t first = index_of(l, from), end = index_of(l, most) + 1;
	int err = make_room(l, end);

	for (size_t i = first; i < end && !err; i++) {
		__u64 pages = i * l->granule;

		l->at[i].misses = misses(ctx, larger(pages, from));
		l->at[i].seen = time;
	}
	return err;
}

static bool is_known(const struct losses *l, size_t i, double time)
{
	return i < l->n && time - l->at[i].seen <= l->keep;
}

bool losses__at(const struct losses *l, __u64 pages, double time, double *misses)
{
	size_t i = index_of(l, pages);

	if (!is_known(l, i, time))
		return false;
	*misses = l->at[i].misses;
	return true;
}

__u64 losses__known_from(const struct losses *l, __u64 pages, double time)
{
	size_t i = index_of(l, pages);

	if (!is_known(l, i, time))
		return pages;
	while (i && is_known(l, i - 1, time))
		i--;
	return smaller(i * l->granule, pages);
}

/* More memory never means more misses: what was seen at some time is held against what was seen at
 * another. */
static double most_misses(const struct losses *l, __u64 pages, __u64 now, double time)
{
	size_t end = index_of(l, larger(now, pages)) + 1;
	double most = 0;

	for (size_t i = index_of(l, pages); i < end; i++)
		if (is_known(l, i, time) && l->at[i].misses > most)
			most = l->at[i].misses;
	return most;
}

double losses__cost(const struct losses *l, __u64 pages, __u64 now, const struct losses_price *p,
		    double time)
{
	__u64 from = losses__known_from(l, now, time);
	double below = pages < from ? (double)(from - pages) / p->step : 0;

	return most_misses(l, larger(pages, from), now, time) * p->miss + below * p->trial;
}

static size_t keep_descents(struct plan_step *steps, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!kept || steps[i].cost < steps[kept - 1].cost)
			steps[kept++] = steps[i];
	return kept;
}

/* As losses__cost() of each size: from the largest down, so that each entry is looked at once. */
int losses__steps(const struct losses *l, __u64 least, __u64 most, __u64 now,
		  const struct losses_price *p, double time, struct plan_step **out, size_t *n)
{
	size_t count = (most - least) / l->granule + 1;
	__u64 from = losses__known_from(l, now, time);
	__u64 last = least + (count - 1) * l->granule;
	double worst = most_misses(l, larger(last, from), now, time);
	struct plan_step *steps = calloc(count, sizeof(*steps));

	*out = steps;
	*n = 0;
	if (!steps)
		return -ENOMEM;
	for (size_t i = count; i-- > 0;) {
		__u64 size = least + i * l->granule;
		size_t at = index_of(l, larger(size, from));
		double below = size < from ? (double)(from - size) / p->step : 0;

		if (is_known(l, at, time) && l->at[at].misses > worst)
			worst = l->at[at].misses;
		steps[i] = (struct plan_step){size, worst * p->miss + below * p->trial};
	}
	*n = keep_descents(steps, count);
	return 0;
}
