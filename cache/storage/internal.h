/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of this folder know of each other. */
#ifndef HVTRACE_STORAGE_INTERNAL_H
#define HVTRACE_STORAGE_INTERNAL_H

#include "storage.h"

#define STORAGE_ZEROES (1UL << 20)

struct storage {
	struct storage_info info;
	const void *zeroes; /* STORAGE_ZEROES of them, to write where they can't be had otherwise */
};

struct sentence {
	char *text;
	size_t size;
};
/* Returns err. */
__attribute__((format(printf, 3, 4))) int sentence__say(struct sentence *why, int err,
							const char *format, ...);

/* Lock the open image as QEMU does. Sets info->locked: whether its file system has locks at all.
 * -EBUSY; -errno of locks that ought to work; with a sentence. */
int image_lock__take(struct storage_info *info, const char *path, struct sentence *why);
void image_lock__drop(int fd);

/* Somebody has the file open for writing. To be asked before we have. */
bool other_users__write(const char *path);
/* Somebody may write to the open image, locks or not; written: what the one above said. -EBUSY,
 * with a sentence. */
int other_users__refuse(const struct storage_info *info, const char *path, bool written,
			struct sentence *why);

/* -EMEDIUMTYPE, with a sentence: the open image is of a format that is not raw. */
int image_format__check(const struct storage_info *info, const char *path, struct sentence *why);

/* Fill in what there is to know of the open file: all of info but fd, read_only, direct and
 * locked, which are there. -errno, with a sentence. */
int geometry__find(struct storage_info *info, const char *path, struct sentence *why);

/* --- queues --- */

/* What is done at once of a request: one system call, so to say. */
struct storage_step {
	enum { STEP_READ, STEP_WRITE, STEP_SYNC, STEP_ALLOCATE } kind;
	int mode; /* of fallocate() */
	char *buffer;
	__u64 offset, bytes;
};

/* Carries out steps. One thread calls these. */
struct engine_ops {
	const char *name;
	/* Sets q->engine; whatever it set is closed by close(), even when this fails. -errno. */
	int (*open)(struct storage_queue *q, const struct storage_queue_opts *o);
	void (*close)(struct storage_queue *q);
	/* At most depth steps are under way. Carried out after submit(). */
	void (*start)(struct storage_queue *q, struct storage_io *io,
		      const struct storage_step *step);
	void (*submit)(struct storage_queue *q);
	/* Calls storage_queue__stepped() for each step that ended. */
	void (*reap)(struct storage_queue *q);
	/* Write event_fd when a step ends from now on. true: one has already. */
	bool (*arm)(struct storage_queue *q);
	void (*disarm)(struct storage_queue *q);
};

extern const struct engine_ops uring_engine, threads_engine;

struct io_list {
	struct storage_io *first, **end;
};

struct storage_queue {
	struct storage *storage;
	const struct engine_ops *ops;
	void *engine; /* the ops' own */
	int event_fd;
	bool armed;
	unsigned depth;
	unsigned under_way;	 /* steps of the engine */
	unsigned in_flight;	 /* requests, in whatever state */
	unsigned ended;		 /* requests, ever */
	unsigned refused;	 /* ways that the storage does not know: bits */
	struct io_list waiting;	 /* for a place in the engine */
	struct io_list finished; /* without one: done() is still to be called */
};

/* A step ended, with the result of the system call or -errno. Calls done() if the request has. */
void storage_queue__stepped(struct storage_queue *q, struct storage_io *io, int res);

#endif
