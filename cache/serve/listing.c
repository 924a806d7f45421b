// SPDX-License-Identifier: GPL-2.0
/* Which pages of a disk are cached. */
#include <errno.h>
#include <stdlib.h>

#include "disk.h"

struct listing {
	struct shard_call call[MAX_SHARDS];
	__u64 *pages[MAX_SHARDS];
	size_t nr[MAX_SHARDS];
	unsigned left;
	void (*fn)(void *ctx, const __u64 *pages, size_t n);
	void *ctx;
};

static struct listing *listing_of(struct shard_call *c)
{
	return (struct listing *)(c - c->shard->index);
}

static void list(struct shard_call *c)
{
	struct listing *l = listing_of(c);
	unsigned i = c->shard->index;
	struct exclusive_cache_counts now;

	exclusive_cache__counts(c->shard->cache, &now);
	l->pages[i] = malloc(now.cached * sizeof(*l->pages[i]) + 1);
	if (l->pages[i])
		l->nr[i] = exclusive_cache__list(c->shard->cache, l->pages[i], now.cached);
}

static int by_number(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static void hand_over(struct listing *l)
{
	__u64 *all;
	size_t n = 0, k = 0;

	for (unsigned i = 0; i < MAX_SHARDS; i++)
		n += l->nr[i];
	all = malloc(n * sizeof(*all) + 1);
	for (unsigned i = 0; all && i < MAX_SHARDS; i++)
		for (size_t j = 0; j < l->nr[i]; j++)
			all[k++] = l->pages[i][j];
	if (all)
		qsort(all, k, sizeof(*all), by_number);
	l->fn(l->ctx, all, k);
	free(all);
}

static void listed(struct shard_call *c)
{
	struct listing *l = listing_of(c);

	if (--l->left)
		return;
	hand_over(l);
	for (unsigned i = 0; i < MAX_SHARDS; i++)
		free(l->pages[i]);
	free(l);
}

int server__pages(struct server *s, const char *name,
		  void (*fn)(void *ctx, const __u64 *pages, size_t n), void *ctx)
{
	struct disk *d = server__find(s, name);
	struct listing *l;

	if (!d)
		return -ENOENT;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->fn = fn;
	l->ctx = ctx;
	l->left = d->nr_shards;
	for (unsigned i = 0; i < d->nr_shards; i++) {
		l->call[i] = (struct shard_call){.shard = &d->shard[i],
						 .back = server__loop(s),
						 .run = list,
						 .done = listed};
		shard_call__post(&l->call[i]);
	}
	return 0;
}
