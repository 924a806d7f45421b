// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "log_histogram.h"
#include "reuse_histogram.h"

#define CHUNK_SHIFT (ARENA_BLOCK_SHIFT - 2)
#define CHUNK_LEN (1U << CHUNK_SHIFT)
/* Distances beyond are counted as this: a stack holds less than 2^32 pages. */
#define MAX_DISTANCE ((1ULL << 32) - 1)
#define UNSEEN_BITS 8
#define GROUP_BITS 4

/* Counts of CHUNK_LEN distances. 4 bytes a distance until one of them needs more. */
struct chunk {
	__u32 *low, *high; /* each a block; NULL: zero */
	__u64 sum;
};

struct group {
	__u64 accesses, cold, unseen_all;
	struct log_histogram refault, unseen;
};

struct reuse_histogram {
	struct arena *arena;
	struct chunk *chunks;
	size_t nr_chunks;
	__u64 cold, refaults, unseen_all;
	__u64 refault_end, samples;
	struct log_histogram unseen;
	struct group *groups; /* NULL while all is exact */
};

struct reuse_histogram *reuse_histogram__new(struct arena *a)
{
	struct reuse_histogram *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->arena = a;
	h->unseen.bits = UNSEEN_BITS;
	return h;
}

static void drop_chunk(struct reuse_histogram *h, struct chunk *c)
{
	if (c->low)
		arena__put(h->arena, c->low);
	if (c->high)
		arena__put(h->arena, c->high);
	*c = (struct chunk){0};
}

void reuse_histogram__free(struct reuse_histogram *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->nr_chunks; i++)
		drop_chunk(h, &h->chunks[i]);
	free(h->chunks);
	log_histogram__clear(&h->unseen);
	for (int g = 0; h->groups && g < REUSE_GROUPS; g++) {
		log_histogram__clear(&h->groups[g].refault);
		log_histogram__clear(&h->groups[g].unseen);
	}
	free(h->groups);
	free(h);
}

/* --- dense counts --- */

static __u64 chunk_get(const struct chunk *c, __u32 i)
{
	return (c->low ? c->low[i] : 0) + (c->high ? (__u64)c->high[i] << 32 : 0);
}

/* Make sure that n more can be counted at i. */
static int chunk_reserve(struct reuse_histogram *h, struct chunk *c, __u32 i, __u64 n)
{
	if (!c->low)
		c->low = arena__get(h->arena);
	if (!c->low)
		return -ENOMEM;
	if (!c->high && chunk_get(c, i) + n > ~0U)
		c->high = arena__get(h->arena);
	return c->high || chunk_get(c, i) + n <= ~0U ? 0 : -ENOMEM;
}

static void chunk_add(struct chunk *c, __u32 i, __u64 n)
{
	__u64 v = chunk_get(c, i) + n;

	c->low[i] = v;
	if (c->high)
		c->high[i] = v >> 32;
	c->sum += n;
}

