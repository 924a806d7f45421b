/* SPDX-License-Identifier: GPL-2.0 */
/* How much memory this host has. */
#ifndef HVTRACE_HOST_MEMORY_H
#define HVTRACE_HOST_MEMORY_H

#include <stddef.h>
#include <linux/types.h>

/* Bytes, used or not, of one NUMA node, or node -1: of all. 0: the kernel does not tell. */
__u64 host_memory__bytes(int node);
/* A cache of so many pages can be there at all. -ENOMEM, with a sentence in why. */
int host_memory__fits(__u64 pages, int node, char *why, size_t size);

#endif
