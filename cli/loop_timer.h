/* SPDX-License-Identifier: GPL-2.0 */
/* A timer in an event loop. */
#ifndef HVTRACE_LOOP_TIMER_H
#define HVTRACE_LOOP_TIMER_H

#include "../cache/loop.h"

/* Zero-initialised: none. Embedded in what it is about. */
struct loop_timer {
	struct loop_fd fd;
	struct loop *loop;
	void (*fn)(struct loop_timer *t);
};

/* Not running yet. -errno. */
int loop_timer__open(struct loop_timer *t, struct loop *l, void (*fn)(struct loop_timer *t));
void loop_timer__close(struct loop_timer *t); /* none is fine */
/* Call fn in so many seconds, and every so many (0: once); first 0: at once. */
void loop_timer__set(struct loop_timer *t, double first, double every);
void loop_timer__stop(struct loop_timer *t);

#endif
