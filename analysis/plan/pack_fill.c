// SPDX-License-Identifier: GPL-2.0
#include "pack_fill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many bins are emptied at a time: with two little can be exchanged, many are not filled
 * better than they were. */
#define MIN_EMPTIED 2
#define MAX_EMPTIED 5

struct pack_filler {
	const struct pack_bins *b;
	size_t words; /* of a row: sums of 0 to b->units */
	__u64 *sums;  /* rows: which sums the first items of `open` have, one row more than items */
	size_t *open; /* items left out that fit, smallest first */
	size_t *places; /* each item's units, rounded up */
	struct packing trial;
	__u64 random;
};

int pack_filler__new(struct pack_filler **out, const struct pack_bins *b)
{
	struct pack_filler *f = calloc(1, sizeof(*f));

	*out = f;
	if (!f)
		return -ENOMEM;
	f->b = b;
	f->random = 1;
	f->words = b->units / 64 + 1;
	f->sums = calloc((b->nr_items + 1) * f->words, sizeof(*f->sums));
	f->open = calloc(b->nr_items + 1, sizeof(*f->open));
	f->places = calloc(b->nr_items + 1, sizeof(*f->places));
	if (!f->sums || !f->open || !f->places || packing__init(&f->trial, b)) {
		pack_filler__free(f);
		*out = NULL;
		return -ENOMEM;
	}
	for (size_t i = 0; i < b->nr_items; i++)
		f->places[i] = pack_bins__ceil(b, b->item[i].size);
	return 0;
}

void pack_filler__free(struct pack_filler *f)
{
	if (!f)
		return;
	packing__free(&f->trial);
	free(f->places);
	free(f->open);
	free(f->sums);
	free(f);
}

/* --- best fit --- */

static int tightest(const struct packing *p, __u64 size)
{
	int best = -1;

	for (size_t k = 0; k < p->nr_bins; k++)
		if (p->room[k] >= size && (best < 0 || p->room[k] < p->room[best]))
			best = k;
	return best;
}

/* The items left out, the largest first, each into the bin where least room remains (best fit
 * decreasing). */
static void best_fit(struct pack_filler *f, struct packing *p)
{
	for (size_t i = 0; i < f->b->nr_items; i++) {
		int bin = p->bin[i] < 0 ? tightest(p, f->b->item[i].size) : -1;

		if (bin >= 0)
			packing__put(p, f->b, i, bin);
	}
}

/* --- subset sums --- */

static __u64 *row(const struct pack_filler *f, size_t i)
{
	return &f->sums[i * f->words];
}

static bool has(const __u64 *sums, size_t s)
{
	return sums[s / 64] >> s % 64 & 1;
}

/* All sums of `from`, and each with so much more, of up to words * 64. */
static void add_size(__u64 *to, const __u64 *from, size_t words, size_t size)
{
	size_t skip = size / 64, bits = size % 64;

	memcpy(to, from, words * sizeof(*to));
	for (size_t w = skip; w < words; w++) {
		to[w] |= from[w - skip] << bits;
		if (bits && w > skip)
			to[w] |= from[w - skip - 1] >> (64 - bits);
	}
}

static size_t list_open(struct pack_filler *f, const struct packing *p, __u64 room)
{
	size_t n = 0;

	for (size_t i = f->b->nr_items; i-- > 0;)
		if (p->bin[i] < 0 && f->b->item[i].size <= room)
			f->open[n++] = i;
	return n;
}

/* From the last item, the largest, on: it is in if the rest can be had without it. */
static void put_sum(struct pack_filler *f, struct packing *p, int bin, size_t n, size_t sum)
{
	while (n-- > 0 && sum) {
		size_t size = f->places[f->open[n]];

		if (size > sum || !has(row(f, n), sum - size))
			continue;
		packing__put(p, f->b, f->open[n], bin);
		sum -= size;
	}
}

/* One bin as full as possible with items left out, by large ones rather than small ones. */
static void fill(struct pack_filler *f, struct packing *p, int bin)
{
	size_t units = pack_bins__floor(f->b, p->room[bin]);
	size_t words = units / 64 + 1, n = list_open(f, p, p->room[bin]), sum = units;

	memset(row(f, 0), 0, words * sizeof(__u64));
	row(f, 0)[0] = 1;
	for (size_t i = 0; i < n; i++)
		add_size(row(f, i + 1), row(f, i), words, f->places[f->open[i]]);
	while (!has(row(f, n), sum))
		sum--;
	put_sum(f, p, bin, n, sum);
}

/* --- whole packings --- */

static void fill_all(struct pack_filler *f, struct packing *p, bool smallest_first)
{
	for (size_t i = 0; i < p->nr_bins && p->left && !pack_bins__over(f->b); i++)
		fill(f, p, smallest_first ? p->nr_bins - 1 - i : i);
	/* What units have left over, and items without size. */
	best_fit(f, p);
}

void pack_filler__pack(struct pack_filler *f, struct packing *p, size_t k)
{
	packing__clear(p, f->b, k);
	best_fit(f, p);
	for (int way = 0; way < 2 && p->left && !pack_bins__over(f->b); way++) {
		packing__clear(&f->trial, f->b, k);
		fill_all(f, &f->trial, way);
		if (f->trial.left < p->left)
			packing__copy(p, &f->trial, f->b);
	}
}

/* --- better packings --- */

/* xorshift (Marsaglia, 2003). */
static size_t random_below(struct pack_filler *f, size_t n)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random % n;
}

static void empty(struct pack_filler *f, struct packing *p, int bin)
{
	for (size_t i = 0; i < f->b->nr_items; i++)
		if (p->bin[i] == bin)
			packing__take(p, f->b, i);
}

/* One of those left out that fit, no matter which. */
static void put_any(struct pack_filler *f, struct packing *p, int bin)
{
	size_t n = list_open(f, p, p->room[bin]);

	if (n)
		packing__put(p, f->b, f->open[random_below(f, n)], bin);
}

static void shake(struct pack_filler *f, struct packing *p)
{
	size_t n = MIN_EMPTIED + random_below(f, MAX_EMPTIED - MIN_EMPTIED + 1);
	int bins[MAX_EMPTIED];

	for (size_t i = 0; i < n; i++) {
		bins[i] = random_below(f, p->nr_bins);
		empty(f, p, bins[i]);
	}
	/* The first ones get the best of what is there, which would be the same each time. */
	put_any(f, p, bins[0]);
	for (size_t i = 0; i < n; i++)
		fill(f, p, bins[i]);
	best_fit(f, p);
}

void pack_filler__improve(struct pack_filler *f, struct packing *p, size_t times)
{
	for (size_t i = 0; i < times && p->left && p->nr_bins && !pack_bins__over(f->b); i++) {
		packing__copy(&f->trial, p, f->b);
		shake(f, &f->trial);
		if (f->trial.left <= p->left)
			packing__copy(p, &f->trial, f->b);
	}
}
