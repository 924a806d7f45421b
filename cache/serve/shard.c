// SPDX-License-Identifier: GPL-2.0
#include <stdatomic.h>
#include <stdlib.h>

#include "disk.h"

/* Free slots below which more are asked for: with these, a fast guest gets along until the control
 * loop had its turn. What is not needed goes to others when these are short. */
static __u64 low(const struct shard *s)
{
	__u64 n = exclusive_cache__chunks(s->cache) / 8;

	n = n < 4 ? 4 : n < 64 ? n : 64;
	return n * ARENA_SLOTS;
}

/* Data loops get here with requests in flight only, and nobody deals then: the word is the control
 * loop's own. */
void shard__post(struct shard *s, struct loop_msg *m)
{
	if (!s->disk->dealing) {
		loop__post(s->owner->loop, m);
		return;
	}
	m->next = NULL;
	*s->held_last = m;
	s->held_last = &m->next;
}

void shard__post_held(struct shard *s)
{
	struct loop_msg *m, *next;

	for (m = s->held; m; m = next) {
		next = m->next;
		loop__post(s->owner->loop, m);
	}
	s->held = NULL;
	s->held_last = &s->held;
}

/* --- with an answer --- */

static void back(struct loop_msg *m)
{
	struct shard_call *c = (struct shard_call *)m;

	c->done(c);
}

static void run(struct loop_msg *m)
{
	struct shard_call *c = (struct shard_call *)m;

	c->run(c);
	m->fn = back;
	loop__post(c->back, m);
}

void shard_call__post(struct shard_call *c)
{
	c->msg.fn = run;
	shard__post(c->shard, &c->msg);
}

/* --- without an answer --- */

struct order {
	struct loop_msg msg;
	struct shard *shard;
	void (*fn)(struct shard *s, __u64 a, __u64 b);
	__u64 a, b;
};

static void obey(struct loop_msg *m)
{
	struct order *o = (struct order *)m;

	o->fn(o->shard, o->a, o->b);
	free(o);
}

int disk__each_shard(struct disk *d, void (*fn)(struct shard *s, __u64 a, __u64 b), __u64 a,
		     __u64 b)
{
	struct order *order[MAX_SHARDS];

	for (unsigned i = 0; i < d->nr_shards; i++) {
		order[i] = malloc(sizeof(*order[i]));
		if (!order[i]) {
			while (i--)
				free(order[i]);
			return -1;
		}
		*order[i] = (struct order){{.fn = obey}, &d->shard[i], fn, a, b};
	}
	for (unsigned i = 0; i < d->nr_shards; i++)
		shard__post(&d->shard[i], &order[i]->msg);
	return 0;
}

/* --- what is known of it --- */

void shard__publish(struct shard *s)
{
	struct exclusive_cache_counts now;
	const __u64 *from = (const __u64 *)&now;
	__u64 *to = (__u64 *)&s->published;

	_Static_assert(sizeof(now) % sizeof(__u64) == 0, "words");
	exclusive_cache__counts(s->cache, &now);
	for (size_t i = 0; i < sizeof(now) / sizeof(*from); i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
}

void shard__feel(struct shard *s)
{
	if (s->hungry || exclusive_cache__free_slots(s->cache) >= low(s))
		return;
	s->hungry = true;
	shard__publish(s);
	/* It may have been answered before it was heard. */
	if (!atomic_exchange(&s->asking, true))
		loop__post(server__loop(s->disk->server), &s->hungry_msg);
}

/* --- how many there are --- */

void disk__use_shards(struct disk *d, unsigned n)
{
	if (n == d->next_in_use || d->removing)
		return;
	d->next_in_use = n;
	if (d->served)
		disk__reconfigure(d);
	else
		d->in_use = n;
}

static struct exclusive_cache *cache_of(void *ctx, __u64 page)
{
	return disk__shard(ctx, page)->cache;
}

/* Those that are in use now want a first chunk, as those of a new disk do; the others' go to them:
 * see room.c. */
void disk__deal_pages(struct disk *d)
{
	unsigned before = d->in_use;

	d->in_use = d->next_in_use;
	if (d->in_use == before)
		return;
	for (unsigned i = 0; i < before; i++)
		d->gone.invalidated += exclusive_cache__hand_over(d->shard[i].cache, cache_of, d);
	for (unsigned i = 0; i < d->nr_shards; i++)
		d->shard[i].wants = i < d->in_use;
}
