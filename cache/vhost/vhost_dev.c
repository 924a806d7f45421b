// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "device.h"

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

void vhost_dev__warn(struct vhost_dev *d, const char *format, ...)
{
	char text[256], line[320];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (d->pid)
		snprintf(line, sizeof(line), "front end (pid %d): %s", d->pid, text);
	else
		snprintf(line, sizeof(line), "front end: %s", text);
	d->ops->warn(d->ctx, line);
}

/* --- rings --- */

static void on_died(struct loop_msg *m)
{
	struct vhost_ring *r = container_of(m, struct vhost_ring, died);

	r->dead = true;
	vhost_dev__warn(r->dev, "ring %u is dead until the guest sets it up anew: %s",
			r->vring->index, r->reason);
}

/* In the data loop. */
static void ring__died(struct vring *v, void *ctx, const char *reason)
{
	struct vhost_ring *r = ctx;

	r->reason = reason;
	loop__post(r->dev->loop, &r->died);
}

static bool ring__should_run(const struct vhost_ring *r)
{
	const struct vhost_dev *d = r->dev;
	/* Without protocol features nobody enables rings: they are at once. */
	bool enabled = r->enabled || !(d->features & VHOST_F_PROTOCOL_FEATURES);
	bool ready = r->kicked && r->addressed && r->vring->size && d->memory.nr;

	return enabled && ready && !r->dead && !r->misplaced && !r->running;
}

static void ring__start(struct vhost_ring *r)
{
	struct vhost_dev *d = r->dev;
	const char *reason;

	r->vring->features = d->features;
	if (!vring__start(r->vring, &reason)) {
		r->running = true;
		closer__signal(d->closer, r->vring->call);
		d->ops->start(d->ctx, r->vring);
		return;
	}
	/* Regions that change go first, then come: rings wait for that. */
	if (d->quiet)
		return;
	r->misplaced = true;
	vhost_dev__warn(d, "ring %u can't be started: %s", r->vring->index, reason);
}

void vhost_ring__set_up_anew(struct vhost_ring *r)
{
	r->dead = r->misplaced = false;
}

void vhost_ring__reset(struct vhost_ring *r)
{
	struct vring *v = r->vring;

	if (v->kick >= 0)
		close(v->kick);
	if (v->err >= 0)
		close(v->err);
	v->kick = v->err = -1;
	vring__set_call(v, -1);
	vring__set_base(v, 0);
	v->size = 0;
	r->kicked = r->enabled = r->addressed = false;
	vhost_ring__set_up_anew(r);
}

/* --- waiting for rings to stop --- */

static void stopped_one(struct vhost_dev *d)
{
	void (*then)(struct vhost_dev * d) = d->then;

	if (--d->waiting)
		return;
	d->then = NULL;
	then(d);
}

static void stop_ring(struct vhost_dev *d, struct vhost_ring *r)
{
	if (!r->running || r->stopping)
		return;
	r->stopping = true;
	d->waiting++;
	d->ops->stop(d->ctx, r->vring);
}

static void watch_socket(struct vhost_dev *d, bool watch)
{
	if (d->socket.fd < 0 || watch == d->watched)
		return;
	d->watched = watch;
	if (!watch)
		loop__unwatch(d->loop, &d->socket);
	else if (loop__watch(d->loop, &d->socket, EPOLLIN))
		vhost_dev__lose(d);
}

void vhost_dev__quiesce(struct vhost_dev *d, unsigned ring, void (*then)(struct vhost_dev *d))
{
	d->then = then;
	/* One more than rings: they may answer at once. */
	d->waiting = 1;
	for (unsigned i = 0; i < d->nr_rings; i++)
		if (ring == i || ring == VHOST_ALL_RINGS)
			stop_ring(d, &d->ring[i]);
	if (d->waiting > 1)
		watch_socket(d, false);
	stopped_one(d);
}

void vhost_dev__stopped(struct vhost_dev *d, struct vring *v)
{
	struct vhost_ring *r = &d->ring[v->index];

	if (!r->stopping)
		return;
	r->running = r->stopping = false;
	stopped_one(d);
}

/* --- a front end comes and goes --- */

static void disconnect(struct vhost_dev *d)
{
	watch_socket(d, false);
	/* It hears of it now, whatever the closer has to do before. */
	shutdown(d->socket.fd, SHUT_RDWR);
	closer__close(d->closer, d->socket.fd);
	d->socket.fd = -1;
	vhost_msg__clear(&d->msg, d->closer);
	for (unsigned i = 0; i < d->nr_rings; i++) {
		vhost_ring__reset(&d->ring[i]);
		d->ring[i].vring->log = (struct inflight_log){0};
	}
	inflight_map__close(&d->inflight);
	guest_memory__clear(&d->memory);
	d->features = d->protocol = 0;
	d->lost = d->quiet = false;
	atomic_store(&d->gave_up, false);
	d->ops->memory(d->ctx);
	d->pid = 0;
	d->ops->front_end(d->ctx, false, 0);
	vhost_dev__resume(d);
}

