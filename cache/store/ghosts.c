// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../bpf/page_event.h"
#include "ghosts.h"

#define NONE (~0ULL)
#define MAX_GHOSTS (1U << 31)
/* Entries of a block: 3 KiB. */
#define BLOCK_SHIFT 8
#define BLOCK (1U << BLOCK_SHIFT)
/* A head that is zero points out of reach. */
#define FIRST_TIME ((1ULL << 32) + BLOCK)

static __u64 page_of(const struct ghost *e)
{
	return (__u64)e->page_high << 32 | e->page_low;
}

/* first <= time < now, or it is the next one. */
static struct ghost *at(const struct ghosts *g, __u64 time)
{
	return &g->entry[g->block[(time >> BLOCK_SHIFT) & g->mask] * BLOCK + time % BLOCK];
}

/* Of `heads` heads: with the bits that the last one needs, or if there is none, with one less. */
static __u32 number_of_head(const struct ghosts *g, __u64 page, __u32 heads)
{
	__u32 mask = ~0U >> __builtin_clz((heads - 1) | 1);
	__u32 i = pe_hash(page ^ g->secret, 0) & mask;

	return i < heads ? i : i & mask >> 1;
}

static __u32 *head_of(const struct ghosts *g, __u64 page)
{
	return &g->head[number_of_head(g, page, g->max)];
}

void ghosts__init(struct ghosts *g, struct memory *m)
{
	*g = (struct ghosts){.memory = m, .now = FIRST_TIME, .first = FIRST_TIME};
	g->begun = g->gone = FIRST_TIME >> BLOCK_SHIFT;
	if (getrandom(&g->secret, sizeof(g->secret), GRND_NONBLOCK) != sizeof(g->secret))
		g->secret = pe_hash((__u64)(unsigned long)g, 1);
}

void ghosts__free(struct ghosts *g)
{
	region__free(&g->entries, g->memory);
	region__free(&g->heads, g->memory);
	free(g->block);
	free(g->free);
}

/* --- entries --- */

/* The entry of that time, of so many bits; NULL if it is not younger than `age` and counts. */
static struct ghost *older(const struct ghosts *g, __u32 time, __u32 *age)
{
	__u32 a = (__u32)g->now - time;

	if (a <= *age || a > g->now - g->first)
		return NULL;
	*age = a;
	return at(g, g->now - a);
}

/* The page's entry. Entries of a chain are ever older: what is not has left the queue. */
static struct ghost *find(const struct ghosts *g, __u64 page)
{
	struct ghost *e;
	__u32 age = 0;

	if (!g->live)
		return NULL;
	for (e = older(g, *head_of(g, page), &age); e; e = older(g, e->next, &age))
		if (page_of(e) == page)
			return e;
	return NULL;
}

static void take_out(struct ghosts *g, struct ghost *e)
{
	if (page_of(e) == NONE)
		return;
	e->page_low = e->page_high = ~0U;
	g->live--;
}

bool ghosts__has(const struct ghosts *g, __u64 page)
{
	return find(g, page);
}

bool ghosts__remove(struct ghosts *g, __u64 page)
{
	struct ghost *e = find(g, page);

	if (e)
		take_out(g, e);
	return e;
}

/* Blocks of which all are over are free. */
static void forget_oldest(struct ghosts *g, __u64 n)
{
	for (; n; n--)
		take_out(g, at(g, g->first++));
	while (g->gone < g->first >> BLOCK_SHIFT)
		g->free[g->nr_free++] = g->block[g->gone++ & g->mask];
}

void ghosts__add(struct ghosts *g, __u64 page)
{
	__u32 *head;

	if (!g->max)
		return;
	if (g->now - g->first == g->max)
		forget_oldest(g, 1);
	if (g->now >> BLOCK_SHIFT == g->begun)
		g->block[g->begun++ & g->mask] = g->free[--g->nr_free];
	head = head_of(g, page);
	*at(g, g->now) = (struct ghost){.page_low = page, .page_high = page >> 32, .next = *head};
	*head = g->now++;
	g->live++;
}

void ghosts__remove_range(struct ghosts *g, __u64 page, __u64 count)
{
	/* To look for one takes as long as to look at so many in their order. */
	if (count < (g->now - g->first) / 16) {
		for (; count--; page++)
			ghosts__remove(g, page);
		return;
	}
	for (__u64 time = g->first; time < g->now; time++) {
		struct ghost *e = at(g, time);

		if (page_of(e) - page < count)
			take_out(g, e);
	}
}

void ghosts__prefetch(const struct ghosts *g, __u64 page)
{
	if (g->max)
		__builtin_prefetch(head_of(g, page), 1);
}

/* --- chains --- */

/* Where the next one of a chain is noted. */
struct chain {
	__u32 *end;
};

static __u32 nowhere(const struct ghosts *g)
{
	return g->first - 1;
}

static void chain__add(struct chain *c, __u32 time, struct ghost *e)
{
	*c->end = time;
	c->end = &e->next;
}

/* The next one that counts of those from `time` on, which are of that head. */
static struct ghost *next_of(const struct ghosts *g, __u32 time, __u32 head, __u32 heads,
			     __u32 *age)
{
	struct ghost *e;

	for (e = older(g, time, age); e && page_of(e) == NONE;)
		e = older(g, e->next, age);
	/* Times come again after 2^32: it may be of any chain. */
	return e && number_of_head(g, page_of(e), heads) == head ? e : NULL;
}

