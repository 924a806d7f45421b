/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A back end under test, in a process of its own: the project's device over a disk in memory, or
 * qemu-storage-daemon as the reference, for what the specification defines.
 */
#ifndef TESTS_VHOST_BACKEND_H
#define TESTS_VHOST_BACKEND_H

#include <stdbool.h>
#include <sys/types.h>

#include "frontend.h"
#include "memdisk.h"

#define BACKEND_QUEUES 4
#define BACKEND_BYTES (16 << 20)

struct backend {
	bool reference; /* qemu-storage-daemon */
	bool read_only;
	unsigned queues;
	__u64 bytes;
	__u64 no_features; /* of the disk; not for the reference */
	pid_t pid;	   /* 0: does not run */
	char dir[64], path[96], image[96];
	char *disk; /* the image: what it holds, as it is written */
	struct memdisk_shared *shared;
};

/* All assert: a test that has no back end has failed. Fields but reference may be set before. */
void backend__start(struct backend *b);
/* SIGTERM: it must end well. */
void backend__end(struct backend *b);
void backend__kill(struct backend *b);	  /* SIGKILL */
void backend__restart(struct backend *b); /* it was killed or ended */
/* Ends it if it runs; leaves nothing. */
void backend__free(struct backend *b);

/* Wait until a counter of `shared` is at least that. */
void await(const atomic_uint *counter, unsigned n);

/* A front end that is ready; asserts. */
void backend__open(struct backend *b, struct frontend *f, const struct frontend_opts *o);
/* The page of the disk with that number is full of words that tell it and `salt`. */
void put_pattern(void *page, __u64 number, __u64 salt);
bool has_pattern(const void *page, __u64 number, __u64 salt);

/* cmocka's fixtures: a running back end as the state. */
int setup_own(void **state);
int setup_reference(void **state);
int teardown(void **state);

/* A test of each. */
#define own(test) cmocka_unit_test_setup_teardown(test, setup_own, teardown)
#define both(test)                                                                                 \
	{#test, test, setup_own, teardown, NULL},                                                  \
	{                                                                                          \
#test " (reference)", test, setup_reference, teardown, NULL                        \
	}

#endif
