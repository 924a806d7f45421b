/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A ring from the side of those who set it up: the device, and tests.
 */
#ifndef HVTRACE_VHOST_VRING_SETUP_H
#define HVTRACE_VHOST_VRING_SETUP_H

#include <stdbool.h>
#include <linux/types.h>

#include "inflight.h"
#include "memory.h"
#include "vring.h"

struct vring {
	/* Set while it is stopped, by the control loop. */
	const struct guest_memory *memory;
	unsigned index;
	__u32 size;			  /* entries */
	__u64 desc_at, avail_at, used_at; /* front end's user addresses */
	__u64 features;
	struct inflight_log log;
	int kick, err; /* fds or -1 */
	/* Stays the same number for its lifetime, see vring__set_call(); an eventfd that nobody
	 * reads is behind it when there is none. */
	int call, nobody;
	/* Called once when it dies, by the data loop. */
	void (*died)(struct vring *r, void *ctx, const char *reason);
	void *died_ctx;

	/* The data loop's while it runs. */
	const char *desc;
	__u16 *avail, *used;
	__u16 next_avail, seen_avail; /* of the available ring: to be popped next, and its end */
	__u16 next_used,
		told_used; /* of the used ring: to be filled next, and of the last notify */
	bool event_idx, indirect, dead;
	unsigned in_flight;
	__u8 *busy; /* by head: is in flight */
	/* Heads to be popped first: what the last server did not end. */
	__u16 *resubmit;
	unsigned nr_resubmit, resubmitted;
	unsigned room; /* of the two arrays */
};

/* NULL with errno. The memory lives longer. */
struct vring *vring__new(unsigned index, const struct guest_memory *memory);
/* Closes its fds. NULL is fine. */
void vring__free(struct vring *r);

bool vring__size_is_valid(__u32 size);
/* From where to serve; next_avail stays as it was when it stopped, so this is for a new ring. */
void vring__set_base(struct vring *r, __u16 base);
/* Take over an fd (-1: none) to be written to for an interrupt; also while it runs. */
void vring__set_call(struct vring *r, int fd);

/* Find the rings in guest memory and what was in flight. The guest is to be interrupted then: the
 * last server may have ended requests without a word. -EINVAL with a reason; -ENOMEM. */
int vring__start(struct vring *r, const char **reason);

/* For vring__pop(): what lies behind a head. */
int vring__walk(const struct vring *r, __u16 head, struct vring_chain *c, const char **reason);

#endif
