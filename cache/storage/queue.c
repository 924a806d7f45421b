// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to steps: what is short is continued, what the storage does not know is done another
 * way, what is too much at once waits. Engines carry out the steps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

#define DEFAULT_DEPTH 128
#define MAX_DEPTH 4096
/* Linux carries out less than 2 GiB at once. */
#define MAX_STEP (1ULL << 30)

#ifndef FALLOC_FL_NO_HIDE_STALE
#define FALLOC_FL_NO_HIDE_STALE 0x04
#endif

/* --- lists --- */

static void io_list__init(struct io_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static void io_list__append(struct io_list *l, struct storage_io *io)
{
	io->next = NULL;
	*l->end = io;
	l->end = &io->next;
}

static struct storage_io *io_list__pop(struct io_list *l)
{
	struct storage_io *io = l->first;

	if (!io)
		return NULL;
	l->first = io->next;
	if (!l->first)
		l->end = &l->first;
	return io;
}

/* --- ways to discard and to zero --- */

/*
 * From the best on. BLKDISCARD as an fallocate() mode of block devices was there from Linux 4.9
 * to 6.11; hole punching there is zeroing with permission to unmap.
 */
enum { WAY_DISCARD, WAY_PUNCH, WAY_ZERO, WAY_BY_HAND };

static const int modes[] = {
	[WAY_DISCARD] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE | FALLOC_FL_NO_HIDE_STALE,
	[WAY_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	[WAY_ZERO] = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
};

static bool way_suits(const struct storage_queue *q, const struct storage_io *io, int way)
{
	if (q->refused & 1U << way)
		return false;
	switch (way) {
	case WAY_DISCARD:
		return io->op == STORAGE_DISCARD && q->storage->info.block_device;
	case WAY_PUNCH:
		return io->op == STORAGE_DISCARD || io->unmap;
	case WAY_ZERO:
		return io->op == STORAGE_ZERO;
	default:
		return true;
	}
}

static int find_way(const struct storage_queue *q, const struct storage_io *io)
{
	int way = WAY_DISCARD;

	while (!way_suits(q, io, way))
		way++;
	return way;
}

/* --- from request to step --- */

static struct storage_step transfer(const struct storage_io *io, int kind, const void *buffer,
				    __u64 max)
{
	__u64 left = io->bytes - io->so_far;

	return (struct storage_step){
		.kind = kind,
		.buffer = (char *)buffer,
		.offset = io->offset + io->so_far,
		.bytes = left < max ? left : max,
	};
}

/* false: there is nothing to do. */
static bool next_step(const struct storage_queue *q, struct storage_io *io,
		      struct storage_step *step)
{
	switch (io->op) {
	case STORAGE_READ:
		*step = transfer(io, STEP_READ, (char *)io->buffer + io->so_far, MAX_STEP);
		return true;
	case STORAGE_WRITE:
		*step = transfer(io, STEP_WRITE, (char *)io->buffer + io->so_far, MAX_STEP);
		return true;
	case STORAGE_FLUSH:
		*step = (struct storage_step){.kind = STEP_SYNC};
		return true;
	default:
		break;
	}
	io->way = find_way(q, io);
	if (io->way != WAY_BY_HAND) {
		*step = transfer(io, STEP_ALLOCATE, NULL, io->bytes);
		step->mode = modes[io->way];
		return true;
	}
	/* A discard that the storage can't do has done all it must. */
	if (io->op == STORAGE_DISCARD)
		return false;
	*step = transfer(io, STEP_WRITE, q->storage->zeroes, STORAGE_ZEROES);
	return true;
}

static int check(const struct storage_info *info, const struct storage_io *io)
{
	if (io->op == STORAGE_FLUSH)
		return 0;
	if (io->op != STORAGE_READ && info->read_only)
		return -EROFS;
	if ((io->offset | io->bytes) % info->block_bytes || io->offset > info->bytes ||
	    io->bytes > info->bytes - io->offset)
		return -EINVAL;
	return 0;
}

static void finish_later(struct storage_queue *q, struct storage_io *io, int err)
{
	io->err = err;
	io_list__append(&q->finished, io);
}

static void start(struct storage_queue *q, struct storage_io *io)
{
	struct storage_step step;

	if (!next_step(q, io, &step)) {
		finish_later(q, io, 0);
		return;
	}
	q->under_way++;
	q->ops->start(q, io, &step);
}

/* --- from step to request --- */

static void end(struct storage_queue *q, struct storage_io *io, int err)
{
	q->in_flight--;
	q->ended++;
	io->done(io, err);
}

/* Bytes were transferred: 1: there are more. None, or less than a block: the image ends here, it
 * was longer when it was opened. */
static int transferred(const struct storage_queue *q, struct storage_io *io, unsigned bytes)
{
	bytes -= bytes % q->storage->info.block_bytes;
	if (!bytes)
		return -EIO;
	io->so_far += bytes;
	return io->so_far < io->bytes;
}

static bool is_refusal(int res)
{
	return res == -EOPNOTSUPP || res == -ENOSYS || res == -ENOTTY;
}

/* 1: the request goes on. */
static int stepped(struct storage_queue *q, struct storage_io *io, int res)
{
	bool range = io->op == STORAGE_DISCARD || io->op == STORAGE_ZERO;

	if (res == -EINTR || res == -EAGAIN)
		return 1;
	if (range && io->way != WAY_BY_HAND) {
		if (!is_refusal(res))
			return res;
		q->refused |= 1U << io->way;
		return 1;
	}
	if (res < 0 || io->op == STORAGE_FLUSH)
		return res;
	return transferred(q, io, res);
}

void storage_queue__stepped(struct storage_queue *q, struct storage_io *io, int res)
{
	int err = stepped(q, io, res);

	q->under_way--;
	if (err > 0)
		io_list__append(&q->waiting, io);
	else
		end(q, io, err);
}

/* --- the queue --- */

static int open_engine(struct storage_queue *q, const struct engine_ops *ops,
		       const struct storage_queue_opts *o)
{
	int err;

	q->ops = ops;
	q->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = q->event_fd < 0 ? -errno : ops->open(q, o);
	if (!err)
		return 0;
	ops->close(q);
	if (q->event_fd >= 0)
		close(q->event_fd);
	return err;
}

static int open_either(struct storage_queue *q, const struct storage_queue_opts *o)
{
	if (o->engine == STORAGE_THREADS)
		return open_engine(q, &threads_engine, o);
	if (o->engine == STORAGE_URING)
		return open_engine(q, &uring_engine, o);
	return open_engine(q, &uring_engine, o) ? open_engine(q, &threads_engine, o) : 0;
}

int storage_queue__new(struct storage_queue **out, struct storage *s,
		       const struct storage_queue_opts *o)
{
	struct storage_queue *q;
	int err;

	if (o->depth > MAX_DEPTH)
		return -EINVAL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->storage = s;
	q->depth = o->depth ? o->depth : DEFAULT_DEPTH;
	io_list__init(&q->waiting);
	io_list__init(&q->finished);
	err = open_either(q, o);
	if (err)
		free(q);
	else
		*out = q;
	return err;
}

void storage_queue__free(struct storage_queue *q)
{
	if (!q)
		return;
	q->ops->close(q);
	close(q->event_fd);
	free(q);
}

const char *storage_queue__engine(const struct storage_queue *q)
{
	return q->ops->name;
}

void storage_queue__add(struct storage_queue *q, struct storage_io *io)
{
	int err = check(&q->storage->info, io);

	io->so_far = 0;
	q->in_flight++;
	if (err || (!io->bytes && io->op != STORAGE_FLUSH))
		finish_later(q, io, err);
	else
		io_list__append(&q->waiting, io);
}

void storage_queue__submit(struct storage_queue *q)
{
	while (q->waiting.first && q->under_way < q->depth)
		start(q, io_list__pop(&q->waiting));
	q->ops->submit(q);
}

/* Only those that are there now: done() may add others that end as fast. */
static void end_finished(struct storage_queue *q)
{
	struct storage_io *io, *next;

	io = q->finished.first;
	io_list__init(&q->finished);
	for (; io; io = next) {
		next = io->next;
		end(q, io, io->err);
	}
}

/* Something waits that there is a place for. */
static bool may_start(const struct storage_queue *q)
{
	return q->waiting.first && q->under_way < q->depth;
}

/* Before looking for what ended. A wake-up may come later than what it is for: then it is read the
 * next time. */
static void forget_wake_up(const struct storage_queue *q)
{
	__u64 n;

	if (read(q->event_fd, &n, sizeof(n)) < 0)
		return;
}

unsigned storage_queue__reap(struct storage_queue *q)
{
	unsigned before = q->ended;

	if (q->armed)
		forget_wake_up(q);
	if (!q->in_flight)
		return 0;
	end_finished(q);
	q->ops->reap(q);
	if (may_start(q))
		storage_queue__submit(q);
	if (q->armed && q->ended != before) {
		q->armed = false;
		q->ops->disarm(q);
	}
	return q->ended - before;
}

int storage_queue__fd(const struct storage_queue *q)
{
	return q->event_fd;
}

bool storage_queue__arm(struct storage_queue *q)
{
	q->armed = true;
	return q->ops->arm(q) || q->finished.first || may_start(q);
}

unsigned storage_queue__in_flight(const struct storage_queue *q)
{
	return q->in_flight;
}
