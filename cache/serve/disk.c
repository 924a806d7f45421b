// SPDX-License-Identifier: GPL-2.0
/* A served disk from its beginning to its end, and what the world is told of it. */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"

#define LINE 512

void disk__log(struct disk *d, const char *fmt, ...)
{
	char line[LINE];
	int n = snprintf(line, sizeof(line), "%s: ", d->name);
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + n, sizeof(line) - n, fmt, args);
	va_end(args);
	server__log(d->server, line);
}

/* --- orders to shards --- */

static void clear(struct loop_msg *m)
{
	struct shard *s = (struct shard *)((char *)m - offsetof(struct shard, clear_msg));

	/* Who asks from now on means what comes in after this. */
	atomic_store(&s->clearing, false);
	COUNT_N(s->owner, invalidated, exclusive_cache__clear(s->cache));
	shard__publish(s);
}

/* Needs no memory: it is the way out where there is none. */
void disk__clear(struct disk *d)
{
	for (unsigned i = 0; i < d->nr_shards; i++)
		if (!atomic_exchange(&d->shard[i].clearing, true))
			shard__post(&d->shard[i], &d->shard[i].clear_msg);
}

static void forget_residents(struct loop_msg *m)
{
	struct shard *s = (struct shard *)((char *)m - offsetof(struct shard, forget_msg));

	atomic_store(&s->forgetting, false);
	exclusive_cache__forget_residents(s->cache, atomic_load(&s->frames));
}

/* --- what the device asks and tells --- */

static void ring_start(void *ctx, struct vring *r)
{
	disk__ring_start(ctx, r);
}

static void ring_stop(void *ctx, struct vring *r)
{
	disk__ring_stop(ctx, r);
}

/* A front end may change its memory faster than shards can forget: what is on its way to one stands
 * for all that comes before it gets there. */
static void memory_changed(void *ctx)
{
	struct disk *d = ctx;
	__u64 frames = guest_memory__pages(vhost_dev__memory(d->dev));

	for (unsigned i = 0; i < d->nr_shards; i++) {
		struct shard *s = &d->shard[i];

		atomic_store(&s->frames, frames);
		if (!atomic_exchange(&s->forgetting, true))
			shard__post(s, &s->forget_msg);
	}
}

static void front_end(void *ctx, bool connected, pid_t pid)
{
	struct disk *d = ctx;

	d->connected = connected;
	d->vmm = connected ? pid : 0;
}

static void warn(void *ctx, const char *line)
{
	disk__log(ctx, "%s", line);
}

static const struct vhost_dev_ops dev_ops = {
	.start = ring_start,
	.stop = ring_stop,
	.memory = memory_changed,
	.front_end = front_end,
	.warn = warn,
};

/* --- life --- */

static void grow_hungry(struct loop_msg *m)
{
	struct shard *s = (struct shard *)((char *)m - offsetof(struct shard, hungry_msg));

	atomic_store(&s->asking, false);
	s->wants = true;
	server__balance(s->disk->server);
}

/* The pools of huge pages are for the cached pages themselves. */
static void init_memory(struct memory *m)
{
	memory__init(m, 0);
	m->hugetlb = false;
}

static int init_shards(struct disk *d)
{
	struct exclusive_cache_opts o = {
		.sz = sizeof(o),
		.policy = server__policy(d->server),
	};

	for (unsigned i = 0; i < d->nr_shards; i++) {
		struct shard *s = &d->shard[i];

		s->disk = d;
		s->index = i;
		s->hungry_msg.fn = grow_hungry;
		s->clear_msg.fn = clear;
		s->forget_msg.fn = forget_residents;
		s->held_last = &s->held;
		init_memory(&s->memory);
		o.memory = &s->memory;
		s->cache = exclusive_cache__new(&o);
		if (!s->cache)
			return -errno;
	}
	return 0;
}

static unsigned choose_shards(const struct server_disk_opts *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = o->queues;

	if (!n)
		n = cpus < 1 ? 1 : cpus > 4 ? 4 : cpus;
	return n < MAX_SHARDS ? n : MAX_SHARDS;
}

static void init_blk(struct disk *d, const struct server_disk_opts *o)
{
	const struct storage_info *i = storage__info(d->storage);
	const char *id = o->id ? o->id : o->name;

	d->blk = (struct blk_disk){
		.bytes = i->bytes / BLK_SECTOR * BLK_SECTOR,
		.block_bytes = i->block_bytes,
		.physical_bytes = PAGE_BYTES,
		.discard_align = i->discard_align,
		.queues = VHOST_MAX_QUEUES,
		.read_only = i->read_only,
		.discard = i->discard && !i->read_only,
		.write_zeroes = !i->read_only,
	};
	memcpy(d->blk.id, id, strnlen(id, BLK_ID_BYTES));
}

static int init_dev(struct disk *d, char *why, size_t size)
{
	struct virtio_blk_config config;
	struct vhost_dev_opts o = {
		.sz = sizeof(o),
		.loop = server__loop(d->server),
		.socket = d->socket,
		.fd = -1,
		.queues = VHOST_MAX_QUEUES,
		.features = blk_disk__features(&d->blk),
		.config = &config,
		.config_bytes = sizeof(config),
		.ops = &dev_ops,
		.ctx = d,
	};

	blk_disk__config(&d->blk, &config);
	return vhost_dev__new(&d->dev, &o, why, size);
}

