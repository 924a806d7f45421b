// SPDX-License-Identifier: GPL-2.0
#include "loop_timer.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void expired(struct loop_fd *f, __u32 events)
{
	struct loop_timer *t = (struct loop_timer *)f; /* its first member */
	__u64 times;

	/* Set anew since it expired: not now. */
	if (read(f->fd, &times, sizeof(times)) == sizeof(times))
		t->fn(t);
}

int loop_timer__open(struct loop_timer *t, struct loop *l, void (*fn)(struct loop_timer *t))
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	*t = (struct loop_timer){.fd = {fd, expired}, .loop = l, .fn = fn};
	err = loop__watch(l, &t->fd, EPOLLIN);
	if (err) {
		close(fd);
		*t = (struct loop_timer){0};
	}
	return err;
}

void loop_timer__close(struct loop_timer *t)
{
	if (!t->loop)
		return;
	loop__unwatch(t->loop, &t->fd);
	close(t->fd.fd);
	*t = (struct loop_timer){0};
}

static struct timespec to_timespec(double seconds)
{
	return (struct timespec){.tv_sec = seconds, .tv_nsec = (seconds - (__s64)seconds) * 1e9};
}

void loop_timer__set(struct loop_timer *t, double first, double every)
{
	struct itimerspec spec = {to_timespec(every), to_timespec(first)};

	/* Zero would stop it. */
	if (!spec.it_value.tv_sec && !spec.it_value.tv_nsec)
		spec.it_value.tv_nsec = 1;
	timerfd_settime(t->fd.fd, 0, &spec, NULL);
}

void loop_timer__stop(struct loop_timer *t)
{
	struct itimerspec never = {0};

	timerfd_settime(t->fd.fd, 0, &never, NULL);
}
