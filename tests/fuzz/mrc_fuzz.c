// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as options and references. The first four bytes choose the options; each group of
 * three after them is a run of references: how pages follow each other, where from, how many.
 */
#include <math.h>

#include "../../analysis/hvanalysis.h"
#include "fuzz.h"

#define SIZES 9
#define MAX_LIST 1024

/* --- the list: reuses by distance, when all pages are followed --- */

/* Its comparisons tell the fuzzer nothing, and are most of all that there are. */
#define PLAIN __attribute__((noinline, no_sanitize("coverage")))

struct list {
	__u64 pages[MAX_LIST], reuses[MAX_LIST], cold, refs;
	size_t nr;
	bool full; /* too slow, or of no use: no longer kept */
};

PLAIN static void list__touch(struct list *l, __u64 page)
{
	size_t at = 0;

	l->refs++;
	if (l->full)
		return;
	while (at < l->nr && l->pages[at] != page)
		at++;
	l->full = at == MAX_LIST;
	if (l->full)
		return;
	memmove(l->pages + 1, l->pages, at * sizeof(l->pages[0]));
	l->pages[0] = page;
	l->reuses[at] += at < l->nr;
	l->cold += at == l->nr;
	l->nr += at == l->nr;
}

PLAIN static double list__misses(const struct list *l, __u64 size)
{
	double misses = l->cold;

	for (__u64 d = size; d < MAX_LIST; d++)
		misses += l->reuses[d];
	return size ? misses : l->refs;
}

/* --- input --- */

static __u64 page_of(const uint8_t *run, size_t i)
{
	__u64 from = run[1];

	switch (run[0] & 7) {
	case 0:
		return from;
	case 1:
		return ~from - i;
	case 2:
		return from * 251 + i * i * 7919;
	case 3:
		return from << (i & 63);
	default:
		return from * 64 + i;
	}
}

static size_t length_of(const uint8_t *run)
{
	return run[0] & 128 ? run[2] * 4 : run[2] & 63;
}

static struct mrc_opts options_of(const uint8_t *data)
{
	static const double rates[] = {0, 1, 0.999, 0.5, 0.25, 0.01, 0x1p-32, -1};
	struct mrc_opts o = {.sz = sizeof(o), .rate = rates[data[0] & 7]};

	if (data[1])
		o.max_pages = data[1] < 16 ? data[1] : data[1] + 48;
	o.detail = data[2] / 16.0;
	o.seed = data[3];
	return o;
}

static bool valid(const struct mrc_opts *o)
{
	return o->rate >= 0 && (!o->max_pages || o->max_pages >= 64);
}

/* --- promises --- */

static bool is_exact(const struct mrc_counts *c)
{
	return c->rate == 1;
}

static void check_counts(const struct mrc_counts *c, const struct list *l, const struct mrc_opts *o)
{
	check(c->accesses == l->refs);
	check(c->rate > 0 && c->rate <= (o->rate > 0 ? o->rate * (1 + 1e-9) : 1));
	check(!o->max_pages || c->tracked <= o->max_pages);
	check(c->cold >= 0 && isfinite(c->cold));
	if (!is_exact(c))
		return;
	check(c->samples == c->accesses && c->cold == c->tracked);
	check(l->full || c->tracked == l->nr);
}

static void check_point(const struct curve_point *p, const struct mrc_counts *c)
{
	double ratio = curve_point__ratio(p);

	check(fabs(p->accesses - c->accesses) <= 1e-6 * c->accesses);
	check(p->misses >= 0 && ratio >= 0 && ratio <= 1);
	check(p->error >= 0 && p->error <= 1);
}

static void check_curve(const struct mrc *m, const struct mrc_counts *c, const struct list *l,
			__u64 max)
{
	const __u64 sizes[SIZES] = {0,	     1,		 2 + max / 8, 2 + max / 4, 2 + max / 2,
				    2 + max, 1ULL << 60, ~1ULL,	      ~0ULL};
	struct curve_point p[SIZES];

	check(!mrc__curve(m, sizes, SIZES, p));
	for (int i = 0; i < SIZES; i++) {
		check(p[i].size == sizes[i]);
		check_point(&p[i], c);
		if (!is_exact(c))
			continue;
		check(p[i].error == 0);
		check(!i || p[i].misses <= p[i - 1].misses);
		check(l->full || p[i].misses == list__misses(l, sizes[i]));
	}
	check(p[0].misses == p[0].accesses && p[0].error == 0);
}

static void check_reuse(const struct mrc *m, const struct mrc_counts *c, __u64 max)
{
	double all = mrc__reuse(m, 0, ~0ULL), low = mrc__reuse(m, 0, max / 3);
	double high = mrc__reuse(m, max / 3, ~0ULL);

	check(all >= 0 && low >= -1e-6 * all && high >= -1e-6 * all);
	check(fabs(low + high - all) <= 1e-6 * all);
	check(mrc__reuse(m, max / 3, max / 3) == 0);
	if (is_exact(c))
		check(all + c->cold == c->accesses);
}

static void check_all(const struct mrc *m, const struct list *l, const struct mrc_opts *o)
{
	__u64 max = mrc__max_distance(m);
	struct mrc_counts c;

	mrc__counts(m, &c);
	check_counts(&c, l, o);
	check_curve(m, &c, l, max);
	check_reuse(m, &c, max);
}

static void feed(struct mrc *m, struct list *l, const uint8_t *run)
{
	static __u64 pages[256 * 4];
	size_t n = length_of(run);

	for (size_t i = 0; i < n; i++) {
		pages[i] = page_of(run, i);
		list__touch(l, pages[i]);
	}
	check(!mrc__access(m, pages, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct list list;
	int checks = 2; /* on the way: they cost more than references do */
	struct mrc_opts o;
	struct mrc *m;

	if (size < 4 || size > 200)
		return 0;
	o = options_of(data);
	m = mrc__new(&o);
	check(!m == !valid(&o));
	if (!m)
		return 0;
	memset(&list, 0, sizeof(list));
	list.full = o.rate > 0 && o.rate < 1;
	for (data += 4, size -= 4; size >= 3; data += 3, size -= 3) {
		feed(m, &list, data);
		if (data[0] & 64 && checks-- > 0)
			check_all(m, &list, &o);
	}
	check_all(m, &list, &o);
	mrc__free(m);
	return 0;
}
