// SPDX-License-Identifier: GPL-2.0
/*
 * How rings come and go while others are served: all of the disk's loops pause, then nothing is in
 * flight, and rings and shards are dealt out anew.
 *
 *	pause    take no more requests, finish those that are there
 *	barrier  what was posted to others before has arrived; what the control loop has for shards
 *		 from then on waits until they are dealt out
 *	apply    serve the rings that are yours now
 *
 * Each is a message to every loop, and goes on when the last one has answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "disk.h"

/* A ring without kicks is looked at so often, when nothing else wakes its loop. */
#define POLL_NS 1000000

enum { STEP_NONE, STEP_PAUSE, STEP_BARRIER, STEP_APPLY };

static void next_step(struct disk *d, int step);

static struct data_loop *loop_of(struct loop_msg *m)
{
	return (struct data_loop *)((char *)m - offsetof(struct data_loop, step_msg));
}

/* --- at the data loops --- */

static void answered(struct loop_msg *m)
{
	struct disk *d = loop_of(m)->disk;

	if (--d->acks == 0)
		next_step(d, d->step);
}

static void answer(struct data_loop *l)
{
	loop__post(server__loop(l->disk->server), &l->step_msg);
}

/* data_loop.c answers, once it is idle. */
static void do_pause(struct loop_msg *m)
{
	struct data_loop *l = loop_of(m);

	m->fn = answered;
	l->paused = l->pausing = true;
}

static void do_barrier(struct loop_msg *m)
{
	m->fn = answered;
	answer(loop_of(m));
}

/* Or it is time to look. */
static void kicked(struct loop_fd *f, __u32 events)
{
	struct served_ring *r =
		(struct served_ring *)((char *)f - offsetof(struct served_ring, kick));
	__u64 n;

	if (read(f->fd, &n, sizeof(n)) < 0 && errno != EAGAIN && errno != EINTR)
		events |= EPOLLERR;
	/* Not an eventfd that is alive: it would be ready for ever. */
	if (events & (EPOLLERR | EPOLLHUP)) {
		loop__unwatch(r->loop->loop, f);
		r->watched = false;
	}
}

static void detach(struct served_ring *r)
{
	if (r->watched)
		loop__unwatch(r->loop->loop, &r->kick);
	r->watched = false;
	r->loop = NULL;
}

static void attach(struct data_loop *l, struct served_ring *r)
{
	int err;

	r->loop = l;
	r->dirty = true; /* what was answered at the very end of its last loop */
	r->kick = (struct loop_fd){r->timer < 0 ? vring__kick_fd(r->ring) : r->timer, kicked};
	err = loop__watch(l->loop, &r->kick, EPOLLIN);
	r->watched = !err;
	if (err)
		disk__log(l->disk, "queue %u waits for ever, its kicks are not heard: %s",
			  vring__index(r->ring), strerror(-err));
}

static void do_leave(struct data_loop *l)
{
	for (unsigned i = 0; i < l->nr_rings; i++)
		detach(l->ring[i]);
	l->nr_rings = l->nr_shards = 0;
}

static void do_apply(struct loop_msg *m)
{
	struct data_loop *l = loop_of(m);

	for (unsigned i = 0; i < l->next_rings; i++) {
		l->ring[i] = l->next_ring[i];
		attach(l, l->ring[i]);
	}
	l->nr_rings = l->next_rings;
	memcpy(l->shard, l->next_shard, sizeof(l->shard));
	l->nr_shards = l->next_shards;
	l->paused = false;
	m->fn = answered;
	answer(l);
}

/* The rings leave their old loops before new ones take them: at the barrier. */
static void do_barrier_and_leave(struct loop_msg *m)
{
	do_leave(loop_of(m));
	do_barrier(m);
}

/* --- at the control loop --- */

static void send_all(struct disk *d, int step, void (*fn)(struct loop_msg *m))
{
	d->step = step;
	d->acks = d->nr_loops;
	for (unsigned i = 0; i < d->nr_loops; i++) {
		d->loop[i]->step_msg.fn = fn;
		loop__post(d->loop[i]->loop, &d->loop[i]->step_msg);
	}
}

static unsigned count_wanted(const struct disk *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < VHOST_MAX_QUEUES; i++)
		n += d->ring[i].wanted;
	return n;
}

