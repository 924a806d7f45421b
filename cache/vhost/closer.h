/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread for what a front end can make wait as long as it likes: closing the file descriptors it
 * gave (a socket that lingers, FUSE's flush; a connection may have more of them in its queue), and
 * writing to its eventfds (full, and no longer without O_NONBLOCK).
 *
 * All of this is called from one loop.
 */
#ifndef HVTRACE_VHOST_CLOSER_H
#define HVTRACE_VHOST_CLOSER_H

#include <stdbool.h>

#include "../loop.h"

struct closer;

/* File descriptors it takes at once. */
#define CLOSER_FDS 512

/* idle is called from the loop when all is done, after each time there was something to do. NULL
 * with errno. */
struct closer *closer__new(struct loop *loop, void (*idle)(void *ctx), void *ctx);
/* Ends when all is done, which is not waited for. idle is not called any more; the loop goes on
 * until messages that were posted by now are handled. NULL is fine. */
void closer__free(struct closer *c);

void closer__close(struct closer *c, int fd);
/* Add 1 to an eventfd, which stays the caller's. */
void closer__signal(struct closer *c, int fd);
bool closer__is_idle(struct closer *c);

#endif
