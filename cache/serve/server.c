// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "disk.h"

/* Events are fetched, and what shards have is looked at, so often. */
#define TICK_NS 50000000
/* Ticks after which a shard that evicted nothing wants no more. */
#define CONTENT_TICKS 20

struct server {
	struct loop *loop;
	struct arena *arena;
	char *policy;
	__u64 audit;
	const struct server_ops *ops;
	void *ctx;
	struct disk *disks, **last;
	struct loop_fd tick;
	unsigned ticks;
	__u16 next_id;
	bool ending;
	void (*freed)(void *ctx);
	void *freed_ctx;
};

struct loop *server__loop(struct server *s)
{
	return s->loop;
}

struct arena *server__arena(struct server *s)
{
	return s->arena;
}

struct disk *server__first_disk(struct server *s)
{
	return s->disks;
}

__u64 server__audit(const struct server *s)
{
	return s->audit;
}

const char *server__policy(const struct server *s)
{
	return s->policy;
}

/* --- lines for the administrator --- */

struct line {
	struct loop_msg msg;
	struct server *server;
	char text[];
};

static void put_line(struct loop_msg *m)
{
	struct line *l = (struct line *)m;

	if (l->server->ops->log)
		l->server->ops->log(l->server->ctx, l->text);
	free(l);
}

void server__log(struct server *s, const char *text)
{
	struct line *l = malloc(sizeof(*l) + strlen(text) + 1);

	if (!l)
		return;
	l->msg.fn = put_line;
	l->server = s;
	strcpy(l->text, text);
	loop__post(s->loop, &l->msg);
}

/* --- events --- */

static void pass_on(void *ctx, const struct page_event *events, size_t n)
{
	struct server *s = ctx;

	if (s->ops->events)
		s->ops->events(s->ctx, events, n);
}

void server__events(struct server *s, const struct page_event *e, size_t n)
{
	pass_on(s, e, n);
}

static void drain_disk(struct server *s, struct disk *d)
{
	struct event_ring *rings[MAX_SHARDS];

	for (unsigned i = 0; i < d->nr_loops; i++)
		rings[i] = d->loop[i]->events;
	event_rings__take(rings, d->nr_loops, pass_on, s);
}

void server__drain_events(struct server *s)
{
	for (struct disk *d = s->disks; d; d = d->next)
		drain_disk(s, d);
}

/* --- the clock --- */

/* What evicts nothing has enough: it asks again when that changes. */
static void be_content(struct shard *s, __u64 a, __u64 b)
{
	s->hungry = false;
}

static void look_at_shard(struct shard *s)
{
	__u64 evicted = __atomic_load_n(&s->published.evicted, __ATOMIC_RELAXED);

	if (evicted == s->evicted)
		s->wants = false;
	s->evicted = evicted;
}

static void look_at_shards(struct server *s)
{
	for (struct disk *d = s->disks; d; d = d->next) {
		bool wanted = false, wants = false;

		for (unsigned i = 0; i < d->nr_shards; i++) {
			wanted |= d->shard[i].wants;
			look_at_shard(&d->shard[i]);
			wants |= d->shard[i].wants;
		}
		if (wanted && !wants && !d->removing)
			disk__each_shard(d, be_content, 0, 0);
	}
}

static void ticked(struct loop_fd *f, __u32 events)
{
	struct server *s = (struct server *)((char *)f - offsetof(struct server, tick));
	__u64 n;

	if (read(f->fd, &n, sizeof(n)) < 0)
		return;
	server__drain_events(s);
	if (++s->ticks % CONTENT_TICKS == 0)
		look_at_shards(s);
	server__balance(s);
	server__prepare(s);
}

static int start_clock(struct server *s)
{
	struct itimerspec t = {{.tv_nsec = TICK_NS}, {.tv_nsec = TICK_NS}};

	s->tick = (struct loop_fd){timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
				   ticked};
	if (s->tick.fd < 0 || timerfd_settime(s->tick.fd, 0, &t, NULL))
		return -errno;
	return loop__watch(s->loop, &s->tick, EPOLLIN);
}

/* --- life --- */

