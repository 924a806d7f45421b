// SPDX-License-Identifier: GPL-2.0
#include "entitle.h"

#include <stdbool.h>

#include "../../cache/minmax.h"

/*
 * Costs are whole numbers: 100 - tax for a page in use, 100 for an idle one, so below 2^59. A price
 * is cost per share in units of 2^-32: a step changes what somebody may pay by less than the
 * cost of a page, whatever its shares, and a price times shares is below 2^123.
 */
typedef unsigned __int128 wide;
#define PRICE_BITS 91

static __u64 cost(const struct entitle_claim *c, unsigned int tax, __u64 pages)
{
	__u64 used = smaller(pages, c->active);

	return used * (100 - tax) + (pages - used) * 100;
}

/* How many pages it pays for at a price: the bounds come first. */
static __u64 pages_at(const struct entitle_claim *c, unsigned int tax, wide price)
{
	wide pays = price * c->shares >> 32, used = pays / (100 - tax);
	wide pages =
		used <= c->active ? used : c->active + (pays - (wide)c->active * (100 - tax)) / 100;

	if (pages < c->least)
		return c->least;
	return pages > c->most ? c->most : pages;
}

/* Gives everybody that. The sum, of at most 2^52 each. */
static wide give_at(struct entitle_claim *c, size_t n, unsigned int tax, wide price)
{
	wide sum = 0;

	for (size_t i = 0; i < n; i++) {
		c[i].entitled = pages_at(&c[i], tax, price);
		sum += c[i].entitled;
	}
	return sum;
}

/* Does the next page cost a less than b, for their shares? */
static bool cheaper(const struct entitle_claim *a, const struct entitle_claim *b, unsigned int tax)
{
	return (wide)cost(a, tax, a->entitled + 1) * b->shares <
	       (wide)cost(b, tax, b->entitled + 1) * a->shares;
}

/* Who gets the next page; the first of equals. NULL: all have their most. */
static struct entitle_claim *next(struct entitle_claim *c, size_t n, unsigned int tax)
{
	struct entitle_claim *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (c[i].entitled < c[i].most && (!best || cheaper(&c[i], best, tax)))
			best = &c[i];
	return best;
}

void entitle__divide(struct entitle_claim *c, size_t n, unsigned int tax, __u64 total)
{
	struct entitle_claim *one;
	wide price = 0, given;

	/* The highest price at which no more is given than there is. */
	for (int bit = PRICE_BITS; bit-- > 0;)
		if (give_at(c, n, tax, price | (wide)1 << bit) <= total)
			price |= (wide)1 << bit;
	given = give_at(c, n, tax, price);
	/* Less than a page for each is left: at the next price all of it would be more than there
	 * is, and nobody gets two pages by that step. */
	while (given < total && (one = next(c, n, tax))) {
		one->entitled++;
		given++;
	}
}
