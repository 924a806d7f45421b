/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads and writes of a queue in a thread of its own, until told to stop, each page of the disk
 * checked against what was written to it last. Pages are the queue's own: no two queues' meet.
 */
#ifndef TESTS_VHOST_LOAD_H
#define TESTS_VHOST_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "../unit/random.h"
#include "frontend.h"

#define LOAD_PAGES 64
#define LOAD_DEPTH 16

struct load_request {
	struct blk_io io;
	struct ring_seg seg;
	struct load *load;
	__u64 page;
};

struct load {
	struct frontend *f;
	unsigned queue;
	__u64 first;		   /* page on the disk */
	__u64 memory;		   /* LOAD_DEPTH frames */
	__u64 version[LOAD_PAGES]; /* of each page: 0 before it was written */
	bool busy[LOAD_PAGES];
	struct load_request request[LOAD_DEPTH];
	struct random random;
	atomic_bool stop;
	atomic_uint done, failed, wrong; /* requests; not OK; read what was not written */
	int err;
	pthread_t thread;
};

/* Frames in guest memory and a thread; asserts. Pages it writes to begin at queue * LOAD_PAGES. */
void load__start(struct load *l, struct frontend *f, unsigned queue, __u64 seed);
/* With `parallel` requests or so still to come: until done reaches that. */
void load__await(struct load *l, unsigned done);
/* What is in flight ends; asserts that nothing went wrong. */
void load__end(struct load *l);
/* The same, when the server went away and came back meanwhile: nothing is reaped in between. */
void load__pause(struct load *l);
/* After that: what is in flight ends. */
void load__settle(struct load *l);
void load__go_on(struct load *l);
/* That the disk holds what was written; nothing may be in flight. */
void load__check(struct load *l, const char *disk);

#endif
