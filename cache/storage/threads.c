// SPDX-License-Identifier: GPL-2.0
/* The engine for steps where io_uring is refused: threads that block. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#define THREADS 8

struct job {
	struct job *next;
	struct storage_io *io;
	struct storage_step step;
	int res;
};

struct threads {
	int fd, event_fd;
	unsigned nr;
	pthread_t thread[THREADS];
	/* The queue's thread's. */
	struct job *jobs, *unused;
	struct job *prepared, **prepared_end;
	unsigned nr_prepared;
	/* Under the lock. some_done is looked at without. */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *todo, **todo_end, *done;
	_Atomic bool some_done;
	bool armed, stopping;
};

/* --- in the threads --- */

static int carry_out(int fd, const struct storage_step *s)
{
	ssize_t n = -1;

	switch (s->kind) {
	case STEP_READ:
		n = pread(fd, s->buffer, s->bytes, s->offset);
		break;
	case STEP_WRITE:
		n = pwrite(fd, s->buffer, s->bytes, s->offset);
		break;
	case STEP_SYNC:
		n = fdatasync(fd);
		break;
	case STEP_ALLOCATE:
		n = fallocate(fd, s->mode, s->offset, s->bytes);
		break;
	}
	return n < 0 ? -errno : n;
}

/* With the lock. NULL: the threads are to end. */
static struct job *next_job(struct threads *t)
{
	struct job *j;

	while (!t->todo && !t->stopping)
		pthread_cond_wait(&t->work, &t->lock);
	j = t->todo;
	if (!j)
		return NULL;
	t->todo = j->next;
	if (!t->todo)
		t->todo_end = &t->todo;
	return j;
}

/* With the lock. */
static void job_done(struct threads *t, struct job *j)
{
	__u64 one = 1;

	j->next = t->done;
	t->done = j;
	atomic_store_explicit(&t->some_done, true, memory_order_relaxed);
	if (t->armed && write(t->event_fd, &one, sizeof(one)) == sizeof(one))
		t->armed = false;
}

static void *run(void *arg)
{
	struct threads *t = arg;
	struct job *j;

	pthread_mutex_lock(&t->lock);
	while ((j = next_job(t))) {
		pthread_mutex_unlock(&t->lock);
		j->res = carry_out(t->fd, &j->step);
		pthread_mutex_lock(&t->lock);
		job_done(t, j);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* --- in the queue's thread --- */

static int start_threads(struct threads *t)
{
	sigset_t all, old;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!err && t->nr < THREADS) {
		err = pthread_create(&t->thread[t->nr], NULL, run, t);
		t->nr += !err;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	/* Fewer do as well. */
	return t->nr ? 0 : -err;
}

static int threads__open(struct storage_queue *q, const struct storage_queue_opts *o)
{
	struct threads *t = calloc(1, sizeof(*t));

	q->engine = t;
	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->work, NULL);
	t->fd = q->storage->info.fd;
	t->event_fd = q->event_fd;
	t->todo_end = &t->todo;
	t->prepared_end = &t->prepared;
	t->jobs = calloc(q->depth, sizeof(*t->jobs));
	if (!t->jobs)
		return -ENOMEM;
	for (unsigned i = 0; i < q->depth; i++) {
		t->jobs[i].next = t->unused;
		t->unused = &t->jobs[i];
	}
	return start_threads(t);
}

static void threads__close(struct storage_queue *q)
{
	struct threads *t = q->engine;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stopping = true;
	pthread_cond_broadcast(&t->work);
	pthread_mutex_unlock(&t->lock);
	while (t->nr)
		pthread_join(t->thread[--t->nr], NULL);
	pthread_cond_destroy(&t->work);
	pthread_mutex_destroy(&t->lock);
	free(t->jobs);
	free(t);
	q->engine = NULL;
}

static void threads__start(struct storage_queue *q, struct storage_io *io,
			   const struct storage_step *step)
{
	struct threads *t = q->engine;
	struct job *j = t->unused; /* there are as many as steps */

	t->unused = j->next;
	*j = (struct job){.io = io, .step = *step};
	*t->prepared_end = j;
	t->prepared_end = &j->next;
	t->nr_prepared++;
}

static void threads__submit(struct storage_queue *q)
{
	struct threads *t = q->engine;

	if (!t->prepared)
		return;
	pthread_mutex_lock(&t->lock);
	*t->todo_end = t->prepared;
	t->todo_end = t->prepared_end;
	for (; t->nr_prepared; t->nr_prepared--)
		pthread_cond_signal(&t->work);
	pthread_mutex_unlock(&t->lock);
	t->prepared = NULL;
	t->prepared_end = &t->prepared;
}

static struct job *take_done(struct threads *t)
{
	struct job *done;

	if (!atomic_load_explicit(&t->some_done, memory_order_relaxed))
		return NULL;
	pthread_mutex_lock(&t->lock);
	done = t->done;
	t->done = NULL;
	atomic_store_explicit(&t->some_done, false, memory_order_relaxed);
	pthread_mutex_unlock(&t->lock);
	return done;
}

static void threads__reap(struct storage_queue *q)
{
	struct threads *t = q->engine;
	struct job *j, *next;

	for (j = take_done(t); j; j = next) {
		struct storage_io *io = j->io;
		int res = j->res;

		next = j->next;
		j->next = t->unused;
		t->unused = j;
		storage_queue__stepped(q, io, res);
	}
}

static bool set_armed(struct threads *t, bool armed)
{
	bool done;

	pthread_mutex_lock(&t->lock);
	t->armed = armed;
	done = t->done;
	pthread_mutex_unlock(&t->lock);
	return done;
}

static bool threads__arm(struct storage_queue *q)
{
	return set_armed(q->engine, true);
}

static void threads__disarm(struct storage_queue *q)
{
	set_armed(q->engine, false);
}

const struct engine_ops threads_engine = {
	.name = "threads",
	.open = threads__open,
	.close = threads__close,
	.start = threads__start,
	.submit = threads__submit,
	.reap = threads__reap,
	.arm = threads__arm,
	.disarm = threads__disarm,
};
