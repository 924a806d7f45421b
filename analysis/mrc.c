// SPDX-License-Identifier: GPL-2.0
/* A stream of references to its miss curve: filter, stack, histogram. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../cache/lru_stack.h"
#include "../cache/region.h"
#include "detail.h"
#include "mrc.h"
#include "reuse_histogram.h"
#include "sample.h"
#include "sampler.h"

/* References done at once: hashes and distances of those that are followed stay in the L1 cache,
 * and where few are, there are enough to overlap. */
#define FOLLOWED 1024
#define CHUNK 8192
/* At a bound, the rate falls so that one page in so many is dropped. */
#define FALL 16
#define MIN_PAGES 64
/* At a bound, the rate for which small sizes are prepared: 64 Ki times as many pages. */
#define LOW_RATE 0x1p-16
/* Below it numbers of pages and references would not fit into 64 bits. */
#define MIN_RATE 0x1p-32

struct mrc {
	struct memory memory;
	struct lru_stack *stack;
	struct reuse_histogram *reuse;
	struct detail *detail; /* NULL: none */
	struct sampler sampler;
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

static int set_up(struct mrc *m, const struct mrc_opts *o)
{
	memory__init(&m->memory, 0);
	m->max_pages = o->max_pages;
	m->stack = lru_stack__new(&m->memory);
	m->reuse = reuse_histogram__new(&m->memory);
	if (!m->stack || !m->reuse || sampler__init(&m->sampler, o->rate, o->seed, o->max_pages))
		return -ENOMEM;
	if (o->detail > 0)
		m->detail = detail__new(&m->memory, m->sampler.filter.key, o->detail,
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
	sampler__free(&m->sampler);
	free(m);
}

/* --- what is known of the sample --- */

static struct curve_scale plain_scale(const struct mrc *m)
{
	return (struct curve_scale){
		.rate = m->sampler.rate,
		.sampled = m->accesses - m->all,
		.stretch = 1,
	};
}

static struct curve_scale known_scale(const struct mrc *m)
{
	struct sampler_known k = sampler__known(&m->sampler, lru_stack__pages(m->stack),
						reuse_histogram__cold_misses(m->reuse));
	struct curve_scale s = plain_scale(m);

	s.pages = k.pages;
	s.pages_error = k.pages_error;
	s.stretch = k.stretch;
	s.certain = k.certain;
	return s;
}

/* --- the bound --- */

static bool is_followed(const void *sampler, __u64 hash)
{
	return sampler__follows(sampler, hash);
}

/* Follow fewer pages: at last no more than FALL, however pages were chosen. */
static void fall(struct mrc *m)
{
	sampler__lower(&m->sampler, m->sampler.threshold - m->sampler.threshold / FALL);
	lru_stack__retain(m->stack, is_followed, &m->sampler);
	m->density = m->sampler.rate * known_scale(m).stretch;
}

/*
 * Look at the bound: when it is about to be met, the rate falls (by how much the pages' number
 * does, depends on their lots). Then as many references are safe as there is room for pages. The
 * next look is at that reference, however many come at once: the same stream gives the same sample.
 */
static void keep_bound(struct mrc *m)
{
	__u64 room = fmin(FOLLOWED / sample__rate(m->sampler.filter.threshold), CHUNK);

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
	struct reuse r = {.rate = m->sampler.rate, .density = m->density};

	if (m->sampler.rate >= 1)
		return reuse_histogram__exact(m->reuse, m->distances, n,
					      lru_stack__pages(m->stack));
	for (size_t i = 0; i < n; i++) {
		int err;

		r.group = estimate__group(m->lots[i], m->sampler.threshold);
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

static int access_chunk(struct mrc *m, const __u64 *pages, size_t n)
{
	size_t followed = sampler__take(&m->sampler, pages, n, m->hashes, m->lots);

	return followed ? follow(m, followed) : 0;
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
			err = detail__access(m->detail, pages, now, m->sampler.rate);
		if (err)
			return err;
		m->accesses += now;
		if (m->sampler.rate >= 1)
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
		.rate = m->sampler.rate,
		.bytes = sizeof(*m) + m->memory.used + reuse_histogram__heap(m->reuse) +
			 sampler__heap(&m->sampler),
	};
	if (!m->detail)
		return;
	out->samples += detail__cost(m->detail);
	out->bytes += detail__heap();
}

static int take_sums(const struct mrc *m, const struct curve_scale *scale, struct curve_sums *out)
{
	int err = curve_sums__take(out, m->reuse, scale);

	if (!err && m->detail && m->sampler.rate < 1)
		detail__take(m->detail, out, m->sampler.rate, m->accesses - m->all);
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
