/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What changes the memory that a VM may have: its balloon, its memory cgroup, its part of the cache
 * of `hvtrace serve`. Sizes are in pages.
 *
 * Errors are -errno with a sentence in why. -ENODEV: there is no such thing to change (a guest
 * without balloon); -EREMOTEIO: refused; other errors: it is not to be reached now, and may be
 * later.
 */
#ifndef HVTRACE_ACTUATOR_H
#define HVTRACE_ACTUATOR_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

struct actuator;

/* As read back from where it is known. */
struct actuator_state {
	__u64 now;   /* pages that the VM holds */
	__u64 least; /* taking it below this at once would hurt it; 0: not known */
	__u64 most;  /* it cannot have more than that */
};

/*
 * A balloon: -device virtio-balloon-pci, through a QMP socket. Nothing is asked before the first
 * use, and no question waits longer than so many seconds. NULL: out of memory, as below.
 */
struct actuator *balloon__new(const char *qmp, double seconds);
/* A memory cgroup's folder: memory.high of v2, memory.soft_limit_in_bytes of v1. */
struct actuator *memory_cgroup__new(const char *folder);
/* A disk's part of the cache that is served by who listens at `socket`: what is set is its minimum
 * and maximum. */
struct actuator *cache_part__new(const char *socket, const char *disk, double seconds);
void actuator__free(struct actuator *a); /* NULL is fine */

/* "balloon", "cgroup" or "cache". */
const char *actuator__kind(const struct actuator *a);
/* The socket's or folder's path. */
const char *actuator__place(const struct actuator *a);
/* All of *out is 0 if that fails. */
int actuator__read(struct actuator *a, struct actuator_state *out, char *why, size_t size);
/* Returns when it is ordered: a guest gives memory when it can. */
int actuator__set(struct actuator *a, __u64 pages, char *why, size_t size);
/* The VM's process as of the last contact; 0: not known. */
pid_t actuator__pid(const struct actuator *a);

/* All that set() will change, for restore(): the caller's. NULL with why. */
json_t *actuator__save(struct actuator *a, char *why, size_t size);
/* -EINVAL: not what save() gave. */
int actuator__restore(struct actuator *a, const json_t *saved, char *why, size_t size);

#endif
