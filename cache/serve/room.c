// SPDX-License-Identifier: GPL-2.0
/*
 * Room: chunks of the arena go to the shards that want them, from those that have more than their
 * disk is to have.
 */
#include <stdlib.h>

#include "../store/balance.h"
#include "disk.h"

struct chunk_move {
	struct shard_call call;
	void *chunk;
};

/* --- moving one --- */

static void give_run(struct shard_call *c)
{
	struct chunk_move *m = (struct chunk_move *)c;

	if (!exclusive_cache__add_chunk(c->shard->cache, m->chunk))
		m->chunk = NULL;
	c->shard->hungry = false;
	shard__publish(c->shard);
	/* One may not be enough. */
	shard__feel(c->shard);
}

static void take_run(struct shard_call *c)
{
	struct chunk_move *m = (struct chunk_move *)c;

	m->chunk = exclusive_cache__take_chunk(c->shard->cache);
	shard__publish(c->shard);
}

/* What comes back is the arena's: a chunk that was taken, or that could not be used. */
static void moved(struct shard_call *c)
{
	struct chunk_move *m = (struct chunk_move *)c;
	struct shard *s = c->shard;
	bool taking = c->run == take_run, returned = m->chunk;

	s->moving = false;
	if (!taking)
		s->wants = false;
	if (returned) {
		arena__give(server__arena(s->disk->server), m->chunk);
		s->chunks--;
	}
	free(m);
	/* What went wrong (all slots of a chunk in use, no memory) is tried again with the clock.
	 */
	if (taking == returned)
		server__balance(s->disk->server);
}

static bool move(struct shard *s, void *chunk)
{
	struct chunk_move *m = malloc(sizeof(*m));

	if (!m)
		return false;
	*m = (struct chunk_move){
		.call = {.shard = s,
			 .back = server__loop(s->disk->server),
			 .run = chunk ? give_run : take_run,
			 .done = moved},
		.chunk = chunk,
	};
	s->moving = true;
	shard_call__post(&m->call);
	return true;
}

/* --- who is to have what --- */

static __u64 chunks_of(const struct disk *d)
{
	__u64 n = 0;

	for (unsigned i = 0; i < d->nr_shards; i++)
		n += d->shard[i].chunks;
	return n;
}

static bool disk_wants(const struct disk *d)
{
	for (unsigned i = 0; i < d->nr_shards; i++)
		if (d->shard[i].wants)
			return true;
	return false;
}

static void describe(const struct disk *d, struct balance_vm *v)
{
	*v = (struct balance_vm){
		.min = (d->min + ARENA_CHUNK - 1) / ARENA_CHUNK,
		.max = d->max ? (d->max + ARENA_CHUNK - 1) / ARENA_CHUNK : 0,
		.share = d->share,
		.wants = disk_wants(d) ? ~0ULL : chunks_of(d),
	};
}

/* Within a disk: alike to all that want it. */
static int set_targets(struct disk *d, __u64 total)
{
	struct balance_vm v[MAX_SHARDS];
	int err;

	for (unsigned i = 0; i < d->nr_shards; i++)
		v[i] = (struct balance_vm){
			.share = 1,
			.wants = d->shard[i].wants ? ~0ULL : d->shard[i].chunks,
		};
	err = balance__targets(v, d->nr_shards, total);
	for (unsigned i = 0; !err && i < d->nr_shards; i++)
		d->shard[i].target = v[i].target;
	return err;
}

static int compute(struct server *s)
{
	size_t n = 0, i = 0;
	struct balance_vm *v;
	int err;

	for (struct disk *d = server__first_disk(s); d; d = d->next)
		n++;
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		return -1;
	for (struct disk *d = server__first_disk(s); d; d = d->next)
		describe(d, &v[i++]);
	err = balance__targets(v, n, arena__chunks(server__arena(s)));
	i = 0;
	for (struct disk *d = server__first_disk(s); !err && d; d = d->next)
		err = set_targets(d, v[i++].target);
	free(v);
	return err;
}

/* --- towards it --- */

static void shrink(struct shard *s)
{
	if (!s->moving && s->chunks > s->target)
		move(s, NULL);
}

static void grow(struct shard *s)
{
	void *chunk;

	if (s->moving || !s->wants || s->chunks >= s->target)
		return;
	chunk = arena__take(server__arena(s->disk->server));
	if (!chunk)
		return;
	if (move(s, chunk))
		s->chunks++;
	else
		arena__give(server__arena(s->disk->server), chunk);
}

static void each(struct server *s, void (*fn)(struct shard *s))
{
	for (struct disk *d = server__first_disk(s); d; d = d->next)
		for (unsigned i = 0; !d->removing && i < d->nr_shards; i++)
			fn(&d->shard[i]);
}

void server__balance(struct server *s)
{
	if (compute(s))
		return;
	each(s, shrink);
	each(s, grow);
}
