/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A split virtqueue (virtio 1.1, 2.6), the driver's side. Its parts lie in guest memory, where
 * tests may also write to them as they like. Used by one thread.
 */
#ifndef TESTS_VHOST_DRIVER_RING_H
#define TESTS_VHOST_DRIVER_RING_H

#include <stdbool.h>
#include <linux/types.h>
#include <linux/virtio_ring.h>

#include "ram.h"

struct ring_seg {
	__u64 gpa;
	__u32 bytes;
};

struct driver_ring {
	unsigned index, size;
	bool event_idx; /* negotiated */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	__u16 avail_idx, used_idx; /* the driver's: offered and taken so far */
	__u16 kicked;		   /* avail_idx of the last look whether to kick */
	__u16 *free;		   /* descriptors that are free, */
	unsigned nr_free;	   /* so many */
	struct {
		void *cookie; /* of the request that begins with this descriptor */
		__u16 descs;  /* it has in the ring */
		__u16 next;
	} * state;
	int kick, call, err; /* eventfds */
	__u64 kicks, calls;  /* kicks written; times that call was readable */
};

/* Where the parts are put: each on its own page(s). -ENOMEM, -errno. */
int driver_ring__init(struct driver_ring *r, struct ram *m, unsigned index, unsigned size);
void driver_ring__free(struct driver_ring *r);

/* Offer a chain: first what the device may read, then what it may write. With a table (of nr_out +
 * nr_in descriptors, in guest memory), it is indirect. The head, or -ENOSPC. Not yet seen by the
 * device: see publish. */
int driver_ring__add(struct driver_ring *r, const struct ring_seg *seg, unsigned nr_out,
		     unsigned nr_in, struct vring_desc *table, __u64 table_gpa, void *cookie);
/* Put any number into the available ring. */
void driver_ring__offer(struct driver_ring *r, __u16 head);
/* Let the device see what was added, and kick it if it wants that. Whether it was kicked. */
bool driver_ring__publish(struct driver_ring *r);
void driver_ring__force_kick(struct driver_ring *r);

/* The next request that is done: 1, with its head, bytes written and cookie. 0: none. -EBADMSG: the
 * device returned what is not in flight. */
int driver_ring__get(struct driver_ring *r, __u16 *head, __u32 *written, void **cookie);
/* Ask for an interrupt with the next one that is done, or for none. true: one is done already. */
bool driver_ring__want_call(struct driver_ring *r, bool want);
/* Wait for an interrupt, or that `sock` (-1: none) hangs up. 0, -ECONNRESET, -ETIMEDOUT, -errno. */
int driver_ring__sleep(struct driver_ring *r, int sock, int milliseconds);
unsigned driver_ring__in_flight(const struct driver_ring *r);

#endif
