// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/serve/disk.h"
#include "rig.h"

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* --- calls in the control loop --- */

struct call {
	struct loop_msg msg;
	struct rig *rig; /* whose disk */
	int (*fn)(struct rig *r, struct call *c);
	__u64 a, b, c;
	struct server_disk disk;
	struct server_cache cache;
	int err;
	sem_t done;
	bool later; /* fn sees to it that `done` is posted */
};

/* Who has the server. */
static struct rig *host(struct rig *r)
{
	return r->host ?: r;
}

static void on_call(struct loop_msg *m)
{
	struct call *c = container_of(m, struct call, msg);

	c->err = c->fn(c->rig, c);
	if (!c->later || c->err)
		sem_post(&c->done);
}

static void call(struct rig *r, struct call *c)
{
	c->rig = r;
	c->msg.fn = on_call;
	sem_init(&c->done, 0, 0);
	loop__post(host(r)->control, &c->msg);
	while (sem_wait(&c->done) && errno == EINTR)
		;
	sem_destroy(&c->done);
	assert_int_equal(c->err, 0);
}

/* --- its life --- */

static void on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct rig *r = ctx;

	for (size_t i = 0; i < n; i++) {
		if (events[i].kind < PAGE_EVENT_KINDS)
			r->events[events[i].kind]++;
		r->uncaptured += events[i].kind == PAGE_EVICT && events[i].flags & PE_UNCAPTURED;
	}
}

static void on_gone(void *ctx, __u16 id)
{
}

static void on_line(void *ctx, const char *line)
{
	struct rig *r = ctx;

	snprintf(r->line, sizeof(r->line), "%s", line);
	r->lines++;
}

static const struct server_ops ops = {.events = on_events, .gone = on_gone, .log = on_line};

static int add_disk(struct rig *r, struct call *c)
{
	const struct server_disk_opts o = {.sz = sizeof(o),
					   .name = r->name,
					   .path = r->image,
					   .socket = r->path,
					   .read_only = r->read_only,
					   .min = r->min,
					   .max = r->max,
					   .share = r->share,
					   .queues = r->queues,
					   /* r->disk is it, too. */
					   .shared = true,
					   .patience = 20};
	char why[256];
	int err = server__add_disk(host(r)->server, &o, why, sizeof(why));

	if (err)
		print_error("%s\n", why);
	return err;
}

static int start(struct rig *r, struct call *c)
{
	const struct server_opts o = {
		.sz = sizeof(o),
		.arena = {.sz = sizeof(o.arena), .bytes = r->cache, .node = -1, .no_hugetlb = true},
		.policy = r->policy,
		.audit = r->audit,
		.ops = &ops,
		.ctx = r};
	char why[256];
	int err = server__new(&r->server, r->control, &o, why, sizeof(why));

	if (err)
		print_error("%s\n", why);
	return err ? err : add_disk(r, c);
}

static void on_freed(void *ctx)
{
	sem_post(&((struct call *)ctx)->done);
}

static int stop(struct rig *r, struct call *c)
{
	server__free(r->server, on_freed, c);
	return 0;
}

void rig__go_on(struct rig *r)
{
	r->control = loop__new();
	assert_non_null(r->control);
	assert_int_equal(loop__start(r->control, "control"), 0);
	call(r, &(struct call){.fn = start});
}

void rig__stop(struct rig *r)
{
	call(r, &(struct call){.fn = stop, .later = true});
	loop__stop(r->control);
	loop__join(r->control);
	loop__free(r->control);
	r->control = NULL;
}

static void make_image(struct rig *r)
{
	int fd;

	snprintf(r->dir, sizeof(r->dir), "/tmp/vhost-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/socket", r->dir);
	snprintf(r->image, sizeof(r->image), "%s/image", r->dir);
	fd = open(r->image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, r->bytes), 0);
	r->disk = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(r->disk, MAP_FAILED);
	close(fd);
}

static void fill_in(struct rig *r, const char *name)
{
	r->name = r->name ?: name;
	r->bytes = r->bytes ?: 32 << 20;
	r->cache = r->cache ?: 8 << 20;
	r->queues = r->queues ?: 1;
}

void rig__start(struct rig *r)
{
	fill_in(r, "disk");
	make_image(r);
	rig__go_on(r);
}

void rig__remove_image(struct rig *of)
{
	munmap(of->disk, of->bytes);
	unlink(of->image);
	assert_int_equal(rmdir(of->dir), 0);
}

void rig__end(struct rig *r)
{
	if (r->control)
		rig__stop(r);
	rig__remove_image(r);
}

void rig__add_disk(struct rig *r, struct rig *of)
{
	of->host = r;
	fill_in(of, "another");
	make_image(of);
	call(of, &(struct call){.fn = add_disk});
}

static int remove_disk(struct rig *r, struct call *c)
{
	return server__remove_disk(host(r)->server, r->name, on_freed, c);
}

