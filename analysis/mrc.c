// SPDX-License-Identifier: GPL-2.0
/* A stream of references to its miss curve: filter, stack, histogram. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../cache/lru_stack.h"
#include "../cache/region.h"
#include "detail.h"
#include "distinct.h"
#include "filter.h"
#include "mrc.h"
#include "reuse_histogram.h"
#include "sample.h"

/* References done at once: hashes and distances of those that are followed stay in the L1 cache,
 * and where few are, there are enough to overlap. */
#define FOLLOWED 1024
#define CHUNK 8192
/* At a bound, the rate falls so that one page in so many is dropped. */
#define FALL 16
#define MIN_PAGES 64
/* Pages that are counted, for each one that is followed. Where the rate is to fall from 1 all are,
 * which costs no more than to choose among them. */
#define COUNT_FACTOR 8
/* At a bound, the rate for which small sizes are prepared: 64 Ki times as many pages. */
#define LOW_RATE 0x1p-16
/* Below it numbers of pages and references would not fit into 64 bits. */
#define MIN_RATE 0x1p-32

struct mrc {
	struct memory memory;
	struct lru_stack *stack;
	struct reuse_histogram *reuse;
	struct detail *detail;	   /* NULL: none */
	struct filter filter;	   /* of the pages that are looked at: */
	__u64 threshold;	   /* of those that are followed, */
	__u64 count_threshold;	   /* and of those that are counted */
	struct distinct *distinct; /* NULL while every page is followed, and will be */
	double rate;
	double density; /* pages followed for each page there is, when the rate last fell; or 0 */
	__u64 max_pages;
	__u64 accesses, all; /* references; those when every page was followed */
	__u64 next_look;     /* at the bound, in references */
	__u64 hashes[CHUNK], lots[CHUNK];
	__u32 distances[CHUNK];
};

static bool valid(const struct mrc_opts *o)
{
	return o->rate >= MIN_RATE && o->rate <= 1 &&
	       (!o->max_pages || o->max_pages >= MIN_PAGES) && o->detail >= 0 &&
	       isfinite(o->detail);
}

static void look_at(struct mrc *m)
{
	m->filter.threshold = m->threshold > m->count_threshold ? m->threshold : m->count_threshold;
	m->rate = sample__rate(m->threshold);
}

static int set_up(struct mrc *m, const struct mrc_opts *o)
{
	memory__init(&m->memory, 0);
	m->filter.key = sample__key(o->seed);
	m->filter.isa = filter__best();
	m->threshold = sample__threshold(o->rate);
	m->count_threshold = sample__threshold(fmin(COUNT_FACTOR * o->rate, 1));
	look_at(m);
	m->max_pages = o->max_pages;
	m->stack = lru_stack__new(&m->memory);
	m->reuse = reuse_histogram__new(&m->memory);
	if (!m->stack || !m->reuse)
		return -ENOMEM;
	if (o->rate < 1 || o->max_pages)
		m->distinct = calloc(1, sizeof(*m->distinct));
	if ((o->rate < 1 || o->max_pages) && !m->distinct)
		return -ENOMEM;
	if (o->detail > 0)
		m->detail = detail__new(&m->memory, m->filter.key, o->detail,
					o->max_pages ? LOW_RATE : o->rate);
	return o->detail > 0 && !m->detail ? -ENOMEM : 0;
}

struct mrc *mrc__new(const struct mrc_opts *opts)
{
	struct mrc_opts o = {0};
	struct mrc *m;

	memcpy(&o, opts, opts->sz < sizeof(o) ? opts->sz : sizeof(o));
	if (o.rate == 0)
		o.rate = 1;
	if (!valid(&o)) {
		errno = EINVAL;
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (m && set_up(m, &o)) {
		mrc__free(m);
		m = NULL;
	}
	if (!m)
		errno = ENOMEM;
	return m;
}

void mrc__free(struct mrc *m)
{
	if (!m)
		return;
	lru_stack__free(m->stack);
	reuse_histogram__free(m->reuse);
	detail__free(m->detail);
	free(m->distinct);
	free(m);
}

/* --- what is known of the sample --- */

static struct curve_scale plain_scale(const struct mrc *m)
{
	return (struct curve_scale){
		.rate = m->rate,
		.sampled = m->accesses - m->all,
		.stretch = 1,
	};
}

/*
 * Double sampling (Cochran, Sampling Techniques, 12.1): the pages that are followed are more or
 * fewer than the rate's share of all, which are known better, for more of them were counted. The
 * ones are among the others: what the two numbers differ by has the difference of their variances,
 * and that of counting.
 */
static struct curve_scale known_scale(const struct mrc *m)
{
	double followed = lru_stack__pages(m->stack), share = sample__rate(m->count_threshold);
	double counting = distinct__error() * distinct__error(), weight;
	double seen = reuse_histogram__cold_misses(m->reuse);
	double counted, of_followed, of_counted, told;
	struct curve_scale s = plain_scale(m);

