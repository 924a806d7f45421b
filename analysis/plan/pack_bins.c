// SPDX-License-Identifier: GPL-2.0
#include "pack_bins.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int larger_first(const void *a, const void *b)
{
	const struct pack_thing *x = a, *y = b;

	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static struct pack_thing *sorted(const __u64 *size, size_t n)
{
	struct pack_thing *t = calloc(n + 1, sizeof(*t));

	if (!t)
		return NULL;
	for (size_t i = 0; i < n; i++)
		t[i] = (struct pack_thing){size[i], i};
	qsort(t, n, sizeof(*t), larger_first);
	return t;
}

static __u64 common_divisor(__u64 a, __u64 b)
{
	while (b) {
		__u64 rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Sizes of plans are whole granules: then nothing is lost by counting in these. */
static void choose_unit(struct pack_bins *b)
{
	__u64 largest = b->nr_bins ? b->bin[0].size : 0, unit = 0;

	for (size_t i = 0; i < b->nr_items; i++)
		unit = common_divisor(unit, b->item[i].size);
	/* A bin's size counts rounded down: what is above a whole unit can hold nothing. */
	b->unit = unit ?: 1;
	if (largest / b->unit > PACK_MAX_UNITS)
		b->unit = (largest + PACK_MAX_UNITS - 1) / PACK_MAX_UNITS;
	b->units = largest / b->unit;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

int pack_bins__init(struct pack_bins *b, const struct pack_opts *o)
{
	*b = (struct pack_bins){
		.item = sorted(o->vms, o->nr_vms),
		.bin = sorted(o->hosts, o->nr_hosts),
		.nr_items = o->nr_vms,
		.nr_bins = o->nr_hosts,
		.end = now() + o->seconds,
	};
	if (!b->item || !b->bin) {
		pack_bins__free(b);
		return -ENOMEM;
	}
	choose_unit(b);
	return 0;
}

void pack_bins__free(struct pack_bins *b)
{
	free(b->item);
	free(b->bin);
}

__u64 pack_bins__floor(const struct pack_bins *b, __u64 pages)
{
	return pages / b->unit;
}

__u64 pack_bins__ceil(const struct pack_bins *b, __u64 pages)
{
	return (pages + b->unit - 1) / b->unit;
}

int pack_bins__ms_left(const struct pack_bins *b)
{
	return fmin(fmax((b->end - now()) * 1000, 0), 1e9);
}

bool pack_bins__over(const struct pack_bins *b)
{
	return now() >= b->end;
}

/* --- packings --- */

int packing__init(struct packing *p, const struct pack_bins *b)
{
	*p = (struct packing){.bin = calloc(b->nr_items + 1, sizeof(*p->bin)),
			      .room = calloc(b->nr_bins + 1, sizeof(*p->room))};
	if (!p->bin || !p->room) {
		packing__free(p);
		return -ENOMEM;
	}
	packing__clear(p, b, b->nr_bins);
	return 0;
}

void packing__free(struct packing *p)
{
	free(p->bin);
	free(p->room);
	*p = (struct packing){0};
}

void packing__clear(struct packing *p, const struct pack_bins *b, size_t nr_bins)
{
	p->nr_bins = nr_bins;
	p->left = 0;
	for (size_t i = 0; i < b->nr_items; i++) {
		p->bin[i] = -1;
		p->left += b->item[i].size;
	}
	for (size_t i = 0; i < b->nr_bins; i++)
		p->room[i] = b->bin[i].size;
}

void packing__copy(struct packing *to, const struct packing *from, const struct pack_bins *b)
{
	memcpy(to->bin, from->bin, b->nr_items * sizeof(*to->bin));
	memcpy(to->room, from->room, b->nr_bins * sizeof(*to->room));
	to->nr_bins = from->nr_bins;
	to->left = from->left;
}

void packing__put(struct packing *p, const struct pack_bins *b, size_t item, int bin)
{
	p->bin[item] = bin;
	p->room[bin] -= b->item[item].size;
	p->left -= b->item[item].size;
}

void packing__take(struct packing *p, const struct pack_bins *b, size_t item)
{
	p->room[p->bin[item]] += b->item[item].size;
	p->left += b->item[item].size;
	p->bin[item] = -1;
}
