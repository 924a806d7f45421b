/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A split virtqueue (virtio 1.1, 2.6), the device's side, with indirect descriptors, event index
 * and the vhost-user in-flight log.
 *
 * Everything in it is the guest's, who may change it at any time and means no good: what is read is
 * read once and checked. Between start and stop (see vhost_dev.h) a ring belongs to one data loop.
 */
#ifndef HVTRACE_VRING_H
#define HVTRACE_VRING_H

#include <stdbool.h>
#include <linux/types.h>

#include "memory.h"

/* Pieces of a chain at most, those that a region's end splits included. */
#define VRING_SEGS 1024
#define VRING_MAX_SIZE 32768

struct vring;

/* A piece of guest memory, contiguous here and there. */
struct vring_seg {
	char *base;
	__u64 gpa;
	__u32 bytes;
};

/* A request as the guest made it: what the device may read comes first. */
struct vring_chain {
	__u16 head;
	unsigned nr_out, nr_in; /* device-readable, then device-writable pieces */
	struct vring_seg seg[VRING_SEGS];
};

/* Next request: first those that were in flight when the last server died, in their order; then
 * new ones. 1: got one. 0: none. -EPROTO: the guest broke the rules in a way that leaves nothing
 * to answer (a loop, a bad index, ...): the ring is dead until it is set up anew, *reason says why.
 * -EBADMSG: this one request is bad (address outside of memory, too long, readable after
 * writable), chain->head can be pushed with 0 bytes. */
int vring__pop(struct vring *r, struct vring_chain *chain, const char **reason);
/* A request is done, `written` bytes of it written to guest memory. Any order. */
void vring__push(struct vring *r, __u16 head, __u32 written);
/* After a batch of pushes: interrupt the guest, if it wants that. */
void vring__notify(struct vring *r);
/* Kicks wanted: true when there are requests already (then go on popping). */
bool vring__arm(struct vring *r);
/* No kicks wanted: the ring is polled. */
void vring__disarm(struct vring *r);
/* Readable when the guest kicked; -1: the ring is to be polled, no kicks come. */
int vring__kick_fd(const struct vring *r);

unsigned vring__index(const struct vring *r);	  /* which of the device's queues */
unsigned vring__size(const struct vring *r);	  /* entries */
unsigned vring__in_flight(const struct vring *r); /* popped, not pushed */
const struct guest_memory *vring__memory(const struct vring *r);

#endif
