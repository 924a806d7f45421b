/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a disk should hold, and requests at random that keep to it: each queue has groups of pages
 * of its own that it reads, writes, zeroes and discards with many requests at once (overlapping
 * only where both read), and there are groups that all queues read.
 */
#ifndef TESTS_VHOST_MIRROR_H
#define TESTS_VHOST_MIRROR_H

#include <pthread.h>
#include <stdatomic.h>

#include "../unit/random.h"
#include "frontend.h"

#define MIRROR_DEPTH 24
/* Pages; such that some groups lie in two extents of 1 MiB. */
#define MIRROR_GROUP 96

struct mirror {
	char *bytes;
	bool *undefined;	 /* a sector that was discarded: as it is here, or zeroes */
	__u64 size;		 /* of the disk */
	unsigned groups, shared; /* of these, so many at the start are only read */
	unsigned queues;
};

struct mirror_request {
	struct blk_io io;
	struct ring_seg seg[MIRROR_GROUP * 2];
	struct virtio_blk_discard_write_zeroes range;
	struct mirror_queue *queue;
	unsigned group, nr_frames;
	unsigned frame[MIRROR_GROUP + 1];
};

/* Requests of one queue, by one thread. */
struct mirror_queue {
	struct mirror *mirror;
	struct frontend *f;
	unsigned queue;
	struct random random;
	__u64 memory; /* of its frames */
	unsigned nr_frames, nr_busy, in_flight;
	bool *busy; /* frames */
	struct {
		unsigned readers;
		bool writer;
	} * group;
	struct mirror_request *request;
	__u64 wrong, failed;
	unsigned limit;
	atomic_bool over; /* all done */
	int err;
	pthread_t thread;
};

/* Asserts. The disk is full of zeroes, and `disk` (to be written through) gets what is shared. */
void mirror__init(struct mirror *m, char *disk, __u64 size, unsigned queues);
void mirror__free(struct mirror *m);
/* That a disk holds what it should. */
void mirror__check(const struct mirror *m, const char *disk);

void mirror_queue__init(struct mirror_queue *q, struct mirror *m, struct frontend *f,
			unsigned queue, unsigned frames, __u64 seed);
void mirror_queue__free(struct mirror_queue *q);
/* Make so many requests, in a thread; then, until they are done. Asserts that all went well. */
void mirror_queue__start(struct mirror_queue *q, unsigned requests);
void mirror_queue__join(struct mirror_queue *q);

#endif
