/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page accesses of a synthetic workload: the same code runs in the guest, which
 * makes the accesses, and on the host, which computes what they must lead to.
 * Integers only: the guest has no FPU state.
 */
#ifndef TESTS_KVM_WORKLOAD_H
#define TESTS_KVM_WORKLOAD_H

#include <linux/types.h>

#define WORKLOAD_PARTS 4

enum workload_kind {
	WORKLOAD_LOOP,	  /* all pages in order, again and again */
	WORKLOAD_UNIFORM, /* any page, each as likely */
	WORKLOAD_ZIPF,	  /* page k about as likely as 1 / k: an octave at random, a page in it */
};

/* A part makes weight / (sum of weights) of the accesses, to pages [first, first + pages). */
struct workload_part {
	__u32 kind;
	__u32 weight;
	__u64 first;
	__u64 pages;
	__u32 write_percent; /* of the accesses that change the page */
	__u32 pad;
};

struct workload {
	__u64 seed;
	__u64 disk_pages; /* every part lies below */
	__u64 nr_parts;
	struct workload_part part[WORKLOAD_PARTS];
};

struct workload_state {
	__u64 rng;
	__u64 loop_at[WORKLOAD_PARTS];
};

struct workload_access {
	__u64 page;
	__u32 write;
};

static inline void workload__start(const struct workload *w, struct workload_state *s)
{
	s->rng = w->seed;
	for (int i = 0; i < WORKLOAD_PARTS; i++)
		s->loop_at[i] = 0;
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA '14). */
static inline __u64 workload__random(struct workload_state *s)
{
	__u64 z = s->rng += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline __u64 workload__zipf(struct workload_state *s, __u64 pages)
{
	__u32 octaves = 64 - __builtin_clzll(pages);
	__u64 at;

	do {
		__u64 low = 1ULL << (workload__random(s) % octaves);

		at = low + workload__random(s) % low - 1;
	} while (at >= pages);
	return at;
}

static inline __u64 workload__pick(const struct workload *w, struct workload_state *s, __u64 part)
{
	const struct workload_part *p = &w->part[part];
	__u64 at;

	switch (p->kind) {
	case WORKLOAD_LOOP:
		at = s->loop_at[part];
		s->loop_at[part] = at + 1 == p->pages ? 0 : at + 1;
		return p->first + at;
	case WORKLOAD_ZIPF:
		return p->first + workload__zipf(s, p->pages);
	default:
		return p->first + workload__random(s) % p->pages;
	}
}

static inline struct workload_access workload__next(const struct workload *w,
						    struct workload_state *s)
{
	struct workload_access a;
	__u64 total = 0, draw, part = 0;

	for (__u64 i = 0; i < w->nr_parts; i++)
		total += w->part[i].weight;
	for (draw = workload__random(s) % total; draw >= w->part[part].weight; part++)
		draw -= w->part[part].weight;
	a.page = workload__pick(w, s, part);
	a.write = workload__random(s) % 100 < w->part[part].write_percent;
	return a;
}

#endif