static void end(struct server *s)
{
	void (*fn)(void *ctx) = s->freed;
	void *ctx = s->freed_ctx;

	if (s->tick.fd >= 0) {
		loop__unwatch(s->loop, &s->tick);
		close(s->tick.fd);
	}
	arena__free(s->arena);
	free(s->policy);
	free(s);
	if (fn)
		fn(ctx);
}

int server__new(struct server **out, struct loop *control, const struct server_opts *o, char *why,
		size_t size)
{
	struct server *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s || !(s->policy = strdup(o->policy ? o->policy : "lru"))) {
		snprintf(why, size, "out of memory");
		free(s);
		return err;
	}
	s->loop = control;
	s->audit = o->audit;
	s->ops = o->ops;
	s->ctx = o->ctx;
	s->last = &s->disks;
	s->tick.fd = -1;
	err = arena__new(&s->arena, &o->arena, why, size);
	if (!err) {
		err = start_clock(s);
		if (err)
			snprintf(why, size, "no timer: %s", strerror(-err));
	}
	if (err)
		end(s);
	else
		*out = s;
	return err;
}

/* The last lines are on their way through the loop. */
static void end_later(struct loop_msg *m)
{
	struct line *l = (struct line *)m;
	struct server *s = l->server;

	free(l);
	end(s);
}

static void try_end(struct server *s)
{
	struct line *l;

	if (s->disks)
		return;
	l = malloc(sizeof(*l));
	if (!l) {
		end(s);
		return;
	}
	l->msg.fn = end_later;
	l->server = s;
	loop__post(s->loop, &l->msg);
}

void server__free(struct server *s, void (*fn)(void *ctx), void *ctx)
{
	s->ending = true;
	s->freed = fn;
	s->freed_ctx = ctx;
	for (struct disk *d = s->disks, *next; d; d = next) {
		next = d->next;
		disk__remove(d);
	}
	try_end(s);
}

/* --- disks --- */

struct disk *server__find(const struct server *s, const char *name)
{
	for (struct disk *d = s->disks; d; d = d->next)
		if (!strcmp(d->name, name) && !d->removing)
			return d;
	return NULL;
}

static struct disk *find_id(const struct server *s, __u16 id)
{
	for (struct disk *d = s->disks; d; d = d->next)
		if (d->id == id)
			return d;
	return NULL;
}

/* Ids of the VM table of the engine. */
static int new_id(struct server *s, __u16 *out)
{
	for (unsigned i = 0; i < PE_MAX_VMS; i++) {
		__u16 id = s->next_id++ % PE_MAX_VMS;

		if (find_id(s, id))
			continue;
		*out = id;
		return 0;
	}
	return -ENOSPC;
}

static bool serves(const struct disk *d, const struct stat *image)
{
	struct stat st;

	return !fstat(storage__info(d->storage)->fd, &st) && storage__same_image(&st, image);
}

/* Readers do with each other; else the locks would tell of another process, which is this one. */
static int check_image(const struct server *s, const struct server_disk_opts *o, char *why,
		       size_t size)
{
	struct stat image;

	if (stat(o->path, &image))
		return 0;
	for (struct disk *d = s->disks; d; d = d->next) {
		if ((o->read_only && storage__info(d->storage)->read_only) || !serves(d, &image))
			continue;
		snprintf(why, size, "%s: %s serves it already%s", o->path, d->name,
			 d->removing ? ", and is just being removed; try again"
				     : "; remove that first, or make both read-only (ro)");
		return -EEXIST;
	}
	return 0;
}

static int check(struct server *s, const struct server_disk_opts *o, __u16 *id, char *why,
		 size_t size)
{
	for (struct disk *d = s->disks; d; d = d->next) {
		if (strcmp(d->name, o->name))
			continue;
		snprintf(why, size, "there is a disk '%s' already%s; choose another name", o->name,
			 d->removing ? ", which is being removed" : "");
		return -EEXIST;
	}
	if (o->max && o->min > o->max) {
		snprintf(why, size, "the minimum is larger than the maximum");
		return -EINVAL;
	}
	if (check_image(s, o, why, size))
		return -EEXIST;
	if (!new_id(s, id))
		return 0;
	snprintf(why, size, "%d disks are served already, there is no room for more", PE_MAX_VMS);
	return -ENOSPC;
}

