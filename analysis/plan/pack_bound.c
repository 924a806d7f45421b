// SPDX-License-Identifier: GPL-2.0
#include "pack_bound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 wide;

void pack_knapsack(const __u64 *size, const __u64 *worth, size_t n, size_t units, __u64 *most,
		   __u64 *taken)
{
	size_t words = units / 64 + 1;

	memset(most, 0, (units + 1) * sizeof(*most));
	if (taken)
		memset(taken, 0, n * words * sizeof(*taken));
	for (size_t i = 0; i < n; i++) {
		__u64 *row = taken ? &taken[i * words] : NULL;

		if (!worth[i])
			continue;
		for (size_t c = units + 1; c-- > size[i];) {
			__u64 with = most[c - size[i]] + worth[i];

			if (with <= most[c])
				continue;
			most[c] = with;
			if (row)
				row[c / 64] |= 1ULL << c % 64;
		}
	}
}

/* The fewest of the largest bins that hold so much worth, if each holds most[] at most. */
static size_t bins_for(const struct pack_bins *b, wide worth, const __u64 *most)
{
	wide held = 0;
	size_t k;

	for (k = 0; k < b->nr_bins && held < worth; k++)
		held += most[k];
	return held < worth ? b->nr_bins + 1 : k;
}

static wide sum(const __u64 *v, size_t n)
{
	wide s = 0;

	for (size_t i = 0; i < n; i++)
		s += v[i];
	return s;
}

static int keep(struct pack_bound *lb, const struct pack_bins *b, const __u64 *worth, size_t bins)
{
	__u64 *copy;

	if (bins <= lb->bins)
		return 0;
	copy = calloc(b->nr_items + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, worth, b->nr_items * sizeof(*copy));
	free(lb->worth);
	lb->worth = copy;
	lb->bins = bins;
	return 0;
}

/* No bin holds items that are larger together than it is. */
static int by_size(struct pack_bound *lb, const struct pack_bins *b, __u64 *worth, __u64 *most)
{
	for (size_t i = 0; i < b->nr_items; i++)
		worth[i] = b->item[i].size;
	for (size_t i = 0; i < b->nr_bins; i++)
		most[i] = b->bin[i].size;
	return keep(lb, b, worth, bins_for(b, sum(worth, b->nr_items), most));
}

/* How many of the n largest items fit into a bin: the smallest of these do, if any. before[i] is
 * what the i largest take together. */
static __u64 fit_of_large(const wide *before, size_t n, __u64 room)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t fit = (low + high + 1) / 2;

		if (before[n] - before[n - fit] <= room)
			low = fit;
		else
			high = fit - 1;
	}
	return low;
}

/* Of the n largest items, worth one each. */
static int by_large(struct pack_bound *lb, const struct pack_bins *b, const wide *before, size_t n,
		    __u64 *worth, __u64 *most)
{
	for (size_t i = 0; i < b->nr_items; i++)
		worth[i] = i < n;
	for (size_t i = 0; i < b->nr_bins; i++)
		most[i] = fit_of_large(before, n, b->bin[i].size);
	return keep(lb, b, worth, bins_for(b, n, most));
}

int pack_bound__init(struct pack_bound *lb, const struct pack_bins *b)
{
	__u64 *worth = calloc(b->nr_items + 1, sizeof(*worth));
	__u64 *most = calloc(b->nr_bins + 1, sizeof(*most));
	wide *before = calloc(b->nr_items + 1, sizeof(*before));
	int err = worth && most && before ? 0 : -ENOMEM;
	/* Thousands of items need not all be the smallest large one. */
	size_t step = b->nr_items / 256 + 1;

	*lb = (struct pack_bound){0};
	for (size_t i = 0; i < b->nr_items && !err; i++)
		before[i + 1] = before[i] + b->item[i].size;
	if (!err)
		err = by_size(lb, b, worth, most);
	for (size_t n = 1; n <= b->nr_items && !err; n += step)
		err = by_large(lb, b, before, n, worth, most);
	free(before);
	free(worth);
	free(most);
	return err;
}

void pack_bound__free(struct pack_bound *lb)
{
	free(lb->worth);
}

int pack_bound__raise(struct pack_bound *lb, const struct pack_bins *b, const __u64 *worth)
{
	__u64 *size = calloc(b->nr_items + 1, sizeof(*size));
	__u64 *best = calloc(b->units + 1, sizeof(*best));
	__u64 *most = calloc(b->nr_bins + 1, sizeof(*most));
	int err = size && best && most ? 0 : -ENOMEM;

	if (!err) {
		for (size_t i = 0; i < b->nr_items; i++)
			size[i] = pack_bins__floor(b, b->item[i].size);
		pack_knapsack(size, worth, b->nr_items, b->units, best, NULL);
		for (size_t i = 0; i < b->nr_bins; i++)
			most[i] = best[pack_bins__floor(b, b->bin[i].size)];
		err = keep(lb, b, worth, bins_for(b, sum(worth, b->nr_items), most));
	}
	free(most);
	free(best);
	free(size);
	return err;
}

void pack_bound__believe(struct pack_bound *lb, size_t bins)
{
	if (bins <= lb->bins)
		return;
	free(lb->worth);
	*lb = (struct pack_bound){.bins = bins};
}
