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
/* Of a region: four thousand million pages' worth of the largest table there is. (User-mode
 * emulators are slow at that: tests under one are built with less.) */
#ifndef REGION_ADDRESSES
#define REGION_ADDRESSES (64UL << 30)
#endif

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
	if (head < REGION_CHUNK)
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

static int map_chunk(struct memory *m, void *at, enum backing *backing)
{
	if (take(m, REGION_CHUNK))
		return -ENOMEM;
	*backing = BACKING_HUGETLB;
	/* Once the pool is empty it is not asked again for each chunk. */
	if (!m->hugetlb || !map_hugetlb(at)) {
		m->hugetlb = false;
		if (mmap(at, REGION_CHUNK, PROT_READ | PROT_WRITE, PRIVATE | MAP_FIXED, -1, 0) ==
		    MAP_FAILED) {
			m->used -= REGION_CHUNK;
			return -ENOMEM;
		}
		*backing = m->thp && !madvise(at, REGION_CHUNK, MADV_HUGEPAGE) ? BACKING_THP
									       : BACKING_4K;
	}
	m->backed[*backing] += REGION_CHUNK;
	return 0;
}

/* Fewer addresses will do where they are rationed (RLIMIT_AS). */
static int reserve_for(struct region *r, size_t bytes)
{
	size_t want = REGION_ADDRESSES;

	for (; want >= bytes; want /= 2) {
		r->base = reserve(want);
		if (r->base)
			break;
	}
	if (!r->base)
		return -ENOMEM;
	r->reserved = want;
	return 0;
}

static int add_chunk(struct region *r, struct memory *m)
{
	enum backing backing;
	int err = map_chunk(m, (char *)r->base + r->bytes, &backing);

	if (err)
		return err;
	r->bytes += REGION_CHUNK;
	r->backed[backing] += REGION_CHUNK;
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
		return -ENOMEM;
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
