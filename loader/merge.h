/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One stream from many: every CPU sends its events nearly in order, on its own;
 * the engine needs them in the order of their time over all CPUs.
 */
#ifndef HVTRACE_MERGE_H
#define HVTRACE_MERGE_H

#include <stddef.h>

#include "../bpf/page_event.h"

struct merge;

typedef void (*merge_fn)(void *ctx, const struct page_event *events, size_t n);

struct merge *merge__new(size_t cpus); /* NULL: out of memory */
void merge__free(struct merge *m);

/* Take n events of a CPU (copied). -ENOMEM: none of them was taken. -EINVAL: no such CPU. */
int merge__add(struct merge *m, size_t cpu, const struct page_event *events, size_t n);

/* Hand over all events whose time (ns) is before `until`, oldest first; events
 * of one CPU with the same time stay in the order they came. Returns how many. */
size_t merge__take(struct merge *m, __u64 until, merge_fn fn, void *ctx);

/* Events held back. */
size_t merge__waiting(const struct merge *m);

#endif
