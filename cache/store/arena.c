// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses are set aside in spans of 1 GiB, so a span can be one huge page of that size; else its
 * chunks get their memory one by one. A huge page of 1 GiB goes back to the system only when all of
 * its chunks are free.
 *
 * Chunks that are free but keep their memory are zero: what they held does not outlive the page
 * that was cached there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
/* <linux/mempolicy.h> */
#define MPOL_BIND 2
#define MAX_NODES 1024
/* <linux/mman.h>: the size's logarithm << MAP_HUGE_SHIFT. */
#define HUGE_2MB (21 << 26)
#define HUGE_1GB (30 << 26)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define SMALL_PAGE 4096UL

#define SPAN_CHUNKS 512
#define SPAN (SPAN_CHUNKS * ARENA_CHUNK)

enum state { BARE, FREE, TAKEN }; /* without memory; with, but zero; somebody's */

struct span {
	char *base;
	bool giant; /* one huge page: all of it has memory, or nothing */
	unsigned bare, taken;
	__u8 state[SPAN_CHUNKS], backing[SPAN_CHUNKS];
};

struct arena {
	struct arena_opts opts;
	struct span *span;
	size_t nr_spans;
	size_t capacity, taken, held; /* chunks: held have memory */
	size_t backed[BACKINGS];
	bool thp;
};

/* --- memory of one place --- */

static int bind_node(const struct arena *a, void *at, size_t bytes)
{
	unsigned long mask[MAX_NODES / 8 / sizeof(long)] = {0};
	unsigned node = a->opts.node;

	if (a->opts.node < 0)
		return 0;
	mask[node / 8 / sizeof(long)] = 1UL << node % (8 * sizeof(long));
	/* The kernel looks at one bit less than it is told of. */
	return syscall(SYS_mbind, at, bytes, MPOL_BIND, mask, MAX_NODES + 1UL, 0) ? -errno : 0;
}

/*
 * A hugetlb mapping can fail at its first touch, with SIGBUS: reserved pages may be on other nodes,
 * and a cgroup's limit is looked at then only. Populating it tells by an errno, on a kernel that
 * can (5.14); on others huge pages have to come as THP.
 */
static bool map_hugetlb(const struct arena *a, void *at, size_t bytes, int size)
{
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, PRIVATE | MAP_FIXED | MAP_HUGETLB | size, -1,
		 0) == MAP_FAILED)
		return false;
	return !bind_node(a, at, bytes) && !madvise(at, bytes, MADV_POPULATE_WRITE);
}

