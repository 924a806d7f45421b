/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who gets how much of the cache: what each VM is to have, by shares between its bounds.
 *
 * First everybody's minimum (as much of it as is wanted); what is left goes by shares (as in
 * Waldspurger, "Memory Resource Management in VMware ESX Server", OSDI '02, but without a tax), up
 * to each one's wish and maximum; what one leaves, the others get by their shares.
 */
#ifndef HVTRACE_BALANCE_H
#define HVTRACE_BALANCE_H

#include <stddef.h>
#include <linux/types.h>

/* All but share in chunks. */
struct balance_vm {
	__u64 min, max; /* max 0 = no bound */
	__u64 share;	/* relative to the others'; 0 counts as 1 */
	__u64 wants;	/* what it has now if it need not evict, else all it can get */
	__u64 target;	/* out */
};

/* Sum of targets <= total; when the minima alone are more than total, they shrink in proportion.
 * Deterministic: rounding leaves no chunk that somebody wants. */
void balance__targets(struct balance_vm *vms, size_t n, __u64 total);

#endif