static int grow_chunks(struct reuse_histogram *h, size_t nr)
{
	struct chunk *chunks;

	if (nr < 2 * h->nr_chunks)
		nr = 2 * h->nr_chunks;
	chunks = realloc(h->chunks, nr * sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	for (size_t i = h->nr_chunks; i < nr; i++)
		chunks[i] = (struct chunk){0};
	h->chunks = chunks;
	h->nr_chunks = nr;
	return 0;
}

/* --- counting --- */

/* The access's group, or NULL when all pages are sampled; false: no memory. */
static bool get_group(struct reuse_histogram *h, const struct reuse *r, struct group **out)
{
	*out = NULL;
	if (!r->sampled)
		return true;
	if (!h->groups) {
		h->groups = calloc(REUSE_GROUPS, sizeof(*h->groups));
		if (!h->groups)
			return false;
		for (int g = 0; g < REUSE_GROUPS; g++)
			h->groups[g].refault.bits = h->groups[g].unseen.bits = GROUP_BITS;
	}
	*out = &h->groups[r->group];
	return true;
}

static void count_group(struct reuse_histogram *h, struct group *g, const struct reuse *r)
{
	if (!g)
		return;
	g->accesses += r->units;
	h->samples++;
}

int reuse_histogram__cold(struct reuse_histogram *h, const struct reuse *r)
{
	struct group *g;

	if (!get_group(h, r, &g))
		return -ENOMEM;
	h->cold += r->units;
	if (g)
		g->cold += r->units;
	count_group(h, g, r);
	return 0;
}

int reuse_histogram__refault(struct reuse_histogram *h, const struct reuse *r, __u64 distance)
{
	__u64 d = distance < MAX_DISTANCE ? distance : MAX_DISTANCE, *in_group = NULL;
	struct chunk *c;
	struct group *g;

	if (!get_group(h, r, &g))
		return -ENOMEM;
	if (d >> CHUNK_SHIFT >= h->nr_chunks && grow_chunks(h, (d >> CHUNK_SHIFT) + 1))
		return -ENOMEM;
	c = &h->chunks[d >> CHUNK_SHIFT];
	if (chunk_reserve(h, c, d % CHUNK_LEN, r->units))
		return -ENOMEM;
	if (g) {
		in_group = log_histogram__at(&g->refault, d);
		if (!in_group)
			return -ENOMEM;
		*in_group += r->units;
	}
	chunk_add(c, d % CHUNK_LEN, r->units);
	h->refaults += r->units;
	if (d >= h->refault_end)
		h->refault_end = d + 1;
	count_group(h, g, r);
	return 0;
}

void reuse_histogram__prefetch(const struct reuse_histogram *h, __u64 distance)
{
	const __u32 *low;

	if (distance >> CHUNK_SHIFT >= h->nr_chunks)
		return;
	low = h->chunks[distance >> CHUNK_SHIFT].low;
	if (low)
		__builtin_prefetch(&low[distance % CHUNK_LEN], 1);
}

int reuse_histogram__unseen(struct reuse_histogram *h, const struct reuse *r, __u64 bound)
{
	__u64 b = bound < MAX_DISTANCE ? bound : MAX_DISTANCE, *n, *in_group;
	struct group *g;

	if (!get_group(h, r, &g))
		return -ENOMEM;
	n = log_histogram__at(&h->unseen, log_histogram__round_up(&h->unseen, b));
	if (!n)
		return -ENOMEM;
	if (g) {
		in_group = log_histogram__at(&g->unseen, b);
		if (!in_group)
			return -ENOMEM;
		*in_group += r->units;
		g->unseen_all += r->units;
	}
	*n += r->units;
	h->unseen_all += r->units;
	count_group(h, g, r);
	return 0;
}

/* --- half the sampling rate --- */

/* Both halves of a chunk that two chunks (missing ones are zero) are folded into. */
static void fold_chunks(const struct chunk *from, size_t nr, __u64 *out)
{
	for (__u32 i = 0; i < CHUNK_LEN; i++) {
		__u32 d = 2 * i, k = d >> CHUNK_SHIFT;

		d %= CHUNK_LEN;
		out[i] = k < nr ? chunk_get(&from[k], d) + chunk_get(&from[k], d + 1) : 0;
	}
}

static void fold_into(struct reuse_histogram *h, size_t to, __u64 *tmp)
{
	size_t nr = h->nr_chunks - 2 * to;
	struct chunk *from = &h->chunks[2 * to], *c = &h->chunks[to];
	__u64 sum;

	nr = nr < 2 ? nr : 2;
	sum = from[0].sum + (nr > 1 ? from[1].sum : 0);
	if (!sum)
		return;
	fold_chunks(from, nr, tmp);
	for (size_t k = 0; k < nr; k++)
		drop_chunk(h, &from[k]);
	/* The blocks just given back are there to be taken; only a count that outgrows 32 bits
	 * while memory is short can miss its upper half. */
	for (__u32 i = 0; i < CHUNK_LEN; i++) {
		if (!tmp[i])
			continue;
		if (chunk_reserve(h, c, i, tmp[i]))
			tmp[i] = ~0U;
		chunk_add(c, i, tmp[i]);
	}
}

static void halve_dense(struct reuse_histogram *h)
{
	__u64 tmp[CHUNK_LEN];

	/* Ascending: chunk `to` was folded away before it is filled, or is among the two. */
	for (size_t to = 0; 2 * to < h->nr_chunks; to++)
		fold_into(h, to, tmp);
}

void reuse_histogram__halve(struct reuse_histogram *h)
{
	halve_dense(h);
	h->refault_end = (h->refault_end + 1) / 2;
	log_histogram__halve(&h->unseen);
	for (int g = 0; h->groups && g < REUSE_GROUPS; g++) {
		log_histogram__halve(&h->groups[g].refault);
		log_histogram__halve(&h->groups[g].unseen);
	}
}

/* --- asking --- */

__u64 reuse_histogram__accesses(const struct reuse_histogram *h)
{
	return h->cold + h->refaults + h->unseen_all;
}

static __u64 count_at(const struct reuse_histogram *h, __u64 d)
{
	return d >> CHUNK_SHIFT < h->nr_chunks
		       ? chunk_get(&h->chunks[d >> CHUNK_SHIFT], d % CHUNK_LEN)
		       : 0;
}

static __u64 count_from(const struct reuse_histogram *h, __u64 d)
{
	size_t first = d >> CHUNK_SHIFT;
	__u64 n = 0;

	if (first >= h->nr_chunks)
		return 0;
	for (__u32 i = d % CHUNK_LEN; h->chunks[first].sum && i < CHUNK_LEN; i++)
		n += chunk_get(&h->chunks[first], i);
	for (size_t i = first + 1; i < h->nr_chunks; i++)
		n += h->chunks[i].sum;
	return n;
}

double reuse_histogram__refaults_from(const struct reuse_histogram *h, double y)
{
	__u64 above;

	if (y > MAX_DISTANCE)
		return 0;
	if (y <= 0)
		return h->refaults;
	above = ceil(y);
	return count_from(h, above) + (above - y) * count_at(h, above - 1);
}

double reuse_histogram__unseen_from(const struct reuse_histogram *h, double y)
{
	return log_histogram__from(&h->unseen, y);
}

__u64 reuse_histogram__refault_end(const struct reuse_histogram *h)
{
	return h->refault_end;
}

__u64 reuse_histogram__unseen_end(const struct reuse_histogram *h)
{
	return log_histogram__end(&h->unseen);
}

double reuse_histogram__misses(const struct reuse_histogram *h, double y)
{
	if (y <= 0)
		return reuse_histogram__accesses(h);
	return h->cold + reuse_histogram__refaults_from(h, y) +
	       reuse_histogram__unseen_from(h, y) / 2;
}

double reuse_histogram__group_misses(const struct reuse_histogram *h, __u32 group, double y)
{
	const struct group *g;

	if (!h->groups)
		return 0;
	g = &h->groups[group];
	if (y <= 0)
		return g->accesses;
	return g->cold + log_histogram__from(&g->refault, y) +
	       log_histogram__from(&g->unseen, y) / 2;
}

__u64 reuse_histogram__group_accesses(const struct reuse_histogram *h, __u32 group)
{
	return h->groups ? h->groups[group].accesses : 0;
}

__u64 reuse_histogram__samples(const struct reuse_histogram *h)
{
	return h->samples;
}

size_t reuse_histogram__heap(const struct reuse_histogram *h)
{
	size_t n = sizeof(*h) + h->nr_chunks * sizeof(*h->chunks) + log_histogram__heap(&h->unseen);

	if (!h->groups)
		return n;
	for (int g = 0; g < REUSE_GROUPS; g++)
		n += sizeof(*h->groups) + log_histogram__heap(&h->groups[g].refault) +
		     log_histogram__heap(&h->groups[g].unseen);
	return n;
}
