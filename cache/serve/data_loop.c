// SPDX-License-Identifier: GPL-2.0
/* The data loop: a thread that serves some of a disk's rings and owns some of its cache. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"

/* Go on looking for so long before sleeping: shorter than waking up takes. */
#define SPIN_NS 8000
/* Counts of caches are made known so often at least, ns. */
#define PUBLISH_NS 20000000ULL

__u64 data_loop__clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

__u64 data_loop__look_at_clock(struct data_loop *l)
{
	return l->now = data_loop__clock();
}

bool data_loop__idle(const struct data_loop *l)
{
	return !l->requests;
}

/* --- events and figures --- */

/* At the control loop. Only then can it be posted again: not when events were taken for others. */
static void take_urgent(struct loop_msg *m)
{
	struct data_loop *l =
		(struct data_loop *)((char *)m - offsetof(struct data_loop, urgent_msg));

	atomic_store(&l->urgent, false);
	server__drain_events(l->disk->server);
}

static void tell_urgent(struct data_loop *l)
{
	if (!event_ring__urgent(l->events) || atomic_exchange(&l->urgent, true))
		return;
	loop__post(server__loop(l->disk->server), &l->urgent_msg);
}

void data_loop__send_event(struct data_loop *l, const struct page_event *e)
{
	event_ring__put(l->events, e);
}

static unsigned latency_bucket(__u64 ns)
{
	int octave = 63 - __builtin_clzll(ns | 1);
	unsigned b;

	if (octave < PE_LATENCY_MIN_SHIFT)
		return 0;
	b = (octave - PE_LATENCY_MIN_SHIFT) * 4 + (ns >> (octave - 2) & 3);
	return b < PE_LATENCY_BUCKETS ? b : PE_LATENCY_BUCKETS - 1;
}

void data_loop__latency(struct data_loop *l, struct served_latency *h, __u64 ns)
{
	__u64 *b = &h->bucket[latency_bucket(ns)];

	__atomic_store_n(b, *b + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->sum_ns, h->sum_ns + ns, __ATOMIC_RELAXED);
}

static void publish(struct data_loop *l)
{
	for (unsigned i = 0; i < l->nr_shards; i++)
		shard__publish(l->shard[i]);
	l->published = loop__now(l->loop);
}

/* --- each time round --- */

static bool poll_rings(struct data_loop *l)
{
	bool worked = false;

	if (l->paused)
		return false;
	for (unsigned i = 0; i < l->nr_rings; i++)
		worked |= served_ring__poll(l->ring[i]);
	return worked;
}

static void notify_rings(struct data_loop *l)
{
	for (unsigned i = 0; i < l->nr_rings; i++) {
		if (l->ring[i]->dirty)
			vring__notify(l->ring[i]->ring);
		l->ring[i]->dirty = false;
	}
}

static void disarm(struct data_loop *l)
{
	for (unsigned i = 0; i < l->nr_rings; i++)
		vring__disarm(l->ring[i]->ring);
	l->armed = false;
}

/* All that it was asked to finish is: tell the control loop. */
static void report_pause(struct data_loop *l)
{
	if (!l->pausing || !data_loop__idle(l))
		return;
	l->pausing = false;
	loop__post(server__loop(l->disk->server), &l->step_msg);
}

/* What its caches put off: a little each time round, between requests. */
static bool work(struct data_loop *l)
{
	bool more = false;

	for (unsigned i = 0; i < l->nr_shards; i++)
		more |= exclusive_cache__work(l->shard[i]->cache);
	return more;
}

static bool poll_all(struct loop_poll *p)
{
	struct data_loop *l = (struct data_loop *)((char *)p - offsetof(struct data_loop, poll));
	bool worked;

	if (l->armed)
		disarm(l);
	worked = storage_queue__reap(l->io) > 0;
	if (l->bounce_first)
		data_loop__retry(l);
	worked |= poll_rings(l);
	worked |= work(l);
	if (l->to_submit) {
		l->to_submit = false;
		storage_queue__submit(l->io);
		worked = true;
	}
	notify_rings(l);
	report_pause(l);
	tell_urgent(l);
	if (loop__now(l->loop) - l->published > PUBLISH_NS)
		publish(l);
	return worked;
}

