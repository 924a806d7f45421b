/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An event loop: file descriptors, messages from other loops, and work that is polled for.
 *
 * One thread runs a loop, and what a loop owns is touched by that thread only. Loops speak to
 * each other by messages, which are part of what they are about: posting allocates nothing, takes
 * no lock and never waits.
 */
#ifndef HVTRACE_LOOP_H
#define HVTRACE_LOOP_H

#include <stdbool.h>
#include <linux/types.h>

struct loop;

/* Belongs to the receiver from loop__post() until fn is called; fn may post it on. */
struct loop_msg {
	struct loop_msg *next;
	void (*fn)(struct loop_msg *m);
};

/* A watched file descriptor; embedded in what it is about. */
struct loop_fd {
	int fd;
	void (*fn)(struct loop_fd *f, __u32 epoll_events);
};

/* Polled each time round; true: it did something. */
struct loop_poll {
	struct loop_poll *next;
	bool (*fn)(struct loop_poll *p);
	/* About to sleep: ask for wake-ups. true: something came meanwhile, don't sleep. */
	bool (*arm)(struct loop_poll *p);
};

struct loop *loop__new(void); /* NULL with errno */
/* Not while it runs. NULL is fine. */
void loop__free(struct loop *l);

/* Run it in this thread, until loop__stop(). */
void loop__run(struct loop *l);
/* Handle what there is, without waiting: for a thread that waits elsewhere. true: there was
 * something, and there may be more. */
bool loop__turn(struct loop *l);
/* Run it in a thread of its own with all signals but SIGBUS blocked, named for the eyes of top.
 * -errno. */
int loop__start(struct loop *l, const char *name);
/* Any thread: ends loop__run() after what is being handled. */
void loop__stop(struct loop *l);
/* Waits for the thread of loop__start() to end. */
void loop__join(struct loop *l);

/* Any thread. */
void loop__post(struct loop *l, struct loop_msg *m);

/* The rest: from the loop's own thread, or before it runs. */

/* Call fn when one of the epoll events happens. -errno. */
int loop__watch(struct loop *l, struct loop_fd *f, __u32 epoll_events);
/* Not an error when it is not watched. Does not close it. fn is not called any more. */
void loop__unwatch(struct loop *l, struct loop_fd *f);

void loop__add_poll(struct loop *l, struct loop_poll *p);
void loop__del_poll(struct loop *l, struct loop_poll *p);
/* Go on polling for so long after the last work before sleeping; 0 (at first): sleep at once. */
void loop__spin(struct loop *l, __u64 ns);

/* CLOCK_MONOTONIC as of the last time round, ns. */
__u64 loop__now(const struct loop *l);

#endif
