/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk in memory behind the project's vhost-user device: the smallest data side there can be, to
 * test the transport with. It runs in a process of its own, so that it can be killed.
 */
#ifndef TESTS_VHOST_MEMDISK_H
#define TESTS_VHOST_MEMDISK_H

#include <stdbool.h>
#include <stdatomic.h>
#include <linux/types.h>

/* Shared between that process and the test. */
struct memdisk_shared {
	atomic_uint hold;   /* answer no more than all but one in so many requests; 0: answer all */
	atomic_uint held;   /* requests that wait to be answered */
	atomic_uint served; /* requests that were answered, ever, bad ones included */
	atomic_uint starts, stops, memories; /* calls of the device's operations */
	atomic_uint connects, disconnects;
	atomic_uint dead;  /* rings that were given up, ever */
	atomic_uint warns; /* lines for the administrator, and */
	char warn[256];	   /* the last of them */
};

struct memdisk_opts {
	const char *path; /* NULL: serve fd */
	int fd;
	char *disk;
	__u64 bytes;
	unsigned queues;
	bool read_only;
	__u64 no_features; /* virtio features that the disk has not */
	struct memdisk_shared *shared;
};

#define MEMDISK_ID "memdisk-serial"

/* In a process of its own: serves until SIGTERM, then ends cleanly. An exit status. */
int memdisk__serve(const struct memdisk_opts *o);

#endif
