/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The LRU stack of a stream of references (Mattson et al., IBM Systems J. 9(2), 1970), with exact
 * reuse distances: a page table that knows the slot of each page's last reference, and the set of
 * these slots. The distance is the number of members above a page's slot.
 */
#ifndef HVTRACE_LRU_STACK_H
#define HVTRACE_LRU_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/types.h>
#include <linux/types.h>

struct lru_stack;
struct memory;

/* Distance of a page never referenced before. */
#define LRU_COLD (~0U)

/* What the CPU offers: all give the same distances. */
enum lru_isa {
	LRU_PORTABLE,
	LRU_X86_64_V3, /* AVX2, popcnt */
	LRU_X86_64_V4, /* AVX-512 */
	LRU_ISAS
};

/* Memory must live longer. NULL with errno. */
struct lru_stack *lru_stack__new(struct memory *m);
void lru_stack__free(struct lru_stack *s); /* NULL is fine */

/* Another code path than the best one. -EINVAL: not on this CPU. */
int lru_stack__use(struct lru_stack *s, enum lru_isa isa);

/*
 * n references in order, each by a hash that no two pages share (pe_hash). distance[i]: distinct
 * pages referenced since the last reference to the same page, or LRU_COLD. Returns how many were
 * done: fewer than n when memory is short, or -ENOMEM when none.
 */
ssize_t lru_stack__access(struct lru_stack *s, const __u64 *hashes, size_t n, __u32 *distance);

/*
 * One reference. The page's last reference left a tag, which is told (a cold one: left alone), and
 * this one leaves another. *distance as above. -ENOMEM: nothing happened.
 */
int lru_stack__touch(struct lru_stack *s, __u64 hash, __u32 *tag, __u32 *distance);

/* Forget the pages that keep() is not true for. Distances are of the others from then on. */
void lru_stack__retain(struct lru_stack *s, bool (*keep)(const void *ctx, __u64 hash),
		       const void *ctx);
/* Forget all, but keep the memory. */
void lru_stack__clear(struct lru_stack *s);

/* Distinct pages in it. */
__u32 lru_stack__pages(const struct lru_stack *s);

#endif
