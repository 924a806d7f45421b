/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory mapped from files of others, who may truncate them: an access gives SIGBUS then, which
 * must end neither the process nor what it does for others.
 *
 * A guarded range where that happens is replaced by zeroes as a whole, so that the access goes on,
 * and its owner is told. Elsewhere a SIGBUS does what it did before. Threads that touch guarded
 * memory must not block SIGBUS.
 */
#ifndef HVTRACE_VHOST_SIGBUS_H
#define HVTRACE_VHOST_SIGBUS_H

#include <stddef.h>

struct sigbus_guard;

/* Guard a mapping. fn is called before the memory is replaced, from the signal handler: what it
 * calls must be safe there. It may be called more than once. NULL with errno: ENOMEM. */
struct sigbus_guard *sigbus_guard__new(void *base, size_t bytes, void (*fn)(void *ctx), void *ctx);
/* Before it is unmapped; nobody may be touching it. NULL is fine. */
void sigbus_guard__free(struct sigbus_guard *g);

#endif
