// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "driver_ring.h"

static void *part(struct ram *m, __u64 bytes)
{
	__u64 gpa = ram__alloc(m, bytes, RAM_PAGE);

	return gpa ? ram__at(m, gpa, bytes) : NULL;
}

static int make_fds(struct driver_ring *r)
{
	r->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return r->kick < 0 || r->call < 0 || r->err < 0 ? -errno : 0;
}

int driver_ring__init(struct driver_ring *r, struct ram *m, unsigned index, unsigned size)
{
	int err;

	*r = (struct driver_ring){.index = index, .size = size, .kick = -1, .call = -1, .err = -1};
	/* With the two event indices; pages, so that no two parts share one. */
	r->desc = part(m, size * sizeof(*r->desc));
	r->avail = part(m, sizeof(*r->avail) + size * 2 + 2);
	r->used = part(m, sizeof(*r->used) + size * sizeof(r->used->ring[0]) + 2);
	r->free = calloc(size, sizeof(*r->free));
	r->state = calloc(size, sizeof(*r->state));
	err = make_fds(r);
	if (!err && (!r->desc || !r->avail || !r->used || !r->free || !r->state))
		err = -ENOMEM;
	if (err) {
		driver_ring__free(r);
		return err;
	}
	while (r->nr_free < size) {
		r->free[r->nr_free] = size - 1 - r->nr_free;
		r->nr_free++;
	}
	return 0;
}

void driver_ring__free(struct driver_ring *r)
{
	free(r->free);
	free(r->state);
	r->free = NULL;
	r->state = NULL;
	for (int *fd = (int[]){r->kick, r->call, r->err, -2}; *fd != -2; fd++)
		if (*fd >= 0)
			close(*fd);
	r->kick = r->call = r->err = -1;
}

static void fill_desc(struct vring_desc *d, const struct ring_seg *s, bool write, bool more)
{
	d->addr = s->gpa;
	d->len = s->bytes;
	d->flags = (write ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0);
}

static void fill_table(struct vring_desc *table, const struct ring_seg *seg, unsigned nr_out,
		       unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		fill_desc(&table[i], &seg[i], i >= nr_out, i + 1 < nr);
		table[i].next = i + 1 < nr ? i + 1 : 0;
	}
}

/* Descriptors of the ring itself; the one they begin with. */
static __u16 take_descs(struct driver_ring *r, const struct ring_seg *seg, unsigned nr_out,
			unsigned nr)
{
	__u16 head = r->free[r->nr_free - 1], at;

	for (unsigned i = 0; i < nr; i++) {
		at = r->free[--r->nr_free];
		fill_desc(&r->desc[at], &seg[i], i >= nr_out, i + 1 < nr);
		r->state[at].next = i + 1 < nr ? r->free[r->nr_free - 1] : 0;
		r->desc[at].next = r->state[at].next;
	}
	r->state[head].descs = nr;
	return head;
}

static void give_descs(struct driver_ring *r, __u16 head)
{
	unsigned nr = r->state[head].descs;

	r->state[head].descs = 0;
	for (; nr; nr--, head = r->state[head].next)
		r->free[r->nr_free++] = head;
}

int driver_ring__add(struct driver_ring *r, const struct ring_seg *seg, unsigned nr_out,
		     unsigned nr_in, struct vring_desc *table, __u64 table_gpa, void *cookie)
{
	unsigned nr = nr_out + nr_in;
	struct ring_seg whole = {table_gpa, nr * sizeof(*table)};
	__u16 head;

	if (r->nr_free < (table ? 1 : nr))
		return -ENOSPC;
	if (table) {
		fill_table(table, seg, nr_out, nr);
		head = take_descs(r, &whole, 1, 1);
		r->desc[head].flags = VRING_DESC_F_INDIRECT;
	} else {
		head = take_descs(r, seg, nr_out, nr);
	}
	r->state[head].cookie = cookie;
	driver_ring__offer(r, head);
	return head;
}

void driver_ring__offer(struct driver_ring *r, __u16 head)
{
	r->avail->ring[r->avail_idx++ % r->size] = head;
}

static __u16 *used_event(struct driver_ring *r)
{
	return &r->avail->ring[r->size];
}

static __u16 *avail_event(struct driver_ring *r)
{
	return (__u16 *)&r->used->ring[r->size];
}

/* virtio 1.1, 2.6.7.2: with the event index, the device is told when it is passed. */
static bool wants_kick(struct driver_ring *r)
{
	__u16 event;

	if (!r->event_idx)
		return !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n(avail_event(r), __ATOMIC_RELAXED);
	return (__u16)(r->avail_idx - event - 1) < (__u16)(r->avail_idx - r->kicked);
}

void driver_ring__force_kick(struct driver_ring *r)
{
	__u64 one = 1;

	r->kicks++;
	if (write(r->kick, &one, sizeof(one)) < 0)
		return; /* full: it was kicked often enough */
}

bool driver_ring__publish(struct driver_ring *r)
{
	bool kick;

	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
	/* The index before the question whether the device sleeps. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	kick = wants_kick(r);
	r->kicked = r->avail_idx;
	if (kick)
		driver_ring__force_kick(r);
	return kick;
}

int driver_ring__get(struct driver_ring *r, __u16 *head, __u32 *written, void **cookie)
{
	const struct vring_used_elem *e;

	if (r->used_idx == __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE))
		return 0;
	e = &r->used->ring[r->used_idx % r->size];
	if (e->id >= r->size || !r->state[e->id].descs)
		return -EBADMSG;
	r->used_idx++;
	*head = e->id;
	*written = e->len;
	*cookie = r->state[*head].cookie;
	give_descs(r, *head);
	return 1;
}

bool driver_ring__want_call(struct driver_ring *r, bool want)
{
	__u16 flags = want ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
	__u16 event = want ? r->used_idx : r->used_idx - 1;

	if (r->event_idx)
		__atomic_store_n(used_event(r), event, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->avail->flags, flags, __ATOMIC_RELAXED);
	/* The wish before a last look. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return r->used_idx != __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
}

int driver_ring__sleep(struct driver_ring *r, int sock, int milliseconds)
{
	struct pollfd p[2] = {{.fd = r->call, .events = POLLIN}, {.fd = sock, .events = POLLRDHUP}};
	__u64 n;
	int err = poll(p, 2, milliseconds);

	if (err <= 0)
		return err ? -errno : -ETIMEDOUT;
	if (p[0].revents & POLLIN) {
		r->calls++;
		return read(r->call, &n, sizeof(n)) < 0 ? -errno : 0;
	}
	return -ECONNRESET;
}

unsigned driver_ring__in_flight(const struct driver_ring *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->size; i++)
		n += r->state[i].descs > 0;
	return n;
}