void rig__remove_disk(struct rig *r)
{
	call(r, &(struct call){.fn = remove_disk, .later = true});
}

/* --- what may be asked --- */

static int get_disk(struct rig *r, struct call *c)
{
	int err;

	for (size_t i = 0; !(err = server__disk(host(r)->server, i, &c->disk)); i++)
		if (!strcmp(c->disk.name, r->name))
			return 0;
	return err;
}

struct server_disk rig__disk(struct rig *r)
{
	struct call c = {.fn = get_disk};

	call(r, &c);
	return c.disk;
}

static int get_cache(struct rig *r, struct call *c)
{
	server__cache(host(r)->server, &c->cache);
	return 0;
}

struct server_cache rig__cache(struct rig *r)
{
	struct call c = {.fn = get_cache};

	call(r, &c);
	return c.cache;
}

static int resize(struct rig *r, struct call *c)
{
	char why[256];

	return server__resize(host(r)->server, c->a, why, sizeof(why));
}

void rig__resize(struct rig *r, __u64 bytes)
{
	call(r, &(struct call){.fn = resize, .a = bytes});
}

static int drain(struct rig *r, struct call *c)
{
	return server__drain(host(r)->server, r->name);
}

void rig__drain(struct rig *r)
{
	call(r, &(struct call){.fn = drain});
}

static int set(struct rig *r, struct call *c)
{
	return server__set_disk(host(r)->server, r->name, c->a, c->b, c->c);
}

void rig__set(struct rig *r, __u64 min, __u64 max, __u64 share)
{
	call(r, &(struct call){.fn = set, .a = min, .b = max, .c = share});
}

static int invalidate(struct rig *r, struct call *c)
{
	return server__invalidate(host(r)->server, c->disk.id, c->a, c->b);
}

void rig__invalidate(struct rig *r, __u64 page, __u64 count)
{
	struct call c = {.fn = invalidate, .a = page, .b = count};

	c.disk.id = rig__disk(r).id;
	call(r, &c);
}

static int unmapped(struct rig *r, struct call *c)
{
	server__unmapped(host(r)->server, c->a, c->b, c->c);
	return 0;
}

void rig__unmapped(struct rig *r, pid_t vmm, const void *at, __u64 bytes)
{
	call(r, &(struct call){.fn = unmapped, .a = vmm, .b = (uintptr_t)at, .c = bytes});
}

/* --- free slots: not for the world to see --- */

struct look {
	struct shard_call call;
	void (*fn)(void *ctx, const void *slot);
	void *ctx;
	sem_t done;
};

/* All of them are taken before the first one is given back. */
static void look_run(struct shard_call *c)
{
	struct look *l = container_of(c, struct look, call);
	struct exclusive_cache *cache = c->shard->cache;
	__u64 n = exclusive_cache__free_slots(cache);
	void **slot = calloc(n + 1, sizeof(*slot));

	for (__u64 i = 0; i < n; i++)
		l->fn(l->ctx, slot[i] = exclusive_cache__slot(cache));
	for (__u64 i = 0; i < n; i++)
		exclusive_cache__release_slot(cache, slot[i]);
	free(slot);
}

static void look_done(struct shard_call *c)
{
	sem_post(&container_of(c, struct look, call)->done);
}

struct looks {
	struct look look[MAX_SHARDS];
	unsigned nr;
};

static int post_looks(struct rig *r, struct call *c)
{
	struct looks *l = (struct looks *)(uintptr_t)c->a;
	struct disk *d = server__find(host(r)->server, r->name);

	l->nr = d->nr_shards;
	for (unsigned i = 0; i < l->nr; i++) {
		struct look *k = &l->look[i];

		k->call = (struct shard_call){.shard = &d->shard[i],
					      .back = host(r)->control,
					      .run = look_run,
					      .done = look_done};
		shard_call__post(&k->call);
	}
	return 0;
}

void rig__free_slots(struct rig *r, void (*fn)(void *ctx, const void *slot), void *ctx)
{
	struct looks l = {0};

	for (unsigned i = 0; i < MAX_SHARDS; i++) {
		l.look[i] = (struct look){.fn = fn, .ctx = ctx};
		sem_init(&l.look[i].done, 0, 0);
	}
	call(r, &(struct call){.fn = post_looks, .a = (uintptr_t)&l});
	for (unsigned i = 0; i < l.nr; i++)
		while (sem_wait(&l.look[i].done) && errno == EINTR)
			;
}

void rig__open(struct rig *r, struct frontend *f, const struct frontend_opts *o)
{
	struct frontend_opts opts = o ? *o : (struct frontend_opts){};
	int err;

	opts.path = r->path;
	opts.patience = 20;
	opts.queues = opts.queues ?: r->queues;
	err = frontend__open(f, &opts);
	if (err)
		print_error("%s\n", f->why);
	assert_int_equal(err, 0);
}
