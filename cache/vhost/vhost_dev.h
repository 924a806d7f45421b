/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vhost-user device (back end): a socket, one front end at a time, its memory and its rings.
 * The protocol is QEMU's docs/interop/vhost-user.rst.
 *
 * All of it happens in the control loop. Data loops only see rings, between ops->start and the
 * answer to ops->stop. What changes something that running rings use (memory, addresses, features,
 * the in-flight log, the front end's end) waits until they have stopped, then starts them again;
 * the control loop goes on with its other devices meanwhile, the front end's socket is not read.
 */
#ifndef HVTRACE_VHOST_DEV_H
#define HVTRACE_VHOST_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

#include "../loop.h"
#include "memory.h"
#include "vring.h"

#define VHOST_MAX_QUEUES 64

struct vhost_dev;

struct vhost_dev_ops {
	/* A ring is to be served: it belongs to the data side now. */
	void (*start)(void *ctx, struct vring *r);
	/* Stop taking requests from it, finish what is in flight, then (from the control loop,
	 * maybe at once) call vhost_dev__stopped(). */
	void (*stop)(void *ctx, struct vring *r);
	/* Guest memory is another, or gone, as far as hints and frames go; no ring runs. */
	void (*memory)(void *ctx);
	/* A front end came (connected) or went. pid: its process, 0 if not known. */
	void (*front_end)(void *ctx, bool connected, pid_t pid);
	/* Something the administrator should know, one line: a front end that broke the protocol,
	 * a ring that died. */
	void (*warn)(void *ctx, const char *line);
};

struct vhost_dev_opts {
	size_t sz;	     /* sizeof(struct vhost_dev_opts) */
	struct loop *loop;   /* the control loop */
	const char *socket;  /* path to listen on: created 0600. A socket that nobody listens on any
				more is replaced, one that somebody does is -EADDRINUSE */
	int fd;		     /* instead of a path (socket NULL): a connected socket, taken over */
	unsigned queues;     /* 1 to VHOST_MAX_QUEUES */
	__u64 features;	     /* of the device type: VIRTIO_BLK_F_* */
	const void *config;  /* configuration space; copied */
	size_t config_bytes; /* up to 256 */
	const struct vhost_dev_ops *ops;
	void *ctx;
};

/* -errno, with a sentence in why. */
int vhost_dev__new(struct vhost_dev **out, const struct vhost_dev_opts *o, char *why, size_t size);
/* Stops all rings, then disconnects, unlinks the socket and frees itself; then calls fn (may be
 * NULL) from the control loop. */
void vhost_dev__free(struct vhost_dev *d, void (*fn)(void *ctx), void *ctx);

/* The answer to ops->stop: nothing of the ring is in flight, its loop does not look at it. */
void vhost_dev__stopped(struct vhost_dev *d, struct vring *r);

/* Virtio features that the guest accepted. */
__u64 vhost_dev__features(const struct vhost_dev *d);
/* Stays as it is while a ring runs. */
const struct guest_memory *vhost_dev__memory(const struct vhost_dev *d);
bool vhost_dev__connected(const struct vhost_dev *d);
pid_t vhost_dev__front_end(const struct vhost_dev *d);	/* 0: none, or not known */
unsigned vhost_dev__running(const struct vhost_dev *d); /* rings */

#endif
