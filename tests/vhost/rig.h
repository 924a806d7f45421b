/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server with one disk, or with more of them, in this process: its control loop runs in a
 * thread of its own, the image is a file that is also mapped here.
 */
#ifndef TESTS_VHOST_RIG_H
#define TESTS_VHOST_RIG_H

#include <stdatomic.h>

#include "../../cache/serve/server.h"
#include "frontend.h"

struct rig {
	/* Before the start. */
	__u64 bytes, cache;    /* 0 = 32 MiB, 8 MiB */
	__u64 audit;	       /* 0: none */
	unsigned queues;       /* 0 = 1 */
	__u64 min, max, share; /* of the disk: see server_disk_opts */
	const char *policy;
	const char *name; /* of the disk; NULL: "disk", or "another" */
	bool read_only;

	char dir[64], path[96], image[96];
	char *disk;	  /* the image, as it is in its file */
	struct rig *host; /* whose server has its disk; NULL: its own */
	struct loop *control;
	struct server *server;
	atomic_uint events[PAGE_EVENT_KINDS]; /* page events that came */
	atomic_uint uncaptured;		      /* of the evictions */
	atomic_uint lines;		      /* for the administrator, and */
	char line[256];			      /* the last of them */
};

/* All assert. */
void rig__start(struct rig *r);
void rig__end(struct rig *r);  /* with the image: nothing is left */
void rig__stop(struct rig *r); /* only the server */
void rig__go_on(struct rig *r);
/* Another disk of the same server, until it stops or the disk is removed; `of` is never started. */
void rig__add_disk(struct rig *r, struct rig *of);
void rig__remove_disk(struct rig *r); /* back when it is gone */
void rig__remove_image(struct rig *of);

/* In the control loop's thread, about the rig's disk, or what all disks share. */
struct server_disk rig__disk(struct rig *r);
struct server_cache rig__cache(struct rig *r);
void rig__resize(struct rig *r, __u64 bytes);
void rig__drain(struct rig *r);
void rig__set(struct rig *r, __u64 min, __u64 max, __u64 share);
void rig__invalidate(struct rig *r, __u64 page, __u64 count);
void rig__unmapped(struct rig *r, pid_t vmm, const void *at, __u64 bytes);

/* fn for each slot of the disk's cache that holds no page now, one after another per shard: in the
 * thread of its owner. */
void rig__free_slots(struct rig *r, void (*fn)(void *ctx, const void *slot), void *ctx);

/* A front end that is ready. */
void rig__open(struct rig *r, struct frontend *f, const struct frontend_opts *o);

#endif
