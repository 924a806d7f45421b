/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The storage of a served disk: a raw image file or a block device, read and written directly
 * (O_DIRECT), with many requests at once.
 *
 * An image is locked as QEMU locks its own (block/file-posix.c: open file description locks on
 * bytes 100.. for what is used, 200.. for what is not shared), so neither can open what the other
 * one writes to. The lock lasts until the last request in flight is done, even when the process
 * was killed before: a server that is started again waits for that.
 */
#ifndef HVTRACE_STORAGE_H
#define HVTRACE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <linux/types.h>

struct storage;

struct storage_opts {
	size_t sz; /* sizeof(struct storage_opts) */
	const char *path;
	bool read_only;
	/* Seconds to wait for another one's lock to go. When a process is killed, the kernel takes
	 * some 50 ms to close its rings, and with them the image. */
	double patience;
	/* Others may have the file open for writing: what they do is the caller's affair. Locks
	 * count nevertheless. */
	bool shared;
	/* Asked while it waits: true ends that. NULL: never. */
	bool (*told_to_end)(void);
};

/* -errno (-EINTR: it was told to end), with a sentence in why that says what is wrong with which
 * path and what to do. */
int storage__open(struct storage **out, const struct storage_opts *o, char *why, size_t size);
/* No queue may be left. NULL is fine. */
void storage__close(struct storage *s);

/* Whether both are the same file or device. */
struct stat;
bool storage__same_image(const struct stat *a, const struct stat *b);

struct storage_info {
	__u64 bytes;	   /* a multiple of block_bytes */
	__u32 block_bytes; /* offsets and lengths are multiples of it: 512 to 4096 */
	bool read_only;
	bool block_device;
	bool locked;  /* false: the file system knows no locks, nobody is kept out */
	bool direct;  /* false: the file system knows no O_DIRECT, the page cache is between */
	bool discard; /* STORAGE_DISCARD works */
	__u32 discard_align; /* bytes, what discards should be multiples of */
	dev_t dev;	     /* of the block device itself, or of the file system the file is on */
	ino_t ino;	     /* 0: block device */
	int fd;		     /* for FIEMAP and the like; stays the storage's */
};
const struct storage_info *storage__info(const struct storage *s);

/* --- requests: a queue belongs to one thread, the one that submits first --- */

enum storage_op {
	STORAGE_READ,
	STORAGE_WRITE,
	STORAGE_FLUSH,	 /* what was written is on stable storage */
	STORAGE_DISCARD, /* contents undefined from now on, here: zeroes or as they were */
	STORAGE_ZERO,	 /* reads as zeroes from now on; may give space back if `unmap` */
};

/* Belongs to the queue from add to done. Buffers are aligned to block_bytes. */
struct storage_io {
	enum storage_op op;
	bool unmap;
	__u64 offset, bytes;
	void *buffer; /* READ, WRITE: one, contiguous */
	/* In the queue's thread, from storage_queue__reap(). 0 or -errno; done whole or failed. */
	void (*done)(struct storage_io *io, int err);

	/* the queue's */
	struct storage_io *next;
	__u64 so_far;
	int way; /* of the several to discard or zero */
	int err;
};

enum storage_engine { STORAGE_AUTO, STORAGE_URING, STORAGE_THREADS };

struct storage_queue;

struct storage_queue_opts {
	size_t sz;	/* sizeof(struct storage_queue_opts) */
	unsigned depth; /* requests at once in the kernel; more wait in the queue. 0 = 128 */
	enum storage_engine engine; /* AUTO: io_uring, or threads where that is refused */
	void *buffers; /* memory that most buffers lie in: registered with io_uring if it lets us */
	size_t buffers_bytes;
};

/* -errno. */
int storage_queue__new(struct storage_queue **out, struct storage *s,
		       const struct storage_queue_opts *o);
/* Nothing may be in flight. NULL is fine. */
void storage_queue__free(struct storage_queue *q);
/* "io_uring" or "threads". */
const char *storage_queue__engine(const struct storage_queue *q);

/* Take a request; it is not issued before submit. Never fails: errors come through done. */
void storage_queue__add(struct storage_queue *q, struct storage_io *io);
void storage_queue__submit(struct storage_queue *q);
/* Call done() of what is complete (done may add more: submit again after). How many. Cheap when
 * there is none. */
unsigned storage_queue__reap(struct storage_queue *q);
/* Readable (eventfd) when there is something to reap, if armed: until then, and after it was
 * readable, no wake-ups are asked for. arm: true when something is there to be reaped already. */
int storage_queue__fd(const struct storage_queue *q);
bool storage_queue__arm(struct storage_queue *q);
unsigned storage_queue__in_flight(const struct storage_queue *q);

#endif