/* As many as there are rings, or fewer when one cannot be had. */
static unsigned make_loops(struct disk *d, unsigned want)
{
	char why[256];

	while (d->nr_loops < want) {
		struct data_loop *l = data_loop__new(d, d->nr_loops, why, sizeof(why));

		if (!l || data_loop__start(l, why, sizeof(why))) {
			disk__log(d, "%s; its queues share %u", why, d->nr_loops);
			data_loop__free(l);
			return d->nr_loops;
		}
		d->loop[d->nr_loops++] = l;
	}
	return want;
}

static void deal_out(struct disk *d)
{
	unsigned rings = count_wanted(d), n = rings < d->nr_shards ? rings : d->nr_shards, k = 0;

	disk__deal_pages(d);
	n = make_loops(d, n ? n : 1);
	for (unsigned i = 0; i < d->nr_loops; i++)
		d->loop[i]->next_rings = d->loop[i]->next_shards = 0;
	for (unsigned i = 0; i < d->nr_shards; i++)
		data_loop__own(d->loop[i % n], &d->shard[i]);
	d->dealing = false;
	for (unsigned i = 0; i < d->nr_shards; i++)
		shard__post_held(&d->shard[i]);
	for (unsigned i = 0; i < VHOST_MAX_QUEUES; i++) {
		struct served_ring *r = &d->ring[i];
		struct data_loop *l = d->loop[k % n];

		r->leaving = r->stopping;
		if (!r->wanted)
			continue;
		l->next_ring[l->next_rings++] = r;
		k++;
	}
}

static void free_ring(struct served_ring *r)
{
	free(r->requests);
	r->requests = r->free = NULL;
	if (r->timer >= 0)
		close(r->timer);
	r->timer = -1;
}

/* Their guest memory may be gone right after. */
static void tell_stopped(struct disk *d)
{
	for (unsigned i = 0; i < VHOST_MAX_QUEUES; i++) {
		struct served_ring *r = &d->ring[i];

		if (!r->leaving)
			continue;
		r->leaving = r->stopping = false;
		free_ring(r);
		vhost_dev__stopped(d->dev, r->ring);
	}
}

static void next_step(struct disk *d, int step)
{
	switch (step) {
	case STEP_NONE:
		send_all(d, STEP_PAUSE, do_pause);
		break;
	case STEP_PAUSE:
		d->dealing = true;
		send_all(d, STEP_BARRIER, do_barrier_and_leave);
		break;
	case STEP_BARRIER:
		deal_out(d);
		send_all(d, STEP_APPLY, do_apply);
		break;
	case STEP_APPLY:
		d->step = STEP_NONE;
		tell_stopped(d);
		if (d->ending && !d->again && !d->step) {
			disk__end(d);
			return;
		}
		if (d->again && !d->step) {
			d->again = false;
			next_step(d, STEP_NONE);
		}
	}
}

void disk__reconfigure(struct disk *d)
{
	if (d->step != STEP_NONE)
		d->again = true;
	else
		next_step(d, STEP_NONE);
}

/* --- what the device asks --- */

static int start_timer(struct served_ring *r)
{
	const struct itimerspec t = {{.tv_nsec = POLL_NS}, {.tv_nsec = POLL_NS}};

	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return r->timer < 0 || timerfd_settime(r->timer, 0, &t, NULL) ? -errno : 0;
}

static int make_requests(struct served_ring *r, unsigned n)
{
	n = n < RING_REQUESTS ? n : RING_REQUESTS;
	r->requests = calloc(n, sizeof(*r->requests));
	if (!r->requests)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		r->requests[i].next = r->free;
		r->free = &r->requests[i];
	}
	return 0;
}

void disk__ring_start(struct disk *d, struct vring *ring)
{
	struct served_ring *r = &d->ring[vring__index(ring)];
	int err;

	r->ring = ring;
	r->dead = false;
	r->timer = -1;
	err = make_requests(r, vring__size(ring));
	if (!err && vring__kick_fd(ring) < 0)
		err = start_timer(r);
	if (err) {
		disk__log(d, "queue %u is not served: %s", vring__index(ring), strerror(-err));
		return;
	}
	r->wanted = true;
	d->served = true;
	disk__reconfigure(d);
}

void disk__ring_stop(struct disk *d, struct vring *ring)
{
	struct served_ring *r = &d->ring[vring__index(ring)];

	r->wanted = false;
	r->stopping = true;
	disk__reconfigure(d);
}
