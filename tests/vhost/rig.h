/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The server with one disk, in this process: its control loop runs in a thread of its own, the
 * image is a file that is also mapped here.
 */
#ifndef TESTS_VHOST_RIG_H
#define TESTS_VHOST_RIG_H

#include <stdatomic.h>

#include "../../cache/serve/server.h"
#include "frontend.h"

#define RIG_DISK "disk"

struct rig {
	/* Before the start. */
	__u64 bytes, cache; /* 0 = 32 MiB, 8 MiB */
	__u64 audit;	    /* 0: none */
	unsigned queues;    /* 0 = 1 */
	const char *policy;
	bool read_only;

	char dir[64], path[96], image[96];
	char *disk; /* the image, as it is in its file */
	struct loop *control;
	struct server *server;
	atomic_uint events[PAGE_EVENT_KINDS]; /* page events that came */
	atomic_uint lines;		      /* for the administrator, and */
	char line[256];			      /* the last of them */
};

/* All assert. */
void rig__start(struct rig *r);
void rig__end(struct rig *r);  /* with the image: nothing is left */
void rig__stop(struct rig *r); /* only the server */
void rig__go_on(struct rig *r);
/* Another disk of the same server, until it stops; `of` is never started. */
void rig__add_disk(struct rig *r, struct rig *of);
void rig__remove_image(struct rig *of);

/* In the control loop's thread. */
struct server_disk rig__disk(struct rig *r);
void rig__resize(struct rig *r, __u64 bytes);
void rig__drain(struct rig *r);
void rig__set(struct rig *r, __u64 min, __u64 max, __u64 share);
void rig__unmapped(struct rig *r, __u64 hva, __u64 bytes); /* of this process */
void rig__invalidate(struct rig *r, __u64 page, __u64 count);

/* A front end that is ready. */
void rig__open(struct rig *r, struct frontend *f, const struct frontend_opts *o);

#endif
