/* SPDX-License-Identifier: GPL-2.0 */
/* Page events on their way from a data loop to the control loop: one writer, one reader, no
 * waiting; what finds the ring full is counted. */
#ifndef HVTRACE_EVENT_RING_H
#define HVTRACE_EVENT_RING_H

#include <stddef.h>
#include <linux/types.h>

#include "../../bpf/page_event.h"

#define EVENT_RING 65536 /* events: 2 MiB */

struct event_ring;

struct event_ring *event_ring__new(void); /* NULL: out of memory */
void event_ring__free(struct event_ring *r);

/* The writer's. */
void event_ring__put(struct event_ring *r, const struct page_event *e);
/* More than half of it waits. */
int event_ring__urgent(const struct event_ring *r);

typedef void (*event_ring_fn)(void *ctx, const struct page_event *events, size_t n);

/* The reader's: what is there now of several rings, in the order of time as far as each of them is.
 */
void event_rings__take(struct event_ring *const *rings, size_t n, event_ring_fn fn, void *ctx);
/* Any thread: events for which there was room; for which there was none. */
__u64 event_ring__sent(const struct event_ring *r);
__u64 event_ring__dropped(const struct event_ring *r);

#endif
