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

#include "rig.h"

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* --- calls in the control loop --- */

struct call {
	struct loop_msg msg;
	struct rig *rig;
	int (*fn)(struct rig *r, struct call *c);
	__u64 a, b, c;
	struct server_disk disk;
	int err;
	sem_t done;
	struct rig *of; /* whose disk */
	bool later;	/* fn sees to it that `done` is posted */
};

static void on_call(struct loop_msg *m)
{
	struct call *c = container_of(m, struct call, msg);

	c->err = c->fn(c->rig, c);
	if (!c->later)
		sem_post(&c->done);
}

static void call(struct rig *r, struct call *c)
{
	c->rig = r;
	c->msg.fn = on_call;
	sem_init(&c->done, 0, 0);
	loop__post(r->control, &c->msg);
	while (sem_wait(&c->done) && errno == EINTR)
		;
	sem_destroy(&c->done);
	assert_int_equal(c->err, 0);
}

/* --- its life --- */

static void on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct rig *r = ctx;

	for (size_t i = 0; i < n; i++)
		if (events[i].kind < PAGE_EVENT_KINDS)
			r->events[events[i].kind]++;
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

static int add_disk(struct server *s, const struct rig *of, const char *name)
{
	char why[256];
	int err = server__add_disk(s,
				   &(struct server_disk_opts){.sz = sizeof(struct server_disk_opts),
							      .name = name,
							      .path = of->image,
							      .socket = of->path,
							      .read_only = of->read_only,
							      .queues = of->queues,
							      /* of->disk is it, too. */
							      .shared = true,
							      .patience = 20},
				   why, sizeof(why));

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
	return err ? err : add_disk(r->server, r, RIG_DISK);
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

static void fill_in(struct rig *r)
{
	r->bytes = r->bytes ?: 32 << 20;
	r->cache = r->cache ?: 8 << 20;
	r->queues = r->queues ?: 1;
}

void rig__start(struct rig *r)
{
	fill_in(r);
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

static int add_another(struct rig *r, struct call *c)
{
	return add_disk(r->server, c->of, "another");
}

void rig__add_disk(struct rig *r, struct rig *of)
{
	fill_in(of);
	make_image(of);
	call(r, &(struct call){.fn = add_another, .of = of});
}

/* --- what may be asked --- */

static int get_disk(struct rig *r, struct call *c)
{
	return server__disk(r->server, 0, &c->disk);
}

struct server_disk rig__disk(struct rig *r)
{
	struct call c = {.fn = get_disk};

	call(r, &c);
	return c.disk;
}

static int resize(struct rig *r, struct call *c)
{
	char why[256];

	return server__resize(r->server, c->a, why, sizeof(why));
}

void rig__resize(struct rig *r, __u64 bytes)
{
	call(r, &(struct call){.fn = resize, .a = bytes});
}

static int drain(struct rig *r, struct call *c)
{
	return server__drain(r->server, RIG_DISK);
}

void rig__drain(struct rig *r)
{
	call(r, &(struct call){.fn = drain});
}

static int set(struct rig *r, struct call *c)
{
	return server__set_disk(r->server, RIG_DISK, c->a, c->b, c->c);
}

void rig__set(struct rig *r, __u64 min, __u64 max, __u64 share)
{
	call(r, &(struct call){.fn = set, .a = min, .b = max, .c = share});
}

static int unmapped(struct rig *r, struct call *c)
{
	server__unmapped(r->server, getpid(), c->a, c->b);
	return 0;
}

void rig__unmapped(struct rig *r, __u64 hva, __u64 bytes)
{
	call(r, &(struct call){.fn = unmapped, .a = hva, .b = bytes});
}

static int invalidate(struct rig *r, struct call *c)
{
	return server__invalidate(r->server, c->disk.id, c->a, c->b);
}

void rig__invalidate(struct rig *r, __u64 page, __u64 count)
{
	struct call c = {.fn = invalidate, .a = page, .b = count};

	c.disk.id = rig__disk(r).id;
	call(r, &c);
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
