// SPDX-License-Identifier: GPL-2.0
/* The engine for steps of choice: io_uring. */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define BATCH 64
/* The kernel registers up to 1 GiB as one buffer, and 16384 of these. */
#define BUFFER_MAX (1UL << 30)
#define MAX_BUFFERS 64

struct uring {
	struct io_uring ring;
	bool there, enabled;
	char *buffers; /* registered ones, in pieces of BUFFER_MAX */
	size_t buffers_bytes;
};

/*
 * What makes a ring cheaper, the best first: completions are handled in this thread when it asks
 * for them (Linux 6.1: c0e0d6ba25f1); at least not by interrupting it (5.19: e1169f06d5bf). With
 * the first, only the thread that enables the ring may submit, so it starts disabled.
 */
static const unsigned setups[] = {
	IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_COOP_TASKRUN,
	IORING_SETUP_R_DISABLED,
};

static int set_up(struct uring *u, unsigned depth)
{
	int err = -EINVAL;

	for (unsigned i = 0; err == -EINVAL && i < sizeof(setups) / sizeof(*setups); i++)
		err = io_uring_queue_init(depth, &u->ring, setups[i]);
	u->there = !err;
	return err;
}

/* Pinned once instead of at each request. It may be refused (RLIMIT_MEMLOCK): go without. */
static void register_buffers(struct uring *u, const struct storage_queue_opts *o)
{
	struct iovec iov[MAX_BUFFERS];
	size_t at = 0;
	unsigned n;

	for (n = 0; n < MAX_BUFFERS && at < o->buffers_bytes; n++) {
		size_t left = o->buffers_bytes - at, bytes = left < BUFFER_MAX ? left : BUFFER_MAX;

		iov[n] = (struct iovec){(char *)o->buffers + at, bytes};
		at += bytes;
	}
	if (!n || io_uring_register_buffers(&u->ring, iov, n))
		return;
	u->buffers = o->buffers;
	u->buffers_bytes = at;
}

static int uring__open(struct storage_queue *q, const struct storage_queue_opts *o)
{
	struct uring *u = calloc(1, sizeof(*u));
	int err;

	q->engine = u;
	if (!u)
		return -ENOMEM;
	err = set_up(u, q->depth)
		      ?: io_uring_register_files(&u->ring, &q->storage->info.fd, 1)
		      ?: io_uring_register_eventfd(&u->ring, q->event_fd)
		      ?: io_uring_cq_eventfd_toggle(&u->ring, false);
	if (!err)
		register_buffers(u, o);
	return err;
}

static void uring__close(struct storage_queue *q)
{
	struct uring *u = q->engine;

	if (u && u->there) {
		/* The kernel ends a ring later than this, and has the file open as long. */
		io_uring_unregister_files(&u->ring);
		io_uring_queue_exit(&u->ring);
	}
	free(u);
	q->engine = NULL;
}

/* Which registered buffer the bytes lie in, -1: none. */
static int find_buffer(const struct uring *u, const struct storage_step *s)
{
	size_t at = s->buffer - u->buffers;

	if (!u->buffers || s->buffer < u->buffers || at >= u->buffers_bytes ||
	    s->bytes > u->buffers_bytes - at || at / BUFFER_MAX != (at + s->bytes - 1) / BUFFER_MAX)
		return -1;
	return at / BUFFER_MAX;
}

static void prepare_transfer(const struct uring *u, struct io_uring_sqe *sqe,
			     const struct storage_step *s)
{
	int buffer = find_buffer(u, s);

	if (s->kind == STEP_READ && buffer >= 0)
		io_uring_prep_read_fixed(sqe, 0, s->buffer, s->bytes, s->offset, buffer);
	else if (s->kind == STEP_READ)
		io_uring_prep_read(sqe, 0, s->buffer, s->bytes, s->offset);
	else if (buffer >= 0)
		io_uring_prep_write_fixed(sqe, 0, s->buffer, s->bytes, s->offset, buffer);
	else
		io_uring_prep_write(sqe, 0, s->buffer, s->bytes, s->offset);
}

static void uring__start(struct storage_queue *q, struct storage_io *io,
			 const struct storage_step *s)
{
	struct uring *u = q->engine;
	/* There is one: the ring has as many as there are steps. */
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (s->kind == STEP_SYNC)
		io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
	else if (s->kind == STEP_ALLOCATE)
		io_uring_prep_fallocate(sqe, 0, s->mode, s->offset, s->bytes);
	else
		prepare_transfer(u, sqe, s);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, io);
}

/* In the thread that submits. liburing before 2.4 keeps its own call for it to itself. A ring's
 * descriptor that is registered saves looking it up each time; it can do without. */
static void enable(struct uring *u)
{
	u->enabled = !syscall(__NR_io_uring_register, u->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS,
			      NULL, 0);
	if (u->enabled)
		io_uring_register_ring_fd(&u->ring);
}

/* What the kernel has no memory for stays in the ring, for the next time: see arm(). */
static void uring__submit(struct storage_queue *q)
{
	struct uring *u = q->engine;

	if (!io_uring_sq_ready(&u->ring))
		return;
	if (!u->enabled)
		enable(u);
	while (io_uring_sq_ready(&u->ring) && io_uring_submit(&u->ring) > 0)
		;
}

static void uring__reap(struct storage_queue *q)
{
	struct uring *u = q->engine;
	struct io_uring_cqe *cqe[BATCH];
	struct storage_io *io[BATCH];
	int res[BATCH];
	unsigned n = io_uring_peek_batch_cqe(&u->ring, cqe, BATCH);

	for (unsigned i = 0; i < n; i++) {
		io[i] = io_uring_cqe_get_data(cqe[i]);
		res[i] = cqe[i]->res;
	}
	io_uring_cq_advance(&u->ring, n);
	for (unsigned i = 0; i < n; i++)
		storage_queue__stepped(q, io[i], res[i]);
	uring__submit(q);
}

static bool something_there(const struct uring *u)
{
	return io_uring_cq_ready(&u->ring) || io_uring_sq_ready(&u->ring) ||
	       IO_URING_READ_ONCE(*u->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static bool uring__arm(struct storage_queue *q)
{
	struct uring *u = q->engine;

	io_uring_cq_eventfd_toggle(&u->ring, true);
	/* The flag before looking, as the kernel posts before it looks at the flag. */
	atomic_thread_fence(memory_order_seq_cst);
	return something_there(u);
}

static void uring__disarm(struct storage_queue *q)
{
	struct uring *u = q->engine;

	io_uring_cq_eventfd_toggle(&u->ring, false);
}

const struct engine_ops uring_engine = {
	.name = "io_uring",
	.open = uring__open,
	.close = uring__close,
	.start = uring__start,
	.submit = uring__submit,
	.reap = uring__reap,
	.arm = uring__arm,
	.disarm = uring__disarm,
};