/* Requests that wait for the guest's own to end first are not looked for. */
static bool arm_rings(struct data_loop *l)
{
	bool came = false;

	if (l->paused)
		return false;
	l->armed = true;
	for (unsigned i = 0; i < l->nr_rings; i++) {
		struct served_ring *r = l->ring[i];

		if (!r->dead && r->free && l->free_parts)
			came |= vring__arm(r->ring);
	}
	return came;
}

static bool arm_all(struct loop_poll *p)
{
	struct data_loop *l = (struct data_loop *)((char *)p - offsetof(struct data_loop, poll));
	bool came;

	publish(l);
	came = arm_rings(l);
	return storage_queue__arm(l->io) || came;
}

static void woken_by_io(struct loop_fd *f, __u32 events)
{
	__u64 n;

	if (read(f->fd, &n, sizeof(n)) < 0)
		return;
}

/* --- life --- */

static int init_parts(struct data_loop *l)
{
	l->part_pool = calloc(LOOP_PARTS, sizeof(*l->part_pool));
	if (!l->part_pool)
		return -ENOMEM;
	for (int i = 0; i < LOOP_PARTS; i++) {
		l->part_pool[i].next = l->free_parts;
		l->free_parts = &l->part_pool[i];
		l->nr_free_parts++;
	}
	l->bounce_last = &l->bounce_first;
	l->starved_last = &l->starved;
	wide__init(l);
	return 0;
}

static int init_io(struct data_loop *l)
{
	struct storage_queue_opts o = {.sz = sizeof(o)};
	int err = bounce__init(&l->bounce, &l->disk->memory);

	if (err)
		return err;
	o.buffers = l->bounce.region.base;
	o.buffers_bytes = BOUNCE_BYTES;
	err = storage_queue__new(&l->io, l->disk->storage, &o);
	if (err)
		return err;
	l->io_fd = (struct loop_fd){storage_queue__fd(l->io), woken_by_io};
	return loop__watch(l->loop, &l->io_fd, EPOLLIN);
}

static int init(struct data_loop *l)
{
	int err;

	l->loop = loop__new();
	if (!l->loop)
		return -errno;
	l->events = event_ring__new();
	if (!l->events)
		return -ENOMEM;
	err = init_parts(l) ?: data_loop__init_stages(l, &l->disk->memory) ?: init_io(l);
	if (err)
		return err;
	l->urgent_msg.fn = take_urgent;
	l->poll.fn = poll_all;
	l->poll.arm = arm_all;
	loop__add_poll(l->loop, &l->poll);
	loop__spin(l->loop, SPIN_NS);
	return 0;
}

int data_loop__start(struct data_loop *l, char *why, size_t size)
{
	char name[16];
	int err;

	snprintf(name, sizeof(name), "%.10s/%u", l->disk->name, l->index);
	memcpy(l->shard, l->next_shard, sizeof(l->shard));
	l->nr_shards = l->next_shards;
	err = loop__start(l->loop, name);
	if (err)
		snprintf(why, size, "cannot start a thread: %s", strerror(-err));
	return err;
}

void data_loop__own(struct data_loop *l, struct shard *s)
{
	s->owner = l;
	l->next_shard[l->next_shards++] = s;
}

struct data_loop *data_loop__new(struct disk *d, unsigned index, char *why, size_t size)
{
	struct data_loop *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (l) {
		l->disk = d;
		l->index = index;
		l->audit_left = server__audit(d->server);
		l->paused = true;
		err = init(l);
	}
	if (!err)
		return l;
	snprintf(why, size, "cannot set up a data loop: %s", strerror(-err));
	data_loop__free(l);
	errno = -err;
	return NULL;
}

void data_loop__free(struct data_loop *l)
{
	if (!l)
		return;
	storage_queue__free(l->io);
	bounce__free(&l->bounce, &l->disk->memory);
	region__free(&l->stage_region, &l->disk->memory);
	event_ring__free(l->events);
	loop__free(l->loop);
	free(l->stages);
	free(l->part_pool);
	free(l);
}