/* One head more: its pages come from the one that has them now. */
static void split(struct ghosts *g, __u32 new)
{
	__u32 from = new & ~0U >> __builtin_clz(new | 1) >> 1, age = 0;
	struct chain stay = {&g->head[from]}, go = {&g->head[new]};
	struct ghost *e = new ? next_of(g, g->head[from], from, new, &age) : NULL;

	while (e) {
		__u32 next = e->next, time = g->now - age;
		bool goes = number_of_head(g, page_of(e), new + 1) == new;

		chain__add(goes ? &go : &stay, time, e);
		e = next_of(g, next, from, new, &age);
	}
	*stay.end = *go.end = nowhere(g);
}

/* One head less: both chains in the order of time. */
static void merge(struct ghosts *g, __u32 last)
{
	__u32 to = last & ~0U >> __builtin_clz(last) >> 1, age[2] = {0};
	struct ghost *e[2] = {next_of(g, g->head[to], to, last + 1, &age[0]),
			      next_of(g, g->head[last], last, last + 1, &age[1])};
	struct chain all = {&g->head[to]};

	while (e[0] || e[1]) {
		int i = !e[0] || (e[1] && age[1] < age[0]);
		__u32 next = e[i]->next;

		chain__add(&all, g->now - age[i], e[i]);
		e[i] = next_of(g, next, i ? last : to, last + 1, &age[i]);
	}
	*all.end = nowhere(g);
}

/* --- size --- */

/* Blocks for so many, wherever the first one is in its own. */
static __u32 blocks_of(__u64 max)
{
	return max ? (max + BLOCK - 1) / BLOCK + 1 : 0;
}

static __u32 power_of_two(__u32 n)
{
	return n > 1 ? 1U << (32 - __builtin_clz(n - 1)) : 1;
}

/* What says where the blocks are, for so many of them. */
static int resize_lists(struct ghosts *g, __u32 blocks)
{
	__u32 room = power_of_two(blocks), *block, *free_blocks;

	if (g->block && room == g->mask + 1)
		return 0;
	block = calloc(room, sizeof(*block));
	free_blocks = calloc(room, sizeof(*free_blocks));
	if (!block || !free_blocks) {
		free(block);
		free(free_blocks);
		return -ENOMEM;
	}
	for (__u64 i = g->gone; i < g->begun; i++)
		block[i & (room - 1)] = g->block[i & g->mask];
	if (g->nr_free)
		memcpy(free_blocks, g->free, g->nr_free * sizeof(*free_blocks));
	free(g->block);
	free(g->free);
	g->block = block;
	g->free = free_blocks;
	g->mask = room - 1;
	return 0;
}

static int grow(struct ghosts *g, __u32 max)
{
	__u32 blocks = blocks_of(max);
	int err = resize_lists(g, blocks > g->blocks ? blocks : g->blocks);

	if (!err)
		err = region__grow(&g->entries, g->memory,
				   (size_t)blocks * BLOCK * sizeof(*g->entry));
	g->entry = g->entries.base;
	if (!err)
		err = region__grow(&g->heads, g->memory, (size_t)max * sizeof(*g->head));
	g->head = g->heads.base;
	if (err)
		return err;
	for (; g->blocks < blocks; g->blocks++)
		g->free[g->nr_free++] = g->blocks;
	/* Heads that are zero are those of nothing as long as nothing was ever added. */
	if (g->now == FIRST_TIME)
		g->max = max;
	for (; g->max < max; g->max++)
		split(g, g->max);
	return 0;
}

/* Blocks that are to go are not free any more. */
static void drop_free(struct ghosts *g, __u32 blocks)
{
	__u32 n = 0;

	for (__u32 i = 0; i < g->nr_free; i++)
		if (g->free[i] < blocks)
			g->free[n++] = g->free[i];
	g->nr_free = n;
}

/* What is in blocks that are to go moves to others: there are enough. */
static void move_blocks(struct ghosts *g, __u32 blocks)
{
	drop_free(g, blocks);
	for (__u64 i = g->gone; i < g->begun; i++) {
		__u32 *block = &g->block[i & g->mask], to;

		if (*block < blocks)
			continue;
		to = g->free[--g->nr_free];
		memcpy(&g->entry[to * BLOCK], &g->entry[*block * BLOCK], BLOCK * sizeof(*g->entry));
		*block = to;
	}
	g->blocks = blocks;
}

static void restart(struct ghosts *g)
{
	ghosts__free(g);
	ghosts__init(g, g->memory);
}

static void shrink(struct ghosts *g, __u32 max)
{
	if (g->now - g->first > max)
		forget_oldest(g, g->now - g->first - max);
	if (!max) {
		restart(g);
		return;
	}
	while (g->max > max)
		merge(g, --g->max);
	move_blocks(g, blocks_of(max));
	resize_lists(g, g->blocks);
	region__shrink(&g->entries, g->memory, (size_t)g->blocks * BLOCK * sizeof(*g->entry));
	region__shrink(&g->heads, g->memory, (size_t)max * sizeof(*g->head));
	g->entry = g->entries.base;
	g->head = g->heads.base;
}

void ghosts__resize(struct ghosts *g, __u64 max)
{
	if (max > MAX_GHOSTS)
		max = MAX_GHOSTS;
	if (max < g->max)
		shrink(g, max);
	else if (max > g->max)
		grow(g, max);
}

void ghosts__clear(struct ghosts *g)
{
	__u32 max = g->max;

	restart(g);
	ghosts__resize(g, max);
}

size_t ghosts__bytes(const struct ghosts *g)
{
	return g->entries.bytes + g->heads.bytes +
	       (g->block ? 2 * (g->mask + 1) * sizeof(*g->block) : 0);
}
