/* SPDX-License-Identifier: GPL-2.0 */
/* Packing as integer programs, solved by GLPK. */
#ifndef HVTRACE_PACK_LP_H
#define HVTRACE_PACK_LP_H

#include "pack_bins.h"
#include "pack_bound.h"

struct pack_lp;

/*
 * The program over patterns: each row a size of items, or of bins; each column a way to fill a bin
 * of one size; as few as possible, so that all items are in one and no more bins of a size are
 * used than there are. The columns to begin with are those of a packing. -ENOMEM.
 */
int pack_lp__new(struct pack_lp **out, const struct pack_bins *b, const struct packing *p);
void pack_lp__free(struct pack_lp *lp); /* NULL is fine */

/* Adds patterns as long as any would help, and raises the bound by the prices, until it is enough
 * or time is over. -ENOMEM. */
int pack_lp__generate(struct pack_lp *lp, struct pack_bound *lb, size_t enough);
/* The best whole number of each pattern, into a packing of all bins. 0, even if none was found:
 * then p leaves something out. */
void pack_lp__pack(struct pack_lp *lp, const struct pack_bound *lb, struct packing *p);

/* --- small ones --- */

/* May the program with one variable for each item in each of k bins be tried? */
bool pack_exact__is_small(const struct pack_bins *b, size_t k);
/* Do all items fit into the k largest bins? 1: p is such a packing; 0: they do not; -EAGAIN: time
 * was over. */
int pack_exact__try(const struct pack_bins *b, size_t k, struct packing *p);

#endif
