// SPDX-License-Identifier: GPL-2.0
/*
 * Room: chunks of the arena go to the shards that want them, from those that have more than their
 * disk is to have.
 */
#include <errno.h>
#include <stdlib.h>

#include "../store/balance.h"
#include "disk.h"

/* Chunks in hand: a guest reads as much before the kernel has found and zeroed more. */
#define READY 64
/* Not to keep others waiting for longer, ns: what is missing then is made the next time. */
#define PREPARE_NS 10000000
/* Given at once at most: a shard grows by 16 MiB and a quarter each time. */
#define BATCH 64

/* Of these, chunks that the kernel has yet to find memory for: the shard waits for them. */
#define FRESH 4

struct chunk_move {
	struct shard_call call;
	void *chunk[BATCH];
	unsigned n;
};

/* --- moving some --- */

/* What cannot be used stays in it. */
static void give_run(struct shard_call *c)
{
	struct chunk_move *m = (struct chunk_move *)c;

	while (m->n && !exclusive_cache__add_chunk(c->shard->cache, m->chunk[m->n - 1]))
		m->n--;
	c->shard->hungry = false;
	shard__publish(c->shard);
	/* It may not be enough. */
	shard__feel(c->shard);
}

static void take_run(struct shard_call *c)
{
	struct chunk_move *m = (struct chunk_move *)c;

	m->chunk[0] = exclusive_cache__take_chunk(c->shard->cache);
	m->n = m->chunk[0] != NULL;
	shard__publish(c->shard);
}

/* What comes back is the arena's: a chunk that was taken, or some that could not be used. */
static void moved(struct shard_call *c)
{
	struct chunk_move *m = (struct chunk_move *)c;
	bool taking = c->run == take_run, returned = m->n;
	struct shard *s = c->shard;

	s->moving = false;
	s->chunks -= m->n;
	while (m->n)
		arena__give(server__arena(s->disk->server), m->chunk[--m->n]);
	free(m);
	/* What went wrong (all slots of a chunk in use, no memory) is tried again with the clock.
	 */
	if (taking == returned)
		server__balance(s->disk->server);
}

static void post(struct shard *s, struct chunk_move *m, void (*run)(struct shard_call *c))
{
	m->call = (struct shard_call){
		.shard = s,
		.back = server__loop(s->disk->server),
		.run = run,
		.done = moved,
	};
	s->moving = true;
	shard_call__post(&m->call);
}

/* --- who is to have what --- */

/* Chunks that its pages need, and one for those that come next; a shard that asks wants all. */
static __u64 wish(const struct shard *s)
{
	__u64 cached = __atomic_load_n(&s->published.cached, __ATOMIC_RELAXED);
	__u64 need = cached / ARENA_SLOTS + 1;

	if (s->wants)
		return ~0ULL;
	return need < s->chunks ? need : s->chunks;
}

static __u64 wish_of(const struct disk *d)
{
	__u64 n = 0;

	for (unsigned i = 0; i < d->in_use; i++)
		n += wish(&d->shard[i]);
	return n;
}

static bool disk_wants(const struct disk *d)
{
	for (unsigned i = 0; i < d->in_use; i++)
		if (d->shard[i].wants)
			return true;
	return false;
}

static __u64 to_chunks(__u64 bytes)
{
	return bytes / ARENA_CHUNK + (bytes % ARENA_CHUNK > 0);
}

static void describe(const struct disk *d, struct balance_vm *v)
{
	*v = (struct balance_vm){
		.min = to_chunks(d->min),
		.max = to_chunks(d->max),
		.share = d->share,
		.wants = disk_wants(d) ? ~0ULL : wish_of(d),
	};
}

/* Within a disk: alike to all that want it. */
static void set_targets(struct disk *d, __u64 total)
{
	struct balance_vm v[MAX_SHARDS];

	for (unsigned i = 0; i < d->in_use; i++)
		v[i] = (struct balance_vm){
			.share = 1,
			.wants = wish(&d->shard[i]),
		};
	balance__targets(v, d->in_use, total);
	for (unsigned i = 0; i < d->nr_shards; i++)
		d->shard[i].target = i < d->in_use ? v[i].target : 0;
}

/*
 * A shard without a chunk caches nothing, so a disk's pages are in no more shards than it has
 * chunks for even if all disks want all they can get. That changes with what there is to share, not
 * with what the guests do.
 */
