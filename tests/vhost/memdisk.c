// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../../cache/loop.h"
#include "../../cache/vhost/blk.h"
#include "../../cache/vhost/vhost_dev.h"
#include "memdisk.h"

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct disk;

/* Taken from the ring, not answered. */
struct held {
	struct held *next;
	struct vring_chain chain;
	struct blk_request request;
};

/* Serves one queue. */
struct worker {
	struct disk *disk;
	struct loop *loop;
	struct loop_poll poll;
	struct loop_fd kick;
	struct loop_msg start, stop, stopped;
	struct vring *next, *ring;
	bool stopping, dead;
	unsigned taken;
	struct held *held;
};

struct disk {
	const struct memdisk_opts *o;
	struct memdisk_shared *shared;
	struct blk_disk blk;
	struct loop *control;
	struct vhost_dev *dev;
	struct loop_fd signals;
	struct worker worker[VHOST_MAX_QUEUES];
};

/* --- requests --- */

static void read_disk(const struct disk *d, const struct blk_request *r)
{
	const char *at = d->o->disk + r->offset;

	for (unsigned i = 0; i < r->nr_data; i++) {
		memcpy(r->data[i].base, at, r->data[i].bytes);
		at += r->data[i].bytes;
	}
}

/* Through a copy: what broken memory reads as must not get to the disk. */
static int write_disk(const struct disk *d, const struct blk_request *r)
{
	char *copy = malloc(r->bytes + 1), *at = copy;
	bool broken = !copy;

	for (unsigned i = 0; i < r->nr_data && copy; i++) {
		memcpy(at, r->data[i].base, r->data[i].bytes);
		at += r->data[i].bytes;
	}
	broken = broken || guest_memory__broken(vhost_dev__memory(d->dev));
	if (!broken)
		memcpy(d->o->disk + r->offset, copy, r->bytes);
	free(copy);
	return broken ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static void zero(const struct disk *d, const struct blk_request *r)
{
	for (unsigned i = 0; i < r->nr_ranges; i++)
		memset(d->o->disk + r->range[i].offset, 0, r->range[i].bytes);
}

/* A status; and the bytes written to guest memory, beside it. */
static int carry_out(const struct disk *d, const struct blk_request *r, __u32 *data)
{
	*data = 0;
	switch (r->op) {
	case BLK_READ:
		read_disk(d, r);
		*data = r->bytes;
		return VIRTIO_BLK_S_OK;
	case BLK_WRITE:
		return write_disk(d, r);
	case BLK_DISCARD:
	case BLK_ZERO:
		zero(d, r);
		return VIRTIO_BLK_S_OK;
	case BLK_ID:
		*data = blk_request__put_id(r, &d->blk);
		return VIRTIO_BLK_S_OK;
	default:
		return VIRTIO_BLK_S_OK;
	}
}

static void answer(struct worker *w, struct held *h)
{
	__u32 data;
	int status = carry_out(w->disk, &h->request, &data);

	vring__push(w->ring, h->chain.head, blk_request__finish(&h->request, status, data));
	w->disk->shared->served++;
	free(h);
}

static bool is_to_be_held(struct worker *w)
{
	unsigned hold = w->disk->shared->hold;

	return hold && w->taken % hold == 0;
}

static void hold(struct worker *w, struct held *h)
{
	h->next = w->held;
	w->held = h;
	w->disk->shared->held++;
}

/* Last in, first out: another order than they came in. */
static bool release(struct worker *w)
{
	bool any = w->held;

	while (w->held) {
		struct held *h = w->held;

		w->held = h->next;
		w->disk->shared->held--;
		answer(w, h);
	}
	return any;
}

static void take(struct worker *w, struct held *h)
{
	int err = blk_request__parse(&w->disk->blk, &h->chain, &h->request);

	w->taken++;
	if (!err && is_to_be_held(w)) {
		hold(w, h);
		return;
	}
	if (!err) {
		answer(w, h);
		return;
	}
	vring__push(w->ring, h->chain.head,
		    err == -EBADMSG ? 0 : blk_request__finish(&h->request, err, 0));
	w->disk->shared->served++;
	free(h);
}

/* Whether there was one. */
static bool take_next(struct worker *w)
{
	struct held *h = malloc(sizeof(*h));
	const char *reason = NULL;
	int got = h ? vring__pop(w->ring, &h->chain, &reason) : -ENOMEM;

	if (got == 1) {
		take(w, h);
		return true;
	}
	if (got == -EBADMSG) {
		vring__push(w->ring, h->chain.head, 0);
		w->disk->shared->served++;
	}
	if (got == -EPROTO) {
		w->dead = true;
		w->disk->shared->dead++;
	}
	free(h);
	return got == -EBADMSG;
}

/* --- a queue's loop --- */

static void detach(struct worker *w)
{
	loop__del_poll(w->loop, &w->poll);
	if (w->kick.fd >= 0)
		loop__unwatch(w->loop, &w->kick);
	loop__post(w->disk->control, &w->stopped);
}

static bool serve(struct loop_poll *p)
{
	struct worker *w = container_of(p, struct worker, poll);
	bool worked = false;

	vring__disarm(w->ring);
	if (!w->disk->shared->hold)
		worked = release(w);
	while (!w->stopping && !w->dead && take_next(w))
		worked = true;
	if (worked)
		vring__notify(w->ring);
	if (w->stopping && !w->held)
		detach(w);
	return worked;
}

static bool arm(struct loop_poll *p)
{
	struct worker *w = container_of(p, struct worker, poll);

	/* Nobody tells when these are to be answered. */
	if (w->held) {
		usleep(500);
		return true;
	}
	return !w->dead && (w->kick.fd < 0 || vring__arm(w->ring));
}

static void kicked(struct loop_fd *f, __u32 events)
{
	__u64 n;

	if (read(f->fd, &n, sizeof(n)) < 0)
		return;
}

static void start_in_loop(struct loop_msg *m)
{
	struct worker *w = container_of(m, struct worker, start);

	w->ring = w->next;
	w->stopping = w->dead = false;
	w->kick = (struct loop_fd){vring__kick_fd(w->ring), kicked};
	if (w->kick.fd >= 0 && loop__watch(w->loop, &w->kick, EPOLLIN))
		abort();
	w->poll = (struct loop_poll){.fn = serve, .arm = arm};
	loop__add_poll(w->loop, &w->poll);
}

static void stop_in_loop(struct loop_msg *m)
{
	struct worker *w = container_of(m, struct worker, stop);

	w->stopping = true;
}

/* --- the device's operations, in the control loop --- */

static void stopped(struct loop_msg *m)
{
	struct worker *w = container_of(m, struct worker, stopped);

	vhost_dev__stopped(w->disk->dev, w->ring);
}

static void start_ring(void *ctx, struct vring *r)
{
	struct disk *d = ctx;
	struct worker *w = &d->worker[vring__index(r)];

	d->shared->starts++;
	w->next = r;
	loop__post(w->loop, &w->start);
}

static void stop_ring(void *ctx, struct vring *r)
{
	struct disk *d = ctx;
	struct worker *w = &d->worker[vring__index(r)];

	d->shared->stops++;
	loop__post(w->loop, &w->stop);
}

static void memory_changed(void *ctx)
{
	((struct disk *)ctx)->shared->memories++;
}

static void front_end(void *ctx, bool connected, pid_t pid)
{
	struct memdisk_shared *s = ((struct disk *)ctx)->shared;

	if (connected)
		s->connects++;
	else
		s->disconnects++;
}

static void warn(void *ctx, const char *line)
{
	struct memdisk_shared *s = ((struct disk *)ctx)->shared;

	snprintf(s->warn, sizeof(s->warn), "%s", line);
	s->warns++;
}

static const struct vhost_dev_ops ops = {
	.start = start_ring,
	.stop = stop_ring,
	.memory = memory_changed,
	.front_end = front_end,
	.warn = warn,
};

/* --- the process --- */

static void device_gone(void *ctx)
{
	loop__stop(((struct disk *)ctx)->control);
}

static void signalled(struct loop_fd *f, __u32 events)
{
	struct disk *d = container_of(f, struct disk, signals);

	d->shared->hold = 0;
	loop__unwatch(d->control, f);
	vhost_dev__free(d->dev, device_gone, d);
}

static int watch_signals(struct disk *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	d->signals = (struct loop_fd){signalfd(-1, &set, SFD_CLOEXEC), signalled};
	return d->signals.fd < 0 ? -errno : loop__watch(d->control, &d->signals, EPOLLIN);
}

static int start_workers(struct disk *d)
{
	char name[32];
	int err = 0;

	for (unsigned q = 0; q < d->o->queues && !err; q++) {
		struct worker *w = &d->worker[q];

		*w = (struct worker){.disk = d, .loop = loop__new()};
		w->start.fn = start_in_loop;
		w->stop.fn = stop_in_loop;
		w->stopped.fn = stopped;
		snprintf(name, sizeof(name), "memdisk-%u", q);
		err = w->loop ? loop__start(w->loop, name) : -errno;
	}
	return err;
}

static void end_workers(struct disk *d)
{
	for (unsigned q = 0; q < d->o->queues; q++) {
		if (!d->worker[q].loop)
			continue;
		loop__stop(d->worker[q].loop);
		loop__join(d->worker[q].loop);
		loop__free(d->worker[q].loop);
	}
}

static int make_device(struct disk *d)
{
	const struct memdisk_opts *o = d->o;
	struct virtio_blk_config config;
	char why[256] = "";
	int err;

	d->blk = (struct blk_disk){.bytes = o->bytes,
				   .block_bytes = 512,
				   .physical_bytes = 4096,
				   .discard_align = 4096,
				   .queues = o->queues,
				   .read_only = o->read_only,
				   .discard = true,
				   .write_zeroes = true,
				   .id = MEMDISK_ID};
	blk_disk__config(&d->blk, &config);
	err = vhost_dev__new(
		&d->dev,
		&(struct vhost_dev_opts){.sz = sizeof(struct vhost_dev_opts),
					 .loop = d->control,
					 .socket = o->path,
					 .fd = o->fd,
					 .queues = o->queues,
					 .features = blk_disk__features(&d->blk) & ~o->no_features,
					 .config = &config,
					 .config_bytes = sizeof(config),
					 .ops = &ops,
					 .ctx = d},
		why, sizeof(why));
	if (err)
		fprintf(stderr, "memdisk: %s\n", why);
	return err;
}

int memdisk__serve(const struct memdisk_opts *o)
{
	static struct disk d;
	int err;

	d = (struct disk){.o = o, .shared = o->shared, .control = loop__new()};
	err = d.control ? watch_signals(&d) : -errno;
	if (!err)
		err = start_workers(&d);
	if (!err)
		err = make_device(&d);
	if (!err)
		loop__run(d.control);
	end_workers(&d);
	loop__free(d.control);
	if (d.signals.fd > 0)
		close(d.signals.fd);
	return err ? 1 : 0;
}
