/* SPDX-License-Identifier: GPL-2.0 */
/* Packings by filling bins one after the other. Each leaves out what it finds no room for. */
#ifndef HVTRACE_PACK_FILL_H
#define HVTRACE_PACK_FILL_H

#include "pack_bins.h"

struct pack_filler;

/* Tables for filling. -ENOMEM. */
int pack_filler__new(struct pack_filler **out, const struct pack_bins *b);
void pack_filler__free(struct pack_filler *f); /* NULL is fine */

/* An empty packing of the k largest bins: the best of these ways, largest or smallest bins first;
 * when time is over, best fit only. */
void pack_filler__pack(struct pack_filler *f, struct packing *p, size_t k);
/* Some bins at random are emptied and filled again, so many times or until all is packed or time is
 * over: what leaves out no more than before stays. */
void pack_filler__improve(struct pack_filler *f, struct packing *p, size_t times);

#endif
