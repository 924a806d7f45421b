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
/* A tight one is in the way of requests when it grows: it is not to move at all, or once. */
#define TIGHT_ADDRESSES (1UL << 30)
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

void memory__tighten(struct memory *m)
{
	m->tight = true;
	m->hugetlb = false;
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
static int reserve_for(struct region *r, const struct memory *m, size_t bytes)
{
	size_t least = round_up(bytes, REGION_CHUNK), want = SPARE_ADDRESSES * least;

	if (bytes > MAX_BYTES)
		return -ENOMEM;
	if (m->tight && want < TIGHT_ADDRESSES)
		want = TIGHT_ADDRESSES;
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

/* --- behind the last whole chunk of a tight region --- */

static void *map_pages(void *at, size_t bytes)
{
	void *p = mmap(at, bytes, PROT_READ | PROT_WRITE, PRIVATE | (at ? MAP_FIXED : 0), -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *at, size_t bytes)
{
	/* The addresses stay set aside. If even that fails they keep what is there. */
	if (bytes &&
	    mmap(at, bytes, PROT_NONE, PRIVATE | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
		madvise(at, bytes, MADV_DONTNEED);
}

static int add_pages(struct region *r, struct memory *m, size_t bytes)
{
	if (take(m, bytes))
		return -ENOMEM;
	if (!map_pages((char *)r->base + r->bytes, bytes)) {
		m->used -= bytes;
		return -ENOMEM;
	}
	r->bytes += bytes;
	r->backed[BACKING_4K] += bytes;
	m->backed[BACKING_4K] += bytes;
	return 0;
}

/* The small pages become a chunk, which is made elsewhere and put in their place. */
static int fill_chunk(struct region *r, struct memory *m)
{
	size_t small = r->bytes % REGION_CHUNK;
	char *at = (char *)r->base + r->bytes - small, *chunk;
	int backing;

	if (take(m, REGION_CHUNK))
		return -ENOMEM;
	chunk = reserve(REGION_CHUNK);
	backing = chunk ? map_chunk(m, chunk) : -ENOMEM;
	if (backing >= 0)
		memcpy(chunk, at, small);
	if (backing < 0 || mremap(chunk, REGION_CHUNK, REGION_CHUNK, MREMAP_MAYMOVE | MREMAP_FIXED,
				  at) == MAP_FAILED) {
		if (chunk)
			munmap(chunk, REGION_CHUNK);
		m->used -= REGION_CHUNK;
		return -ENOMEM;
	}
	give(m, BACKING_4K, small);
	r->backed[BACKING_4K] -= small;
	r->backed[backing] += REGION_CHUNK;
	m->backed[backing] += REGION_CHUNK;
	r->bytes += REGION_CHUNK - small;
	return 0;
}

static int grow_tight(struct region *r, struct memory *m, size_t bytes)
{
	size_t small = r->bytes % REGION_CHUNK;

	if (bytes - (r->bytes - small) < REGION_CHUNK)
		return add_pages(r, m, round_up(bytes, REGION_PAGE) - r->bytes);
	return small ? fill_chunk(r, m) : add_chunk(r, m);
}

/* --- more addresses --- */

/* What backs them, or -ENOMEM. */
static int map_some(struct memory *m, void *at, size_t bytes)
{
	if (bytes == REGION_CHUNK)
		return map_chunk(m, at);
	return map_pages(at, bytes) ? BACKING_4K : -ENOMEM;
}

/* Contents to other addresses. The memory they leave is given back, the addresses kept: they are
 * not to fall to another thread's mapping. */
static void move_some(void *to, void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	madvise(from, bytes, MADV_DONTNEED);
}

static size_t some(size_t left)
{
	return left < REGION_CHUNK ? left : REGION_CHUNK;
}

/* Chunk by chunk, so that only one is held twice. What was moved goes back if one cannot be. */
static int move_chunks(struct region *to, struct region *from, struct memory *m)
{
	while (to->bytes < from->bytes) {
		size_t n = some(from->bytes - to->bytes);
		int backing = map_some(m, (char *)to->base + to->bytes, n);

		if (backing < 0)
			break;
		move_some((char *)to->base + to->bytes, (char *)from->base + to->bytes, n);
		to->backed[backing] += n;
		to->bytes += n;
	}
	if (to->bytes == from->bytes)
		return 0;
	for (size_t at = 0; at < to->bytes; at += REGION_CHUNK)
		move_some((char *)from->base + at, (char *)to->base + at, some(to->bytes - at));
	return -ENOMEM;
}

static int more_addresses(struct region *r, struct memory *m, size_t bytes)
{
	struct region large = {0};
	int err = reserve_for(&large, m, bytes);

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
	int err = reserve_for(&large, m, bytes) ?: add_chunk(&large, m);

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
		err = m->tight ? grow_tight(r, m, bytes) : add_chunk(r, m);
	return err;
}

/* --- less --- */

static void account_less(struct region *r, struct memory *m, enum backing b, size_t bytes)
{
	give(m, b, bytes);
	r->backed[b] -= bytes;
	r->bytes -= bytes;
}

/* Small pages, those of a chunk or those behind the last. */
static void drop_pages(struct region *r, struct memory *m, size_t bytes)
{
	if (r->reserved)
		unmap((char *)r->base + bytes, r->bytes - bytes);
	else
		munmap((char *)r->base + bytes, r->bytes - bytes);
	account_less(r, m, BACKING_4K, r->bytes - bytes);
}

static enum backing chunk_backing(const struct region *r)
{
	return r->backed[BACKING_THP] ? BACKING_THP : BACKING_4K;
}

static void drop_chunk(struct region *r, struct memory *m)
{
	unmap((char *)r->base + r->bytes - REGION_CHUNK, REGION_CHUNK);
	account_less(r, m, chunk_backing(r), REGION_CHUNK);
}

/* The last chunk becomes so many bytes of small pages. All of it stays if there is no memory. */
static void break_chunk(struct region *r, struct memory *m, size_t bytes)
{
	char *at = (char *)r->base + r->bytes - REGION_CHUNK;
	void *copy = map_pages(NULL, bytes);

	if (!copy)
		return;
	memcpy(copy, at, bytes);
	/* A huge page is only given back as a whole. */
	if (!madvise(at, REGION_CHUNK, MADV_NOHUGEPAGE) || errno == EINVAL) {
		madvise(at, REGION_CHUNK, MADV_DONTNEED);
		memcpy(at, copy, bytes);
		unmap(at + bytes, REGION_CHUNK - bytes);
		account_less(r, m, chunk_backing(r), REGION_CHUNK);
		r->bytes += bytes;
		r->backed[BACKING_4K] += bytes;
		m->backed[BACKING_4K] += bytes;
		m->used += bytes;
	}
	munmap(copy, bytes);
}

/* From chunks to a plain mapping. */
static void become_small(struct region *r, struct memory *m, size_t bytes)
{
	struct region small = {0};

	if (grow_small(&small, m, bytes))
		return;
	memcpy(small.base, r->base, bytes);
	region__free(r, m);
	*r = small;
}

static void shrink(struct region *r, struct memory *m, size_t bytes)
{
	size_t small;

	if (r->reserved && bytes <= REGION_CHUNK - REGION_PAGE) {
		become_small(r, m, bytes);
		return;
	}
	small = r->bytes % REGION_CHUNK;
	if (small && r->reserved && bytes <= r->bytes - small)
		drop_pages(r, m, r->bytes - small);
	while (r->reserved && r->bytes % REGION_CHUNK == 0 && bytes + REGION_CHUNK <= r->bytes)
		drop_chunk(r, m);
	if (bytes < r->bytes && r->reserved && r->bytes % REGION_CHUNK == 0)
		break_chunk(r, m, bytes % REGION_CHUNK);
	else if (bytes < r->bytes)
		drop_pages(r, m, bytes);
}

void region__shrink(struct region *r, struct memory *m, size_t bytes)
{
	if (!bytes)
		region__free(r, m);
	if (bytes >= r->bytes)
		return;
	shrink(r, m, round_up(bytes, REGION_PAGE));
	memset((char *)r->base + bytes, 0, r->bytes - bytes);
}

void region__free(struct region *r, struct memory *m)
{
	for (int i = 0; i < BACKINGS; i++)
		give(m, i, r->backed[i]);
	if (r->base)
		munmap(r->base, r->reserved ? r->reserved : r->bytes);
	*r = (struct region){0};
}
