// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "closer.h"

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

struct job {
	int fd;
	bool signal; /* before it is closed */
};

struct closer {
	struct loop *loop;
	void (*idle)(void *ctx);
	void *ctx;
	struct loop_msg told;

	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t changed;
	struct job jobs[CLOSER_FDS];
	unsigned nr, left; /* waiting; with the one that is being done */
	bool telling, ending;
};

/* --- its thread --- */

/* What becomes of it is the front end's affair. */
static void signal_fd(int fd)
{
	__u64 one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void do_job(const struct job *j)
{
	if (j->signal)
		signal_fd(j->fd);
	close(j->fd);
}

static void do_next(struct closer *c)
{
	struct job j = c->jobs[--c->nr];

	pthread_mutex_unlock(&c->lock);
	do_job(&j);
	pthread_mutex_lock(&c->lock);
	if (--c->left || c->telling || c->ending)
		return;
	c->telling = true;
	loop__post(c->loop, &c->told);
}

static void destroy(struct closer *c)
{
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void *run(void *arg)
{
	struct closer *c = arg;

	pthread_mutex_lock(&c->lock);
	while (c->nr || c->telling || !c->ending) {
		if (c->nr)
			do_next(c);
		else
			pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	destroy(c);
	return NULL;
}

/* --- the loop --- */

static void on_told(struct loop_msg *m)
{
	struct closer *c = container_of(m, struct closer, told);
	bool idle;

	pthread_mutex_lock(&c->lock);
	c->telling = false;
	idle = !c->left && !c->ending;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	/* Unless it ends it is still there. */
	if (idle)
		c->idle(c->ctx);
}

static bool add(struct closer *c, int fd, bool signal)
{
	bool has_room;

	pthread_mutex_lock(&c->lock);
	has_room = c->nr < CLOSER_FDS;
	if (has_room) {
		c->jobs[c->nr++] = (struct job){fd, signal};
		c->left++;
		pthread_cond_signal(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return has_room;
}

void closer__close(struct closer *c, int fd)
{
	if (fd >= 0 && !add(c, fd, false))
		close(fd);
}

void closer__signal(struct closer *c, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy >= 0 && add(c, copy, true))
		return;
	/* No more files can be opened: an interrupt that is lost is a guest that hangs. */
	signal_fd(fd);
	if (copy >= 0)
		close(copy);
}

bool closer__is_idle(struct closer *c)
{
	bool idle;

	pthread_mutex_lock(&c->lock);
	idle = !c->left;
	pthread_mutex_unlock(&c->lock);
	return idle;
}

/* --- life --- */

static int start(struct closer *c)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	int err;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setsigmask_np(&attr, &all);
	err = pthread_create(&thread, &attr, run, c);
	pthread_attr_destroy(&attr);
	return err;
}

struct closer *closer__new(struct loop *loop, void (*idle)(void *ctx), void *ctx)
{
	struct closer *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return NULL;
	c->loop = loop;
	c->idle = idle;
	c->ctx = ctx;
	c->told.fn = on_told;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	err = start(c);
	if (!err)
		return c;
	destroy(c);
	errno = err;
	return NULL;
}

void closer__free(struct closer *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}
