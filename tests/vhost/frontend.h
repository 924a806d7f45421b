/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A vhost-user-blk front end and its guest's driver, for tests and benchmarks: what QEMU and the
 * guest's virtio_blk do, without a guest. Plain blocking code. All fields may be looked at and
 * spoilt: corners are reached that way.
 *
 * frontend__open() does the whole set-up; its steps are there to be done apart, or in other orders.
 * A queue may be used by one thread at a time, all else by one thread.
 */
#ifndef TESTS_VHOST_FRONTEND_H
#define TESTS_VHOST_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/virtio_blk.h>

#include "driver_ring.h"
#include "link.h"
#include "ram.h"

#define FRONTEND_QUEUES 64
#define SECTOR 512u
/* Data pieces of a request at most: a request's indirect table is a page. */
#define BLK_IO_SEGS 254
#define BLK_IO_RANGES 64

struct frontend_opts {
	const char *path;		/* socket to connect to; NULL: */
	int fd;				/* one that is connected; it is taken over */
	double patience;		/* seconds for the path to be there */
	unsigned queues;		/* 0 = 1 */
	unsigned size;			/* of a queue, 0 = 128 */
	__u64 no_features, no_protocol; /* not to be accepted, even if offered */
	__u64 memory;			/* bytes of guest memory, 0 = 64 MiB, in so many */
	unsigned regions;		/* 0 = 1, pieces, with holes between */
	bool hugetlb;
	bool polling; /* completions: no interrupts wanted */
};

/* A request to the disk. Belongs to the front end until it is done. */
struct blk_io {
	__u32 type; /* VIRTIO_BLK_T_* */
	__u64 sector;
	const struct ring_seg *seg; /* data */
	unsigned nr;
	/* Instead of data, for discard and write zeroes. */
	const struct virtio_blk_discard_write_zeroes *range;
	unsigned nr_ranges;
	void (*fn)(struct blk_io *io); /* may be NULL */
	void *ctx;

	bool done;
	__u8 status;
	__u32 written; /* as the used ring has it */
	__u16 head;
	unsigned times; /* completed: more than once is an error of the server */
};

struct frontend_queue {
	struct driver_ring ring;
	__u64 slots; /* two pages for each descriptor: header, status and ranges; table */
	bool started;
};

struct frontend {
	struct frontend_opts opts;
	int sock;
	__u64 offered, features; /* virtio features and VU_F_PROTOCOL_FEATURES */
	__u64 protocol_offered, protocol;
	unsigned queues_offered; /* 0: not told */
	struct virtio_blk_config config;
	struct ram ram;
	struct frontend_queue queue[FRONTEND_QUEUES];
	unsigned nr_queues;
	struct vu_inflight inflight;
	int inflight_fd; /* -1: none */
	char why[160];	 /* of the last error */
};

/* All that is needed for requests. -errno, and why in f->why; free it either way. */
int frontend__open(struct frontend *f, const struct frontend_opts *o);
void frontend__free(struct frontend *f);

/* --- steps --- */

/* Options, memory and rings, no connection. */
int frontend__init(struct frontend *f, const struct frontend_opts *o);
int frontend__connect(struct frontend *f); /* also again */
int frontend__negotiate(struct frontend *f);
int frontend__read_config(struct frontend *f);
/* Get an in-flight log from the server if it has that and there is none yet; share it. */
int frontend__share_inflight(struct frontend *f);
int frontend__share_memory(struct frontend *f);
int frontend__start_queue(struct frontend *f, unsigned q);
int frontend__start(struct frontend *f); /* all of them, in order */
/* GET_VRING_BASE: what it says, or -errno. */
int frontend__stop_queue(struct frontend *f, unsigned q);
/* Without a word. Memory, rings and the in-flight log stay. */
void frontend__disconnect(struct frontend *f);
/* All steps but init, for a server that came back: rings go on where the used index is. */
int frontend__resume(struct frontend *f);

/* --- messages --- */

/* Waits for the answer where REPLY_ACK is negotiated: -EREMOTEIO when it is not 0. */
int frontend__tell(struct frontend *f, struct vu_msg *m);
int frontend__tell_u64(struct frontend *f, __u32 request, __u64 value);
int frontend__tell_state(struct frontend *f, __u32 request, __u32 index, __u32 num);
/* SET_VRING_KICK, CALL, ERR; fd -1: none. */
int frontend__tell_fd(struct frontend *f, __u32 request, unsigned index, int fd);
int frontend__ask_u64(struct frontend *f, __u32 request, __u64 *value);
int frontend__set_addr(struct frontend *f, unsigned q);
int frontend__add_region(struct frontend *f, unsigned region);
int frontend__remove_region(struct frontend *f, unsigned region);
/* The server has done all that was sent so far, as far as the protocol can tell. */
int frontend__sync(struct frontend *f);

/* --- requests --- */

/* Put it into the queue, but don't publish it. -ENOSPC: the queue is full. */
int frontend__queue(struct frontend *f, unsigned q, struct blk_io *io);
void frontend__publish(struct frontend *f, unsigned q);
/* Take what is done. How many, or -EBADMSG. */
int frontend__reap(struct frontend *f, unsigned q);
/* Until something is done. How many, -ETIMEDOUT, -ECONNRESET, -EBADMSG. */
int frontend__wait_some(struct frontend *f, unsigned q);
/* Until it is done. 0 or as above. */
int frontend__wait(struct frontend *f, unsigned q, struct blk_io *io);
/* Until nothing is in flight. */
int frontend__wait_all(struct frontend *f, unsigned q);
/* All of these for one request: its status, or -errno. */
int frontend__do(struct frontend *f, unsigned q, struct blk_io *io);
/* The same for one piece of memory. Offset and bytes in whole sectors. */
int frontend__rw(struct frontend *f, unsigned q, __u32 type, __u64 offset, __u64 gpa, __u32 bytes);
int frontend__flush(struct frontend *f, unsigned q);

#endif
