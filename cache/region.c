// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "region.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
/* <linux/mman.h>: 21 << MAP_HUGE_SHIFT, whatever the default huge page size is. */
#define REGION_HUGE_2MB (21 << 26)
#define REGION_PAGE 4096UL
/* Addresses set aside, for each byte that is asked for: as many times it grows before it moves. */
#define SPARE_ADDRESSES 4
/* More than any machine has. */
#define MAX_BYTES (1UL << 45)

#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

/* madvise(MADV_HUGEPAGE) succeeds even where the administrator switched THP off. */
static bool thp_enabled(void)
{
	char mode[64] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");

	if (!f)
		return false;
	if (!fgets(mode, sizeof(mode), f))
		mode[0] = '\0';
	fclose(f);
	return mode[0] && !strstr(mode, "[never]");
}

void memory__init(struct memory *m, size_t max)
{
	*m = (struct memory){.max = max, .hugetlb = true, .thp = thp_enabled()};
}

const char *memory__backing(const struct memory *m)
{
	static const char *const names[BACKINGS] = {"hugetlb", "THP", "4K pages"};
	int most = m->thp ? BACKING_THP : BACKING_4K;

	for (int i = 0; i < BACKINGS; i++)
		if (m->backed[i] > m->backed[most])
			most = i;
	return names[most];
}

static int take(struct memory *m, size_t bytes)
{
	if (m->max && (bytes > m->max || m->used > m->max - bytes))
		return -ENOMEM;
	m->used += bytes;
	if (m->used > m->peak)
		m->peak = m->used;
	return 0;
}

static void give(struct memory *m, enum backing b, size_t bytes)
{
	m->used -= bytes;
	m->backed[b] -= bytes;
}

static size_t round_up(size_t bytes, size_t to)
{
	return (bytes + to - 1) & -to;
}

/* --- below a chunk --- */

static int grow_small(struct region *r, struct memory *m, size_t bytes)
{
	void *p;

	if (take(m, bytes))
		return -ENOMEM;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, PRIVATE, -1, 0);
	if (p == MAP_FAILED) {
		m->used -= bytes;
		return -ENOMEM;
	}
	m->backed[BACKING_4K] += bytes;
	if (r->base) {
		memcpy(p, r->base, r->bytes);
		munmap(r->base, r->bytes);
		give(m, BACKING_4K, r->bytes);
	}
	*r = (struct region){.base = p, .bytes = bytes, .backed = {[BACKING_4K] = bytes}};
	return 0;
}

/* --- chunks --- */

/* Addresses without memory, aligned to a chunk. */
static void *reserve(size_t bytes)
{
	char *p = mmap(NULL, bytes + REGION_CHUNK, PROT_NONE, PRIVATE | MAP_NORESERVE, -1, 0);
	size_t head;

	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p & (REGION_CHUNK - 1);
	if (head)
		munmap(p, head);
	munmap(p + head + bytes, REGION_CHUNK - head);
	return p + head;
}

/*
 * A hugetlb mapping can still fail at its first touch, with SIGBUS: a cgroup's limit or a memory
 * policy is only looked at then. Populating it tells by an errno.
 */
static bool map_hugetlb(void *at)
{
	if (mmap(at, REGION_CHUNK, PROT_READ | PROT_WRITE,
		 PRIVATE | MAP_FIXED | MAP_HUGETLB | REGION_HUGE_2MB, -1, 0) == MAP_FAILED)
		return false;
	return !madvise(at, REGION_CHUNK, MADV_POPULATE_WRITE) || errno == EINVAL;
}

