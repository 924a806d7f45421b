// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define BATCH 16

struct loop {
	int epoll;
	struct loop_fd inbox_fd;
	/* Messages, the last one first, by any thread. */
	struct loop_msg *_Atomic inbox;
	/* Nobody looks at the inbox before the eventfd is written. */
	_Atomic bool asleep;
	_Atomic bool stopping;
	struct loop_poll *polls, *next_poll;
	__u64 spin, now, worked;
	struct epoll_event *batch; /* being handled */
	int batched;
	pthread_t thread;
	bool threaded;
	char name[16];
};

static void read_clock(struct loop *l)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	l->now = t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void wake(struct loop *l)
{
	__u64 one = 1;

	/* Full (EAGAIN) is as good as written. */
	if (write(l->inbox_fd.fd, &one, sizeof(one)) < 0)
		return;
}

static void woken(struct loop_fd *f, __u32 events)
{
	__u64 n;

	if (read(f->fd, &n, sizeof(n)) < 0)
		return;
}

struct loop *loop__new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->inbox_fd = (struct loop_fd){eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), woken};
	if (l->epoll < 0 || l->inbox_fd.fd < 0 || loop__watch(l, &l->inbox_fd, EPOLLIN)) {
		loop__free(l);
		return NULL;
	}
	read_clock(l);
	return l;
}

void loop__free(struct loop *l)
{
	int err = errno;

	if (!l)
		return;
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->inbox_fd.fd >= 0)
		close(l->inbox_fd.fd);
	free(l);
	errno = err;
}

/* --- file descriptors --- */

int loop__watch(struct loop *l, struct loop_fd *f, __u32 epoll_events)
{
	struct epoll_event e = {.events = epoll_events, .data.ptr = f};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, f->fd, &e) ? -errno : 0;
}

void loop__unwatch(struct loop *l, struct loop_fd *f)
{
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, f->fd, NULL);
	/* It may be further on in the batch, and freed by then. */
	for (int i = 0; i < l->batched; i++)
		if (l->batch[i].data.ptr == f)
			l->batch[i].data.ptr = NULL;
}

static bool wait_fds(struct loop *l, int timeout)
{
	struct epoll_event batch[BATCH];
	int n = epoll_wait(l->epoll, batch, BATCH, timeout);

	atomic_store_explicit(&l->asleep, false, memory_order_relaxed);
	l->batch = batch;
	l->batched = n < 0 ? 0 : n;
	for (int i = 0; i < l->batched; i++) {
		struct loop_fd *f = batch[i].data.ptr;

		if (f)
			f->fn(f, batch[i].events);
	}
	l->batched = 0;
	return n > 0;
}

/* --- messages --- */

void loop__post(struct loop *l, struct loop_msg *m)
{
	struct loop_msg *first = atomic_load_explicit(&l->inbox, memory_order_relaxed);

	do
		m->next = first;
	while (!atomic_compare_exchange_weak(&l->inbox, &first, m));
	/* Either the loop sees the message before it sleeps, or this sees it asleep: both are
	 * sequentially consistent. */
	if (atomic_exchange(&l->asleep, false))
		wake(l);
}

static bool handle_messages(struct loop *l)
{
	struct loop_msg *m, *next, *in_order = NULL;

	if (!atomic_load_explicit(&l->inbox, memory_order_relaxed))
		return false;
	for (m = atomic_exchange(&l->inbox, NULL); m; m = next) {
		next = m->next;
		m->next = in_order;
		in_order = m;
	}
	for (m = in_order; m; m = next) {
		next = m->next;
		m->fn(m);
	}
	return true;
}

/* --- polling --- */

void loop__add_poll(struct loop *l, struct loop_poll *p)
{
	p->next = l->polls;
	l->polls = p;
}

void loop__del_poll(struct loop *l, struct loop_poll *p)
{
	for (struct loop_poll **at = &l->polls; *at; at = &(*at)->next) {
		if (*at != p)
			continue;
		*at = p->next;
		break;
	}
	if (l->next_poll == p)
		l->next_poll = p->next;
}

void loop__spin(struct loop *l, __u64 ns)
{
	l->spin = ns;
}

static bool poll_all(struct loop *l)
{
	bool worked = false;

	for (struct loop_poll *p = l->polls; p; p = l->next_poll) {
		l->next_poll = p->next;
		worked |= p->fn(p);
	}
	return worked;
}

static bool arm_all(struct loop *l)
{
	bool came = false;

	for (struct loop_poll *p = l->polls; p; p = p->next)
		came |= p->arm && p->arm(p);
	return came;
}

/* --- running --- */

static void sleep_for_work(struct loop *l)
{
	if (arm_all(l))
		return;
	atomic_store(&l->asleep, true);
	if (atomic_load(&l->inbox) || atomic_load(&l->stopping))
		atomic_store(&l->asleep, false);
	else
		wait_fds(l, -1);
}

static void once(struct loop *l)
{
	bool worked = handle_messages(l);

	worked |= poll_all(l);
	read_clock(l);
	if (worked)
		l->worked = l->now;
	else if (l->now - l->worked >= l->spin)
		sleep_for_work(l);
	else
		wait_fds(l, 0);
}

void loop__run(struct loop *l)
{
	while (!atomic_load_explicit(&l->stopping, memory_order_relaxed))
		once(l);
	atomic_store(&l->stopping, false);
}

bool loop__turn(struct loop *l)
{
	bool worked = handle_messages(l);

	worked |= poll_all(l);
	read_clock(l);
	return wait_fds(l, 0) || worked;
}

void loop__stop(struct loop *l)
{
	atomic_store(&l->stopping, true);
	wake(l);
}

static void *run_thread(void *arg)
{
	struct loop *l = arg;

	pthread_setname_np(pthread_self(), l->name);
	loop__run(l);
	return NULL;
}

int loop__start(struct loop *l, const char *name)
{
	sigset_t all, old;
	int err;

	snprintf(l->name, sizeof(l->name), "%s", name);
	sigfillset(&all);
	/* Sent for what the thread itself touched: see vhost/sigbus.h. */
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&l->thread, NULL, run_thread, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	l->threaded = !err;
	return -err;
}

void loop__join(struct loop *l)
{
	if (l->threaded)
		pthread_join(l->thread, NULL);
	l->threaded = false;
}

__u64 loop__now(const struct loop *l)
{
	return l->now;
}
