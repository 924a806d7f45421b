/* SPDX-License-Identifier: GPL-2.0 */
/* Dividing memory among siblings by shares, between bounds, idle memory taxed. */
#ifndef HVTRACE_ENTITLE_H
#define HVTRACE_ENTITLE_H

#include <stddef.h>
#include <linux/types.h>

#define ENTITLE_MAX_TAX 99 /* percent */

/* All but shares in pages, up to 2^52. */
struct entitle_claim {
	__u64 least, most; /* least <= most */
	__u64 active;	   /* what it has above that is idle */
	__u64 shares;	   /* 1 to 2^32 - 1 */
	__u64 entitled;	   /* out */
};

/*
 * Beyond what each is sure of, memory goes page by page to whom it costs least for its shares, so
 * in the end what they have costs all the same, but for those at a bound. A page in use costs 1, an
 * idle one 1 / (1 - tax): the price of ESX (OSDI '02, section 5.2), S / (P (f + k (1 - f))), with
 * the active pages f P in place of the fraction f, since that fraction changes with P. Page by page
 * is D'Hondt's method, in which more to hand out leaves nobody with less (see
 * cache/store/balance.c).
 *
 * tax in percent. The sum of what is given is total, or of all most if that is less; total is at
 * least the sum of all least.
 */
void entitle__divide(struct entitle_claim *c, size_t n, unsigned int tax, __u64 total);

#endif