	if (!m->distinct || m->rate >= share || !(followed > 0))
		return s;
	counted = distinct__estimate(m->distinct) / share;
	of_followed = (1 - m->rate) / followed;
	of_counted = (1 - share) / (counted * share);
	told = of_followed - of_counted;
	if (!(told > 0))
		return s;
	weight = told / (told + counting);
	s.pages = seen + weight * (counted - seen);
	s.pages_error = s.pages * sqrt(of_counted + weight * counting);
	s.certain = weight * told / of_followed;
	s.stretch = 1 + weight * (followed / (counted * m->rate) - 1);
	return s;
}

/* --- the bound --- */

static bool is_followed(const void *ctx, __u64 hash)
{
	const struct mrc *m = ctx;

	return sample__lot(sample__page(hash, m->filter.key), m->filter.key) <= m->threshold;
}

/* Follow fewer pages: at last no more than FALL, however pages were chosen. */
static void fall(struct mrc *m)
{
	m->threshold -= m->threshold / FALL;
	look_at(m);
	lru_stack__retain(m->stack, is_followed, m);
	m->density = m->rate * known_scale(m).stretch;
}

/*
 * Look at the bound: when it is about to be met, the rate falls (by how much the pages' number
 * does, depends on their lots). Then as many references are safe as there is room for pages. The
 * next look is at that reference, however many come at once: the same stream gives the same sample.
 */
static void keep_bound(struct mrc *m)
{
	__u64 room = fmin(FOLLOWED / sample__rate(m->filter.threshold), CHUNK);

	if (m->max_pages) {
		while (m->max_pages - lru_stack__pages(m->stack) <= m->max_pages / (4 * FALL))
			fall(m);
		if (room > m->max_pages - lru_stack__pages(m->stack))
			room = m->max_pages - lru_stack__pages(m->stack);
	}
	m->next_look = m->accesses + room;
}

/* --- references --- */

/* Distances into the histogram. */
static int count(struct mrc *m, size_t n)
{
	struct reuse r = {.rate = m->rate, .density = m->density};

	if (m->rate >= 1)
		return reuse_histogram__exact(m->reuse, m->distances, n,
					      lru_stack__pages(m->stack));
	for (size_t i = 0; i < n; i++) {
		int err;

		r.group = estimate__group(m->lots[i], m->threshold);
		err = m->distances[i] == LRU_COLD
			      ? reuse_histogram__cold(m->reuse, &r)
			      : reuse_histogram__reused(m->reuse, &r, m->distances[i]);
		if (err)
			return err;
	}
	return 0;
}

/* Follow the references of m->hashes. */
static int follow(struct mrc *m, size_t n)
{
	ssize_t done = lru_stack__access(m->stack, m->hashes, n, m->distances);

	if (done < 0)
		return done;
	return count(m, done) ?: (size_t)done < n ? -ENOMEM : 0;
}

/* Count the distinct pages, keep those that are followed. */
static size_t sort_out(struct mrc *m, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (m->lots[i] <= m->count_threshold)
			distinct__add(m->distinct, m->hashes[i]);
		m->hashes[kept] = m->hashes[i];
		m->lots[kept] = m->lots[i];
		kept += m->lots[i] <= m->threshold;
	}
	return kept;
}

static int access_chunk(struct mrc *m, const __u64 *pages, size_t n)
{
	size_t found = filter__apply(&m->filter, pages, n, m->hashes, m->lots);

	if (m->distinct)
		found = sort_out(m, found);
	return found ? follow(m, found) : 0;
}

/* Up to the next look at the bound. */
static size_t at_once(struct mrc *m, size_t n)
{
	if (m->accesses == m->next_look)
		keep_bound(m);
	return n < m->next_look - m->accesses ? n : m->next_look - m->accesses;
}

int mrc__access(struct mrc *m, const __u64 *pages, size_t n)
{
	while (n) {
		size_t now = at_once(m, n);
		int err = access_chunk(m, pages, now);

		if (!err && m->detail)
			err = detail__access(m->detail, pages, now, m->rate);
		if (err)
			return err;
		m->accesses += now;
		if (m->rate >= 1)
			m->all += now;
		pages += now;
		n -= now;
	}
	return 0;
}

/* --- asking --- */

void mrc__counts(const struct mrc *m, struct mrc_counts *out)
{
	*out = (struct mrc_counts){
		.accesses = m->accesses,
		.cold = reuse_histogram__cold_misses(m->reuse),
		.samples = m->all + reuse_histogram__samples(m->reuse),
		.tracked = lru_stack__pages(m->stack),
		.rate = m->rate,
		.bytes = sizeof(*m) + m->memory.used + reuse_histogram__heap(m->reuse),
	};
	if (m->detail)
		out->samples += detail__cost(m->detail);
}

static int take_sums(const struct mrc *m, const struct curve_scale *scale, struct curve_sums *out)
{
	int err = curve_sums__take(out, m->reuse, scale);

	if (!err && m->detail && m->rate < 1)
		detail__take(m->detail, out, m->rate, m->accesses - m->all);
	return err;
}

/* With a bound the distances are right already, each by what was known at its time. */
static struct curve_scale query_scale(const struct mrc *m)
{
	struct curve_scale scale = known_scale(m);

	if (m->density > 0)
		scale.stretch = 1;
	return scale;
}

int mrc__sums(const struct mrc *m, struct curve_sums *out)
{
	struct curve_scale scale = plain_scale(m);

	return take_sums(m, &scale, out);
}

int mrc__curve(const struct mrc *m, const __u64 *sizes, size_t n, struct curve_point *out)
{
	struct curve_sums *sums = curve_sums__new(sizes, n);
	struct curve_scale scale = query_scale(m);
	int err = sums ? take_sums(m, &scale, sums) : -ENOMEM;

	if (!err)
		curve_sums__points(sums, out);
	free(sums);
	return err;
}

__u64 mrc__max_distance(const struct mrc *m)
{
	struct curve_scale scale = query_scale(m);

	return ceil(reuse_histogram__reused_end(m->reuse) / fmin(scale.stretch, 1));
}

double mrc__reuse(const struct mrc *m, __u64 lo, __u64 hi)
{
	if (lo >= hi)
		return 0;
	return reuse_histogram__reused_from(m->reuse, lo) -
	       reuse_histogram__reused_from(m->reuse, hi);
}
