// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arena.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
/* <linux/mman.h>: 21 << MAP_HUGE_SHIFT, whatever the default huge page size is. */
#define ARENA_MAP_HUGE_2MB (21 << 26)

enum arena_backing { BACKING_HUGETLB, BACKING_THP, BACKING_4K, BACKINGS };

struct free_block {
	struct free_block *next;
};

struct arena {
	void **chunks;
	size_t nr_chunks, room;
	size_t fresh; /* offset of the first never used block of the last chunk */
	size_t limit, used;
	size_t backed[BACKINGS]; /* chunks */
	struct free_block *free;
	bool hugetlb, thp; /* worth trying */
};

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

struct arena *arena__new(size_t limit)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->limit = limit / ARENA_CHUNK;
	if (limit && !a->limit)
		a->limit = 1;
	a->hugetlb = true;
	a->thp = thp_enabled();
	a->fresh = ARENA_CHUNK;
	return a;
}

void arena__free(struct arena *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->nr_chunks; i++)
		munmap(a->chunks[i], ARENA_CHUNK);
	free(a->chunks);
	free(a);
}

/*
 * A hugetlb mapping can still fail at its first touch, with SIGBUS: a cgroup's limit or a memory
 * policy is only looked at then. Populating it tells by an errno.
 */
static void *map_hugetlb(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | ARENA_MAP_HUGE_2MB;
	void *p = mmap(NULL, ARENA_CHUNK, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (madvise(p, ARENA_CHUNK, MADV_POPULATE_WRITE) && errno != EINVAL) {
		munmap(p, ARENA_CHUNK);
		return NULL;
	}
	return p;
}

/* Anonymous memory, aligned so that one huge page can hold it. */
static void *map_aligned(void)
{
	char *p = mmap(NULL, 2 * ARENA_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	size_t head;

	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p & (ARENA_CHUNK - 1);
	if (head)
		munmap(p, head);
	munmap(p + head + ARENA_CHUNK, ARENA_CHUNK - head);
	return p + head;
}

static void *map_chunk(struct arena *a)
{
	void *p = NULL;

	if (a->hugetlb)
		p = map_hugetlb();
	if (p) {
		a->backed[BACKING_HUGETLB]++;
		return p;
	}
	a->hugetlb = false; /* the pool is empty: do not ask again for each chunk */
	p = map_aligned();
	if (p)
		a->backed[a->thp && !madvise(p, ARENA_CHUNK, MADV_HUGEPAGE) ? BACKING_THP
									    : BACKING_4K]++;
	return p;
}

static int grow(struct arena *a)
{
	void *p;

	if (a->limit && a->nr_chunks >= a->limit)
		return -ENOMEM;
	if (a->nr_chunks == a->room) {
		size_t room = a->room ? 2 * a->room : 16;
		void **chunks = realloc(a->chunks, room * sizeof(*chunks));

		if (!chunks)
			return -ENOMEM;
		a->chunks = chunks;
		a->room = room;
	}
	p = map_chunk(a);
	if (!p)
		return -ENOMEM;
	a->chunks[a->nr_chunks++] = p;
	a->fresh = 0;
	return 0;
}

void *arena__get(struct arena *a)
{
	struct free_block *b = a->free;

	if (b) {
		a->free = b->next;
		memset(b, 0, ARENA_BLOCK);
	} else {
		if (a->fresh == ARENA_CHUNK && grow(a))
			return NULL;
		b = (void *)((char *)a->chunks[a->nr_chunks - 1] + a->fresh);
		a->fresh += ARENA_BLOCK;
	}
	a->used += ARENA_BLOCK;
	return b;
}

void arena__put(struct arena *a, void *block)
{
	struct free_block *b = block;

	b->next = a->free;
	a->free = b;
	a->used -= ARENA_BLOCK;
}

size_t arena__used(const struct arena *a)
{
	return a->used;
}

size_t arena__bytes(const struct arena *a)
{
	return a->nr_chunks * ARENA_CHUNK + a->room * sizeof(*a->chunks) + sizeof(*a);
}

const char *arena__backing(const struct arena *a)
{
	static const char *const names[BACKINGS] = {"hugetlb", "THP", "4K pages"};
	int most = a->thp ? BACKING_THP : BACKING_4K;

	for (int i = 0; i < BACKINGS; i++)
		if (a->backed[i] > a->backed[most])
			most = i;
	return names[most];
}

int arena_table__grow(struct arena_table *t, struct arena *a)
{
	void *block;

	if (t->nr == t->room) {
		__u32 room = t->room ? 2 * t->room : 4;
		void **blocks = realloc(t->block, room * sizeof(*blocks));

		if (!blocks)
			return -ENOMEM;
		t->block = blocks;
		t->room = room;
	}
	block = arena__get(a);
	if (!block)
		return -ENOMEM;
	t->block[t->nr++] = block;
	return 0;
}

void arena_table__clear(struct arena_table *t, struct arena *a)
{
	for (__u32 i = 0; i < t->nr; i++)
		arena__put(a, t->block[i]);
	free(t->block);
	*t = (struct arena_table){0};
}