/* A disk has about 150 files, and 6 more for each queue that a guest uses. */
static void say_what_helps(int err, char *why, size_t size)
{
	size_t said = strlen(why);

	if (err == -EMFILE)
		snprintf(why + said, size - said,
			 "; raise the limit of open files (LimitNOFILE= of the unit, ulimit -n)");
}

int server__add_disk(struct server *s, const struct server_disk_opts *o, char *why, size_t size)
{
	struct disk *d;
	__u16 id;
	int err = check(s, o, &id, why, size) ?: disk__new(&d, s, o, id, why, size);

	if (err) {
		say_what_helps(err, why, size);
		return err;
	}
	*s->last = d;
	s->last = &d->next;
	/* A first chunk for each shard, so that the first evictions find room. */
	for (unsigned i = 0; i < d->nr_shards; i++)
		d->shard[i].wants = true;
	server__balance(s);
	return 0;
}

void server__disk_gone(struct disk *d)
{
	struct server *s = d->server;
	struct disk **at = &s->disks;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	if (!d->next)
		s->last = at;
	if (s->ops->gone)
		s->ops->gone(s->ctx, d->id);
}

void server__go_on(struct server *s)
{
	if (s->ending)
		try_end(s);
	else
		server__balance(s);
}

int server__remove_disk(struct server *s, const char *name, void (*fn)(void *ctx), void *ctx)
{
	struct disk *d = server__find(s, name);

	if (!d)
		return -ENOENT;
	d->removed = fn;
	d->removed_ctx = ctx;
	disk__remove(d);
	return 0;
}

int server__set_disk(struct server *s, const char *name, __u64 min, __u64 max, __u64 share)
{
	struct disk *d = server__find(s, name);

	if (!d)
		return -ENOENT;
	if (max && min > max)
		return -EINVAL;
	d->min = min;
	d->max = max;
	d->share = share ? share : 100;
	server__balance(s);
	return 0;
}

/* --- the cache --- */

int server__resize(struct server *s, size_t bytes, char *why, size_t size)
{
	arena__resize(s->arena, bytes);
	server__balance(s);
	return 0;
}

int server__drain(struct server *s, const char *name)
{
	if (name && !server__find(s, name))
		return -ENOENT;
	for (struct disk *d = s->disks; d; d = d->next)
		if (!name || !strcmp(d->name, name))
			disk__clear(d);
	return 0;
}

static void invalidate(struct shard *s, __u64 page, __u64 count)
{
	COUNT_N(s->owner, invalidated, exclusive_cache__invalidate(s->cache, page, count));
}

int server__invalidate(struct server *s, __u16 id, __u64 page, __u64 count)
{
	struct disk *d = find_id(s, id);

	/* Its caches are about to go, and its loops with them. */
	if (!d || d->ending)
		return -ENOENT;
	/* Without memory to say which pages: all of them. */
	if (disk__each_shard(d, invalidate, page, count))
		disk__clear(d);
	return 0;
}

void server__unmapped(struct server *s, pid_t vmm, __u64 hva, __u64 bytes)
{
	for (struct disk *d = s->disks; d; d = d->next)
		if (d->vmm == vmm && !d->removing)
			disk__unmapped(d, hva, hva + bytes);
}

/* --- figures --- */

size_t server__nr_disks(const struct server *s)
{
	size_t n = 0;

	for (struct disk *d = s->disks; d; d = d->next)
		n++;
	return n;
}

int server__disk(const struct server *s, size_t i, struct server_disk *out)
{
	for (struct disk *d = s->disks; d; d = d->next, i--) {
		if (i)
			continue;
		disk__snapshot(d, out);
		return 0;
	}
	return -ENOENT;
}

void server__cache(const struct server *s, struct server_cache *out)
{
	*out = (struct server_cache){
		.policy = s->policy,
		.backing = arena__backing(s->arena),
		.capacity = arena__chunks(s->arena) * ARENA_CHUNK,
		.taken = arena__taken(s->arena) * ARENA_CHUNK,
		.excess = arena__excess(s->arena) * ARENA_CHUNK,
	};
	arena__backed(s->arena, out->backed);
	for (struct disk *d = s->disks; d; d = d->next)
		for (unsigned i = 0; i < d->nr_shards; i++)
			out->metadata +=
				__atomic_load_n(&d->shard[i].published.bytes, __ATOMIC_RELAXED);
}