static void unmap(void *at, size_t bytes)
{
	/* The addresses stay set aside. If even that fails they keep what is there. */
	if (mmap(at, bytes, PROT_NONE, PRIVATE | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		madvise(at, bytes, MADV_DONTNEED);
}

static int touch(char *at, size_t bytes)
{
	if (!madvise(at, bytes, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return -ENOMEM;
	for (size_t i = 0; i < bytes; i += SMALL_PAGE)
		((volatile char *)at)[i] = 0;
	return 0;
}

/* What backs it, or -ENOMEM. */
static int map_small(const struct arena *a, char *at)
{
	enum backing b = BACKING_4K;

	if (mmap(at, ARENA_CHUNK, PROT_READ | PROT_WRITE, PRIVATE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -ENOMEM;
	if (a->thp && !madvise(at, ARENA_CHUNK, MADV_HUGEPAGE))
		b = BACKING_THP;
	return bind_node(a, at, ARENA_CHUNK) || touch(at, ARENA_CHUNK) ? -ENOMEM : (int)b;
}

static int map_chunk(const struct arena *a, char *at)
{
	int b = BACKING_HUGETLB;

	if (a->opts.no_hugetlb || !map_hugetlb(a, at, ARENA_CHUNK, HUGE_2MB))
		b = map_small(a, at);
	if (b < 0)
		unmap(at, ARENA_CHUNK);
	return b;
}

/* --- spans --- */

/* Addresses without memory, aligned to their size. */
static char *reserve_span(void)
{
	char *p = mmap(NULL, 2 * SPAN, PROT_NONE, PRIVATE | MAP_NORESERVE, -1, 0);
	size_t head;

	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p & (SPAN - 1);
	if (head)
		munmap(p, head);
	munmap(p + head + SPAN, SPAN - head);
	return p + head;
}

static void set_backed(struct arena *a, struct span *s, unsigned i, int backing)
{
	s->state[i] = FREE;
	s->backing[i] = backing;
	s->bare--;
	a->backed[backing] += ARENA_CHUNK;
	a->held++;
}

static void set_bare(struct arena *a, struct span *s, unsigned i)
{
	s->state[i] = BARE;
	s->bare++;
	a->backed[s->backing[i]] -= ARENA_CHUNK;
	a->held--;
}

/* All of it at once, if that is wanted, and no more than there is to be. */
static void try_giant(struct arena *a, struct span *s)
{
	if (a->opts.page != SPAN || a->opts.no_hugetlb || a->held + SPAN_CHUNKS > a->capacity)
		return;
	if (s->bare < SPAN_CHUNKS)
		return;
	s->giant = map_hugetlb(a, s->base, SPAN, HUGE_1GB);
	if (!s->giant)
		unmap(s->base, SPAN);
	for (unsigned i = 0; s->giant && i < SPAN_CHUNKS; i++)
		set_backed(a, s, i, BACKING_HUGETLB);
}

static struct span *new_span(struct arena *a)
{
	struct span *s = reallocarray(a->span, a->nr_spans + 1, sizeof(*s));

	if (!s)
		return NULL;
	a->span = s;
	s += a->nr_spans;
	*s = (struct span){.base = reserve_span(), .bare = SPAN_CHUNKS};
	if (!s->base)
		return NULL;
	a->nr_spans++;
	return s;
}

static struct span *span_of(const struct arena *a, const char *chunk)
{
	struct span *s = a->span;

	while ((size_t)(chunk - s->base) >= SPAN)
		s++;
	return s;
}

/* --- chunks --- */

static void *take_from(struct arena *a, struct span *s)
{
	unsigned i = 0;

	while (s->state[i] != FREE)
		i++;
	s->state[i] = TAKEN;
	s->taken++;
	a->taken++;
	return s->base + i * ARENA_CHUNK;
}

/* A span with a free chunk; the fullest, so that others become free as a whole. */
static struct span *fullest(struct arena *a)
{
	struct span *best = NULL;

	for (struct span *s = a->span; s < a->span + a->nr_spans; s++)
		if (s->bare + s->taken < SPAN_CHUNKS && (!best || s->taken > best->taken))
			best = s;
	return best;
}

static struct span *with_bare(struct arena *a)
{
	for (struct span *s = a->span; s < a->span + a->nr_spans; s++)
		if (s->bare)
			return s;
	return new_span(a);
}

/* One more chunk is free, or many. NULL: no memory. */
static struct span *more(struct arena *a)
{
	struct span *s = with_bare(a);
	unsigned i = 0;
	int backing;

	if (!s)
		return NULL;
	try_giant(a, s);
	if (s->giant)
		return s;
	while (s->state[i] != BARE)
		i++;
	backing = map_chunk(a, s->base + i * ARENA_CHUNK);
	if (backing < 0)
		return NULL;
	set_backed(a, s, i, backing);
	return s;
}

void *arena__take(struct arena *a)
{
	struct span *s;

	if (a->taken >= a->capacity) {
		errno = ENOSPC;
		return NULL;
	}
	s = fullest(a) ?: more(a);
	if (!s) {
		errno = ENOMEM;
		return NULL;
	}
	return take_from(a, s);
}

size_t arena__ready(const struct arena *a)
{
	return a->held - a->taken;
}

int arena__prepare(struct arena *a)
{
	if (a->held >= a->capacity)
		return -ENOSPC;
	return more(a) ? 0 : -ENOMEM;
}

/* --- back to the system --- */

static void release_giant(struct arena *a, struct span *s)
{
	unmap(s->base, SPAN);
	s->giant = false;
	for (unsigned i = 0; i < SPAN_CHUNKS; i++)
		set_bare(a, s, i);
}

static void release_free(struct arena *a, struct span *s)
{
	for (unsigned i = 0; i < SPAN_CHUNKS && a->held > a->capacity; i++) {
		if (s->state[i] != FREE)
			continue;
		unmap(s->base + i * ARENA_CHUNK, ARENA_CHUNK);
		set_bare(a, s, i);
	}
}

static void trim(struct arena *a)
{
	for (struct span *s = a->span; s < a->span + a->nr_spans && a->held > a->capacity; s++) {
		if (!s->giant)
			release_free(a, s);
		else if (!s->taken)
			release_giant(a, s);
	}
}

void arena__give(struct arena *a, void *chunk)
{
	struct span *s = span_of(a, chunk);

	memset(chunk, 0, ARENA_CHUNK);
	s->state[((char *)chunk - s->base) / ARENA_CHUNK] = FREE;
	s->taken--;
	a->taken--;
	trim(a);
}

void arena__resize(struct arena *a, size_t bytes)
{
	a->capacity = bytes / ARENA_CHUNK;
	trim(a);
}

/* --- an arena --- */

static int check_node(const struct arena *a, char *why, size_t size)
{
	void *page = mmap(NULL, SMALL_PAGE, PROT_NONE, PRIVATE, -1, 0);
	int err = page == MAP_FAILED ? -ENOMEM : bind_node(a, page, SMALL_PAGE);

	if (page != MAP_FAILED)
		munmap(page, SMALL_PAGE);
	if (err == -EINVAL)
		snprintf(why, size, "there is no NUMA node %d: `numactl -H` lists them",
			 a->opts.node);
	else if (err)
		snprintf(why, size, "memory cannot be bound to NUMA node %d: %s", a->opts.node,
			 strerror(-err));
	return err;
}

static int check(const struct arena *a, char *why, size_t size)
{
	const struct arena_opts *o = &a->opts;

	if (o->bytes && o->bytes < ARENA_CHUNK) {
		snprintf(why, size, "a cache of %zu bytes is too small: take 2MiB or more",
			 o->bytes);
		return -EINVAL;
	}
	if (o->page && o->page != ARENA_CHUNK && o->page != SPAN) {
		snprintf(why, size, "huge pages of %zu bytes: it can only be 2MiB or 1GiB",
			 o->page);
		return -EINVAL;
	}
	if (o->node >= MAX_NODES) {
		snprintf(why, size, "there is no NUMA node %d: `numactl -H` lists them", o->node);
		return -EINVAL;
	}
	return check_node(a, why, size);
}

int arena__new(struct arena **out, const struct arena_opts *o, char *why, size_t size)
{
	struct arena *a = calloc(1, sizeof(*a));
	struct memory probe;
	int err;

	if (!a) {
		snprintf(why, size, "no memory for the cache's own bookkeeping");
		return -ENOMEM;
	}
	memory__init(&probe, 0);
	a->thp = probe.thp;
	a->opts = *o;
	a->capacity = o->bytes / ARENA_CHUNK;
	err = check(a, why, size);
	if (err) {
		arena__free(a);
		return err;
	}
	*out = a;
	return 0;
}

void arena__free(struct arena *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->nr_spans; i++)
		munmap(a->span[i].base, SPAN);
	free(a->span);
	free(a);
}

/* --- looking --- */

size_t arena__chunks(const struct arena *a)
{
	return a->capacity;
}

size_t arena__taken(const struct arena *a)
{
	return a->taken;
}

size_t arena__excess(const struct arena *a)
{
	return a->taken > a->capacity ? a->taken - a->capacity : 0;
}

void arena__backed(const struct arena *a, size_t bytes[BACKINGS])
{
	memcpy(bytes, a->backed, sizeof(a->backed));
}

const char *arena__backing(const struct arena *a)
{
	struct memory m = {.thp = a->thp};

	memcpy(m.backed, a->backed, sizeof(m.backed));
	return memory__backing(&m);
}