static int copy_strings(struct disk *d, const struct server_disk_opts *o)
{
	d->name = strdup(o->name);
	d->path = strdup(o->path);
	d->socket = strdup(o->socket);
	return d->name && d->path && d->socket ? 0 : -ENOMEM;
}

static void give_back_chunks(struct disk *d, struct exclusive_cache *c)
{
	void *chunk;

	while (c && exclusive_cache__work(c))
		;
	while (c && (chunk = exclusive_cache__take_chunk(c)))
		arena__give(server__arena(d->server), chunk);
}

static void free_disk(struct disk *d)
{
	for (unsigned i = 0; i < d->nr_loops; i++) {
		loop__stop(d->loop[i]->loop);
		loop__join(d->loop[i]->loop);
		data_loop__free(d->loop[i]);
	}
	for (unsigned i = 0; i < d->nr_shards; i++) {
		give_back_chunks(d, d->shard[i].cache);
		exclusive_cache__free(d->shard[i].cache);
	}
	storage__close(d->storage);
	free(d->name);
	free(d->path);
	free(d->socket);
	free(d);
}

static int init(struct disk *d, const struct server_disk_opts *o, char *why, size_t size)
{
	struct storage_opts so = {
		.sz = sizeof(so),
		.path = o->path,
		.read_only = o->read_only,
		.patience = o->patience,
		.shared = o->shared,
		.told_to_end = o->told_to_end,
	};
	int err = copy_strings(d, o) ?: cache_secret__init(&d->secret);

	if (!err)
		err = init_shards(d);
	if (err) {
		snprintf(why, size, "%s", strerror(-err));
		return err;
	}
	err = storage__open(&d->storage, &so, why, size);
	if (err)
		return err;
	init_blk(d, o);
	d->loop[0] = data_loop__new(d, 0, why, size);
	if (!d->loop[0])
		return -errno;
	d->nr_loops = 1;
	for (unsigned i = 0; i < d->nr_shards; i++)
		data_loop__own(d->loop[0], &d->shard[i]);
	return data_loop__start(d->loop[0], why, size) ?: init_dev(d, why, size);
}

int disk__new(struct disk **out, struct server *s, const struct server_disk_opts *o, __u16 id,
	      char *why, size_t size)
{
	struct disk *d = calloc(1, sizeof(*d));
	int err;

	if (!d) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	d->server = s;
	d->id = id;
	d->min = o->min;
	d->max = o->max;
	d->share = o->share ? o->share : 100;
	d->nr_shards = d->in_use = d->next_in_use = choose_shards(o);
	init_memory(&d->memory);
	err = init(d, o, why, size);
	if (err)
		free_disk(d);
	else
		*out = d;
	return err;
}

/* Unhook it while the device's end is near: no ring is there any more. */
static void dev_gone(void *ctx)
{
	struct disk *d = ctx;

	d->dev = NULL;
	d->ending = true;
	disk__reconfigure(d);
}

void disk__remove(struct disk *d)
{
	if (d->removing)
		return;
	d->removing = true;
	vhost_dev__free(d->dev, dev_gone, d);
}

void disk__end(struct disk *d)
{
	void (*removed)(void *ctx) = d->removed;
	void *ctx = d->removed_ctx;
	struct server *s = d->server;

	server__drain_events(s);
	server__disk_gone(d);
	free_disk(d);
	if (removed)
		removed(ctx);
	server__go_on(s);
}

/* --- figures --- */

static void add_words(void *to, const void *from, size_t bytes)
{
	const __u64 *f = from;
	__u64 *t = to;

	for (size_t i = 0; i < bytes / sizeof(*t); i++)
		t[i] += __atomic_load_n(&f[i], __ATOMIC_RELAXED);
}

static void add_loop(const struct data_loop *l, struct server_disk *out)
{
	add_words(&out->counts, &l->counts, sizeof(l->counts));
	add_words(&out->hit, &l->hit, sizeof(l->hit));
	add_words(&out->miss, &l->miss, sizeof(l->miss));
	out->counts.events += event_ring__sent(l->events);
	out->counts.dropped_events += event_ring__dropped(l->events);
}

void disk__snapshot(const struct disk *d, struct server_disk *out)
{
	const struct storage_info *i = storage__info(d->storage);

	*out = (struct server_disk){
		.id = d->id,
		.name = d->name,
		.path = d->path,
		.socket = d->socket,
		.engine = storage_queue__engine(d->loop[0]->io),
		.read_only = i->read_only,
		.connected = d->connected,
		.direct = i->direct,
		.locked = i->locked,
		.vmm = d->vmm,
		.queues = d->nr_shards,
		.shards = d->in_use,
		.running = d->dev ? vhost_dev__running(d->dev) : 0,
		.min = d->min,
		.max = d->max,
		.share = d->share,
		.bytes = i->bytes,
		.memory_pages = d->dev ? guest_memory__pages(vhost_dev__memory(d->dev)) : 0,
		.dev = i->dev,
		.ino = i->ino,
		.fd = i->fd,
		.counts = d->gone,
	};
	for (unsigned k = 0; k < d->nr_loops; k++)
		add_loop(d->loop[k], out);
	for (unsigned k = 0; k < d->nr_shards; k++) {
		add_words(&out->cache, &d->shard[k].published, sizeof(out->cache));
		out->target_slots += d->shard[k].target * ARENA_SLOTS;
	}
	out->counts.evicted = out->cache.evicted;
}