static void watch_accept(struct vhost_dev *d, bool watch)
{
	if (d->accept.fd < 0 || watch == d->accepting)
		return;
	d->accepting = watch;
	if (!watch) {
		loop__unwatch(d->loop, &d->accept);
	} else if (loop__watch(d->loop, &d->accept, EPOLLIN)) {
		d->accepting = false;
		d->ops->warn(d->ctx, "no more front ends can connect: no memory is left");
	}
}

/* To the front end, or for the next one: not while what was given is being closed, of which there
 * could be any number then. */
static void listen_on(struct vhost_dev *d)
{
	bool idle = closer__is_idle(d->closer);

	if (d->socket.fd < 0)
		watch_accept(d, idle && !d->deaf);
	else
		watch_socket(d, idle);
	if (d->lost)
		vhost_dev__quiesce(d, VHOST_ALL_RINGS, disconnect);
}

/* All that was given is closed. */
static void on_closed(void *dev)
{
	struct vhost_dev *d = dev;

	if (!d->then)
		listen_on(d);
}

static void on_message(struct loop_fd *f, __u32 events)
{
	struct vhost_dev *d = container_of(f, struct vhost_dev, socket);
	const char *reason;
	int n = vhost_msg__read(&d->msg, f->fd, &reason);

	if (!n)
		return;
	if (n > 0) {
		vhost_dev__request(d);
		return;
	}
	if ((n != -EPIPE && n != -ECONNRESET) || d->msg.got)
		vhost_dev__warn(d, "%s", reason);
	vhost_dev__lose(d);
	vhost_dev__resume(d);
}

static int spare_fd(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static pid_t peer(int fd)
{
	struct ucred c;
	socklen_t size = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &size) ? 0 : c.pid;
}

static void connected(struct vhost_dev *d, int fd)
{
	d->socket = (struct loop_fd){fd, on_message};
	d->pid = peer(fd);
	d->ops->front_end(d->ctx, true, d->pid);
	vhost_dev__resume(d);
}

static int accept_one(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* It would wait, and the loop would be called for it again and again. Neither is that to happen
 * where there is no spare any more, nor are there to be more lines than one a second. */
static void turn_away(struct vhost_dev *d)
{
	const struct itimerspec second = {.it_value.tv_sec = 1};
	int fd;

	if (d->spare >= 0)
		close(d->spare);
	fd = accept_one(d->accept.fd);
	closer__close(d->closer, fd);
	d->spare = spare_fd();
	d->ops->warn(d->ctx, fd < 0 ? "a front end has to wait: too many files are open (see "
				      "ulimit -n)"
				    : "a front end was turned away: too many files are open (see "
				      "ulimit -n)");
	d->deaf = true;
	timerfd_settime(d->retry.fd, 0, &second, NULL);
	watch_accept(d, false);
}

static void on_retry(struct loop_fd *f, __u32 events)
{
	struct vhost_dev *d = container_of(f, struct vhost_dev, retry);
	__u64 n;

	if (read(f->fd, &n, sizeof(n)) < 0)
		return;
	d->deaf = false;
	if (d->spare < 0)
		d->spare = spare_fd();
	if (!d->then)
		listen_on(d);
}

static void on_connection(struct loop_fd *f, __u32 events)
{
	struct vhost_dev *d = container_of(f, struct vhost_dev, accept);
	int fd = accept_one(f->fd);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(d);
		return;
	}
	watch_accept(d, false);
	connected(d, fd);
}

static void on_begin(struct loop_msg *m)
{
	struct vhost_dev *d = container_of(m, struct vhost_dev, begin);
	int fd = d->given_fd;

	d->given_fd = -1;
	connected(d, fd);
}

void vhost_dev__lose(struct vhost_dev *d)
{
	d->lost = d->socket.fd >= 0;
}

static void on_broken(struct loop_msg *m)
{
	struct vhost_dev *d = container_of(m, struct vhost_dev, broken);

	if (d->socket.fd < 0)
		return;
	vhost_dev__warn(d, "it took away memory that is in use, or there is no huge page for it: "
			   "it is disconnected");
	vhost_dev__lose(d);
	if (!d->then)
		vhost_dev__resume(d);
}

void vhost_dev__broken(void *dev)
{
	struct vhost_dev *d = dev;

	if (!atomic_exchange(&d->gave_up, true))
		loop__post(d->loop, &d->broken);
}

static void on_broken_memory(struct guest_memory *m)
{
	vhost_dev__broken(container_of(m, struct vhost_dev, memory));
}

/* --- its life --- */

static void destroy(struct vhost_dev *d)
{
	listener__close(&d->listener);
	if (d->spare >= 0)
		close(d->spare);
	if (d->retry.fd >= 0)
		close(d->retry.fd);
	closer__free(d->closer);
	for (unsigned i = 0; i < d->nr_rings; i++)
		vring__free(d->ring[i].vring);
	free(d);
}

/* What was posted before, as by rings that died, was handled by now. */
static void on_end(struct loop_msg *m)
{
	struct vhost_dev *d = container_of(m, struct vhost_dev, end);
	void (*fn)(void *ctx) = d->freed;
	void *ctx = d->freed_ctx;

	destroy(d);
	if (fn)
		fn(ctx);
}