/* What backs it, or -ENOMEM. */
static int map_chunk(struct memory *m, void *at)
{
	if (m->hugetlb && map_hugetlb(at))
		return BACKING_HUGETLB;
	m->hugetlb = false; /* the pool is empty: do not ask again for each chunk */
	if (mmap(at, REGION_CHUNK, PROT_READ | PROT_WRITE, PRIVATE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return -ENOMEM;
	return m->thp && !madvise(at, REGION_CHUNK, MADV_HUGEPAGE) ? BACKING_THP : BACKING_4K;
}

/* Fewer addresses will do where they are rationed (RLIMIT_AS). */
static int reserve_for(struct region *r, size_t bytes)
{
	size_t least = round_up(bytes, REGION_CHUNK), want = SPARE_ADDRESSES * least;

	if (bytes > MAX_BYTES)
		return -ENOMEM;
	for (; want >= least && !r->base; want /= 2) {
		r->base = reserve(want);
		r->reserved = r->base ? want : 0;
	}
	return r->base ? 0 : -ENOMEM;
}

static int add_chunk(struct region *r, struct memory *m)
{
	int backing;

	if (take(m, REGION_CHUNK))
		return -ENOMEM;
	backing = map_chunk(m, (char *)r->base + r->bytes);
	if (backing < 0) {
		m->used -= REGION_CHUNK;
		return backing;
	}
	r->bytes += REGION_CHUNK;
	r->backed[backing] += REGION_CHUNK;
	m->backed[backing] += REGION_CHUNK;
	return 0;
}

/* Contents to other addresses. The memory they leave is given back, the addresses kept: they are
 * not to fall to another thread's mapping. */
static void move_chunk(void *to, void *from)
{
	memcpy(to, from, REGION_CHUNK);
	madvise(from, REGION_CHUNK, MADV_DONTNEED);
}

/* Chunk by chunk, so that only one is held twice. What was moved goes back if one cannot be. */
static int move_chunks(struct region *to, struct region *from, struct memory *m)
{
	while (to->bytes < from->bytes) {
		int backing = map_chunk(m, (char *)to->base + to->bytes);

		if (backing < 0)
			break;
		move_chunk((char *)to->base + to->bytes, (char *)from->base + to->bytes);
		to->backed[backing] += REGION_CHUNK;
		to->bytes += REGION_CHUNK;
	}
	if (to->bytes == from->bytes)
		return 0;
	for (size_t at = 0; at < to->bytes; at += REGION_CHUNK)
		move_chunk((char *)from->base + at, (char *)to->base + at);
	return -ENOMEM;
}

static int more_addresses(struct region *r, struct memory *m, size_t bytes)
{
	struct region large = {0};
	int err = reserve_for(&large, bytes);

	if (err)
		return err;
	err = move_chunks(&large, r, m);
	if (err) {
		munmap(large.base, large.reserved);
		return err;
	}
	for (int i = 0; i < BACKINGS; i++)
		m->backed[i] += large.backed[i] - r->backed[i];
	munmap(r->base, r->reserved);
	*r = large;
	return 0;
}

/* From a plain mapping to chunks. */
static int become_large(struct region *r, struct memory *m, size_t bytes)
{
	struct region large = {0};
	int err = reserve_for(&large, bytes) ?: add_chunk(&large, m);

	if (err) {
		region__free(&large, m);
		return err;
	}
	if (r->base) {
		memcpy(large.base, r->base, r->bytes);
		region__free(r, m);
	}
	*r = large;
	return 0;
}

int region__grow(struct region *r, struct memory *m, size_t bytes)
{
	int err = 0;

	if (bytes <= r->bytes)
		return 0;
	if (bytes <= REGION_CHUNK - REGION_PAGE)
		return grow_small(r, m, round_up(bytes, REGION_PAGE));
	if (!r->reserved)
		err = become_large(r, m, bytes);
	if (!err && bytes > r->reserved)
		err = more_addresses(r, m, bytes);
	while (!err && r->bytes < bytes)
		err = add_chunk(r, m);
	return err;
}

void region__free(struct region *r, struct memory *m)
{
	for (int i = 0; i < BACKINGS; i++)
		give(m, i, r->backed[i]);
	if (r->base)
		munmap(r->base, r->reserved ? r->reserved : r->bytes);
	*r = (struct region){0};
}
