/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The log of requests in flight, in memory that the front end keeps: who serves the ring after this
 * process was killed finds there which requests to do again, in which order.
 *
 * Format and order of steps: vhost-user.rst, "Inflight I/O tracking", split virtqueues. Only the
 * process may be lost, not the machine, so what matters is the order of stores in the program.
 */
#ifndef HVTRACE_VHOST_INFLIGHT_H
#define HVTRACE_VHOST_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "sigbus.h"

/* The log of one ring: where it is. Zero-initialised: there is none. */
struct inflight_log {
	struct inflight_region *region;
	unsigned size; /* entries there is room for */
	__u64 counter; /* of the next request */
};

/* The logs of all rings, mapped. Zero-initialised is unmapped. */
struct inflight_map {
	void *map;
	size_t map_bytes, offset;
	unsigned queues, size;
	struct sigbus_guard *guard;
};

/* Memory for the logs of so many rings of that size. */
__u64 inflight__bytes(unsigned queues, unsigned size);
/* A new file for them, zeroed and sealed: the fd, or -errno. */
int inflight__create(unsigned queues, unsigned size);
/* Map such a file; fd stays the caller's. fn: see sigbus.h. -EINVAL: it is too short, or is no such
 * file (see given_fd__is_memory()); -errno. */
int inflight_map__open(struct inflight_map *m, unsigned queues, unsigned size, __u64 offset, int fd,
		       void (*fn)(void *ctx), void *ctx);
void inflight_map__close(struct inflight_map *m);
/* A ring's log; none if it is not among them. */
struct inflight_log inflight_map__log(const struct inflight_map *m, unsigned queue);

/* Before the first request of a run. Ends what the last server was about when it was killed, given
 * the used ring's index, and fills in the heads of requests that were in flight, in their order:
 * below `size` each, and as many at most. How many; *fresh: nothing was ever in this log.
 * -EINVAL: the log is damaged. */
int inflight_log__recover(struct inflight_log *l, unsigned size, __u16 used_idx, __u16 *heads,
			  bool *fresh);
/* A request was taken. */
void inflight_log__begin(struct inflight_log *l, __u16 head);
/* Around the change of the used ring's index. */
void inflight_log__ending(struct inflight_log *l, __u16 head);
void inflight_log__ended(struct inflight_log *l, __u16 head, __u16 used_idx);

#endif