static void finish(struct vhost_dev *d)
{
	watch_accept(d, false);
	d->accept.fd = -1;
	loop__unwatch(d->loop, &d->retry);
	/* Who waits in its queue may have sent something. */
	closer__close(d->closer, listener__take(&d->listener));
	/* What it has told by now comes before the end. */
	closer__free(d->closer);
	d->closer = NULL;
	d->end.fn = on_end;
	loop__post(d->loop, &d->end);
}

static void on_free(struct loop_msg *m)
{
	struct vhost_dev *d = container_of(m, struct vhost_dev, end);

	d->freeing = true;
	vhost_dev__lose(d);
	if (!d->then)
		vhost_dev__resume(d);
}

void vhost_dev__free(struct vhost_dev *d, void (*fn)(void *ctx), void *ctx)
{
	if (d->end.fn)
		return;
	d->freed = fn;
	d->freed_ctx = ctx;
	d->end.fn = on_free;
	/* Later, as this may be called from one of its ops. */
	loop__post(d->loop, &d->end);
}

void vhost_dev__resume(struct vhost_dev *d)
{
	if (d->lost) {
		vhost_dev__quiesce(d, VHOST_ALL_RINGS, disconnect);
		return;
	}
	if (d->freeing) {
		d->freeing = false;
		finish(d);
		return;
	}
	for (unsigned i = 0; i < d->nr_rings; i++)
		if (ring__should_run(&d->ring[i]))
			ring__start(&d->ring[i]);
	listen_on(d);
}

static int new_rings(struct vhost_dev *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vhost_ring *r = &d->ring[i];

		*r = (struct vhost_ring){.dev = d, .died.fn = on_died};
		r->vring = vring__new(i, &d->memory);
		if (!r->vring)
			return -errno;
		r->vring->died = ring__died;
		r->vring->died_ctx = r;
		d->nr_rings++;
	}
	return 0;
}

static int listen_for_front_ends(struct vhost_dev *d, const char *path, char *why, size_t size)
{
	int err = listener__open(&d->listener, path, why, size);

	if (err)
		return err;
	d->accept = (struct loop_fd){d->listener.fd, on_connection};
	err = loop__watch(d->loop, &d->accept, EPOLLIN);
	d->accepting = !err;
	if (err)
		snprintf(why, size, "can't wait for connections to %s: %s", path, strerror(-err));
	return err;
}

static int init_helpers(struct vhost_dev *d)
{
	d->closer = closer__new(d->loop, on_closed, d);
	if (!d->closer)
		return -errno;
	d->retry = (struct loop_fd){timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
				    on_retry};
	if (d->retry.fd < 0)
		return -errno;
	return loop__watch(d->loop, &d->retry, EPOLLIN);
}

static int check_opts(const struct vhost_dev_opts *o, char *why, size_t size)
{
	if (o->sz != sizeof(*o) || o->config_bytes > VHOST_CONFIG_BYTES || !o->queues ||
	    o->queues > VHOST_MAX_QUEUES) {
		snprintf(why, size, "a disk has 1 to %d queues, not %u", VHOST_MAX_QUEUES,
			 o->queues);
		return -EINVAL;
	}
	return 0;
}

static struct vhost_dev *alloc_dev(const struct vhost_dev_opts *o)
{
	struct vhost_dev *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->loop = o->loop;
	d->ops = o->ops;
	d->ctx = o->ctx;
	d->listener.fd = d->accept.fd = d->socket.fd = d->given_fd = d->retry.fd = -1;
	d->spare = spare_fd();
	d->offered = o->features;
	memcpy(d->config, o->config, o->config_bytes);
	d->memory.broke = on_broken_memory;
	d->broken.fn = on_broken;
	d->begin.fn = on_begin;
	return d;
}

int vhost_dev__new(struct vhost_dev **out, const struct vhost_dev_opts *o, char *why, size_t size)
{
	int err = check_opts(o, why, size);
	struct vhost_dev *d;

	*out = NULL;
	if (err)
		return err;
	d = alloc_dev(o);
	err = d ? new_rings(d, o->queues) ?: init_helpers(d) : -ENOMEM;
	if (err)
		snprintf(why, size, "can't make %u queues: %s", o->queues, strerror(-err));
	else if (o->socket)
		err = listen_for_front_ends(d, o->socket, why, size);
	if (err) {
		if (d)
			destroy(d);
		return err;
	}
	if (!o->socket) {
		d->given_fd = o->fd;
		loop__post(d->loop, &d->begin);
	}
	*out = d;
	return 0;
}

/* --- what is asked about it --- */

__u64 vhost_dev__features(const struct vhost_dev *d)
{
	return d->features;
}

const struct guest_memory *vhost_dev__memory(const struct vhost_dev *d)
{
	return &d->memory;
}

bool vhost_dev__connected(const struct vhost_dev *d)
{
	return d->socket.fd >= 0;
}

pid_t vhost_dev__front_end(const struct vhost_dev *d)
{
	return d->pid;
}

unsigned vhost_dev__running(const struct vhost_dev *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->nr_rings; i++)
		n += d->ring[i].running;
	return n;
}
