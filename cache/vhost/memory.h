/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory, as a vhost-user front end shares it: regions of files, mapped here.
 *
 * For each frame (page of guest memory) there is a hint: the disk page that it was last known to
 * hold. Any data loop may read and write hints; a hint proves nothing, what it leads to is checked.
 *
 * Changed by the control loop only, while no ring runs.
 */
#ifndef HVTRACE_VHOST_MEMORY_H
#define HVTRACE_VHOST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "sigbus.h"

#define GUEST_PAGE 4096
/* Of one front end at most, bytes: addresses here are for all. */
#define GUEST_MAX_BYTES (1ULL << 44)
/* As many as VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS offers. */
#define GUEST_REGIONS 256

struct guest_region {
	__u64 gpa;	     /* guest physical address, and */
	__u64 bytes;	     /* length: whole pages */
	__u64 hva;	     /* where the front end has it: its user address */
	__u64 dev, ino;	     /* its file, and */
	__u64 offset;	     /* where in that, bytes */
	char *base;	     /* where it is here */
	_Atomic __u64 *hint; /* a frame: disk page + 1, or 0; bytes / 4096 of them */
	void *map;	     /* of mmap, with what comes before base */
	size_t map_bytes;
	struct sigbus_guard *guard;
};

struct guest_memory {
	struct guest_region region[GUEST_REGIONS]; /* by gpa */
	unsigned nr;
	_Atomic bool is_broken; /* see guest_memory__broken() */
	/* Called once when that becomes true, from a signal handler in any thread; may be NULL. */
	void (*broke)(struct guest_memory *m);
};

/* Map a region; fd stays the caller's. -EINVAL: overlaps another, in guest memory or in the file,
 * wraps, is empty or not of whole pages, or the file is shorter; -EMEDIUMTYPE: a file that
 * given_fd__is_memory() says no to; -ENOSPC: too many; -errno of mmap(). */
int guest_memory__add(struct guest_memory *m, __u64 gpa, __u64 bytes, __u64 hva, __u64 offset,
		      int fd);
/* -ENOENT. */
int guest_memory__remove(struct guest_memory *m, __u64 gpa, __u64 bytes, __u64 hva);
void guest_memory__clear(struct guest_memory *m);

/* Where that guest physical address is, and how many bytes from there on, up to *bytes, lie in one
 * piece. NULL: nowhere. */
void *guest_memory__at(const struct guest_memory *m, __u64 gpa, __u64 *bytes);
/* Of a front end's user address, as ring addresses are. */
void *guest_memory__at_hva(const struct guest_memory *m, __u64 hva, __u64 *bytes);
/* The hint of the frame that holds this address; NULL: no such frame. */
_Atomic __u64 *guest_memory__hint(const struct guest_memory *m, __u64 gpa);
/* The front end took memory away that it had given (truncated the file, or no huge page was left
 * for it): since some time ago zeroes may be read where data were. So nothing that was read from
 * guest memory may go to storage unless this is still false after it was read. */
bool guest_memory__broken(const struct guest_memory *m);
/* Guest memory in pages. */
__u64 guest_memory__pages(const struct guest_memory *m);

#endif