static void choose_shards(struct server *s, struct balance_vm *v, size_t n)
{
	size_t i = 0;

	for (size_t k = 0; k < n; k++)
		v[k].wants = ~0ULL;
	balance__targets(v, n, arena__chunks(server__arena(s)));
	for (struct disk *d = server__first_disk(s); d; d = d->next, i++) {
		__u64 chunks = v[i].target ?: 1;

		disk__use_shards(d, chunks < d->nr_shards ? chunks : d->nr_shards);
	}
}

static int compute(struct server *s)
{
	size_t n = 0, i = 0;
	struct balance_vm *v;

	for (struct disk *d = server__first_disk(s); d; d = d->next)
		n++;
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (struct disk *d = server__first_disk(s); d; d = d->next)
		describe(d, &v[i++]);
	choose_shards(s, v, n);
	i = 0;
	for (struct disk *d = server__first_disk(s); d; d = d->next)
		describe(d, &v[i++]);
	balance__targets(v, n, arena__chunks(server__arena(s)));
	i = 0;
	for (struct disk *d = server__first_disk(s); d; d = d->next)
		set_targets(d, v[i++].target);
	free(v);
	return 0;
}

/* --- towards it --- */

/* Chunks that some are to get and that the arena has not. */
static __u64 shortage(struct server *s)
{
	const struct arena *a = server__arena(s);
	__u64 need = 0, free = arena__chunks(a) - arena__taken(a);

	if (arena__excess(a))
		return arena__excess(a);
	for (struct disk *d = server__first_disk(s); d; d = d->next)
		for (unsigned i = 0; i < d->in_use; i++)
			if (d->shard[i].wants && d->shard[i].target > d->shard[i].chunks)
				need += d->shard[i].target - d->shard[i].chunks;
	return need > free ? need - free : 0;
}

/* Chunks that a disk has and must not have, though nobody else may want them: its maximum is lower
 * than it was. */
static __u64 beyond_maximum(const struct disk *d)
{
	__u64 n = 0, max = to_chunks(d->max);

	for (unsigned i = 0; i < d->nr_shards; i++)
		n += d->shard[i].chunks;
	return max && n > max ? n - max : 0;
}

static void shrink(struct shard *s, __u64 *shortage, __u64 *beyond)
{
	struct chunk_move *m;

	/* Those that are not in use have no use for them. */
	if (!*shortage && !*beyond && s->index < s->disk->in_use)
		return;
	if (s->moving || s->chunks <= s->target)
		return;
	m = calloc(1, sizeof(*m));
	if (!m)
		return;
	post(s, m, take_run);
	*shortage -= *shortage > 0;
	*beyond -= *beyond > 0;
}

static void shrink_disk(struct disk *d, __u64 *shortage)
{
	__u64 beyond = beyond_maximum(d);

	for (unsigned i = 0; !d->removing && i < d->nr_shards; i++)
		shrink(&d->shard[i], shortage, &beyond);
}

static unsigned portion(const struct shard *s)
{
	__u64 n = s->chunks / 4 + 8, room = s->target - s->chunks;

	n = n < BATCH ? n : BATCH;
	return n < room ? n : room;
}

static void grow(struct shard *s)
{
	struct arena *a = server__arena(s->disk->server);
	struct chunk_move *m;
	unsigned want;

	if (s->moving || !s->wants || s->chunks >= s->target)
		return;
	m = calloc(1, sizeof(*m));
	if (!m)
		return;
	want = portion(s);
	while (m->n < want && (m->n < FRESH || arena__ready(a)) &&
	       (m->chunk[m->n] = arena__take(a)))
		m->n++;
	if (!m->n) {
		free(m);
		return;
	}
	s->chunks += m->n;
	/* It asks again, if they are not enough. */
	s->wants = false;
	post(s, m, give_run);
}

void server__balance(struct server *s)
{
	__u64 missing;

	if (compute(s))
		return;
	missing = shortage(s);
	for (struct disk *d = server__first_disk(s); d; d = d->next)
		shrink_disk(d, &missing);
	for (struct disk *d = server__first_disk(s); d; d = d->next)
		for (unsigned i = 0; !d->removing && i < d->nr_shards; i++)
			grow(&d->shard[i]);
}

void server__prepare(struct server *s)
{
	struct arena *a = server__arena(s);
	__u64 end = data_loop__clock() + PREPARE_NS;

	if (!server__first_disk(s))
		return;
	while (arena__ready(a) < READY && data_loop__clock() < end)
		if (arena__prepare(a))
			return;
}
