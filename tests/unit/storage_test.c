// SPDX-License-Identifier: GPL-2.0
/*
 * Storage: what is refused, locks, and requests against a model of the image, over both engines.
 * Files of a real file system and of tmpfs; loop devices, too, when root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cache/storage/storage.h"
#include "loop_device.h"
#include "random.h"
#include "skips.h"

#define KIB 1024UL
#define MIB (1024 * KIB)
#define NOBODY 65534

/* --- images --- */

static char folder[200];

static int make_folder(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/storage_test.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(folder) ? chmod(folder, 0755) : -1;
}

static int remove_folder(void **state)
{
	return rmdir(folder);
}

struct image {
	char path[256];
	size_t bytes;
};

static struct image image__in(const char *where, size_t bytes)
{
	struct image i = {.bytes = bytes};
	int fd;

	snprintf(i.path, sizeof(i.path), "%s/hvtrace_image.XXXXXX", where);
	fd = mkostemp(i.path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	close(fd);
	return i;
}

static struct image image__new(size_t bytes)
{
	return image__in(folder, bytes);
}

static void image__remove(const struct image *i)
{
	assert_int_equal(unlink(i->path), 0);
}

/* --- storage, queues --- */

static char why[512];

static int try_open(struct storage **out, const char *path, bool read_only, double patience)
{
	struct storage_opts o = {
		.sz = sizeof(o), .path = path, .read_only = read_only, .patience = patience};

	why[0] = '\0';
	return storage__open(out, &o, why, sizeof(why));
}

static struct storage *open_image(const char *path)
{
	struct storage *s;
	int err = try_open(&s, path, false, 0);

	if (err)
		fail_msg("%s: %s", path, why);
	return s;
}

static struct storage_queue *new_queue(struct storage *s, enum storage_engine engine,
				       unsigned depth)
{
	struct storage_queue_opts o = {.sz = sizeof(o), .depth = depth, .engine = engine};
	struct storage_queue *q;

	assert_int_equal(storage_queue__new(&q, s, &o), 0);
	return q;
}

static void wait_once(struct storage_queue *q)
{
	struct pollfd p = {.fd = storage_queue__fd(q), .events = POLLIN};

	if (!storage_queue__reap(q) && !storage_queue__arm(q))
		assert_int_equal(poll(&p, 1, 60000), 1);
}

static void wait_all(struct storage_queue *q)
{
	while (storage_queue__in_flight(q))
		wait_once(q);
}

/* A request of its own, and how it ended. */
struct single {
	struct storage_io io;
	int times, err;
};

static void single_done(struct storage_io *io, int err)
{
	struct single *s = (struct single *)io;

	s->times++;
	s->err = err;
}

static int request(struct storage_queue *q, enum storage_op op, __u64 offset, __u64 bytes,
		   void *buffer)
{
	struct single s = {.io = {.op = op,
				  .offset = offset,
				  .bytes = bytes,
				  .buffer = buffer,
				  .done = single_done}};

	storage_queue__add(q, &s.io);
	assert_int_equal(s.times, 0);
	storage_queue__submit(q);
	assert_int_equal(s.times, 0);
	wait_all(q);
	assert_int_equal(s.times, 1);
	return s.err;
}

static char *buffer__new(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static bool is_all(const char *p, char byte, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i] != byte)
			return false;
	return true;
}

static const enum storage_engine engines[] = {STORAGE_URING, STORAGE_THREADS};
#define for_each_engine(e) for (const enum storage_engine *e = engines; e < engines + 2; e++)

/* --- what is refused --- */

static void check_refused(const char *path, int err, const char *says)
{
	struct storage *s;

	assert_int_equal(try_open(&s, path, false, 0), err);
	assert_non_null(strstr(why, path));
	if (!strstr(why, says))
		fail_msg("\"%s\" does not say \"%s\"", why, says);
	assert_null(strchr(why, '\n'));
}

static void test_refused(void **state)
{
	struct image empty = image__new(0), odd = image__new(1000);
	char missing[300];

	snprintf(missing, sizeof(missing), "%s/missing", folder);
	check_refused(missing, -ENOENT, "no such image");
	check_refused(folder, -EISDIR, "directory");
	check_refused("/dev/null", -ENOTBLK, "neither");
	check_refused(empty.path, -EINVAL, "empty");
	check_refused(odd.path, -EINVAL, "not a multiple of its block size");
	image__remove(&odd);
	image__remove(&empty);
}

/* Runs fn in a process of its own, as who is nobody if this is root. */
static void in_child(void (*fn)(const char *path), const char *path, bool as_nobody)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (as_nobody && !geteuid() && setresuid(NOBODY, NOBODY, NOBODY))
			_exit(99);
		fn(path);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* In a child: cmocka's assertions belong to the parent. */
static void must(bool true_, int line)
{
	if (true_)
		return;
	fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, line, why);
	_exit(1);
}
#define MUST(what) must(what, __LINE__)

static void open_read_only_file(const char *path)
{
	struct storage *s;

	MUST(try_open(&s, path, false, 0) == -EACCES);
	MUST(strstr(why, "(ro)"));
	MUST(!try_open(&s, path, true, 0));
	storage__close(s);
}

static void open_unreadable_file(const char *path)
{
	struct storage *s;

	MUST(try_open(&s, path, true, 0) == -EACCES);
	MUST(strstr(why, "no permission to read"));
}

static void test_no_permission(void **state)
{
	struct image i = image__new(MIB);

	assert_int_equal(chmod(i.path, 0444), 0);
	in_child(open_read_only_file, i.path, true);
	assert_int_equal(chmod(i.path, 0), 0);
	in_child(open_unreadable_file, i.path, true);
	image__remove(&i);
}

static void test_info(void **state)
{
	struct image i = image__new(3 * MIB);
	struct storage *s = open_image(i.path);
	const struct storage_info *info = storage__info(s);
	struct stat st;

	assert_int_equal(stat(i.path, &st), 0);
	assert_int_equal(info->bytes, 3 * MIB);
	assert_true(info->dev == st.st_dev && info->ino == st.st_ino);
	assert_false(info->read_only || info->block_device);
	assert_in_range(info->block_bytes, 512, 4096);
	assert_int_equal(info->bytes % info->block_bytes, 0);
	assert_true(info->discard_align >= info->block_bytes);
	storage__close(s);
	image__remove(&i);
}

/* Every wrong request is answered with an error, from reap(). */
static void test_bad_requests(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);
	char *b = buffer__new(8 * KIB);

	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 0);

		assert_int_equal(request(q, STORAGE_WRITE, MIB - 4096, 8192, b), -EINVAL);
		assert_int_equal(request(q, STORAGE_READ, MIB + 4096, 4096, b), -EINVAL);
		assert_int_equal(request(q, STORAGE_READ, -4096ULL, 8192, b), -EINVAL);
		assert_int_equal(request(q, STORAGE_READ, 100, 4096, b), -EINVAL);
		assert_int_equal(request(q, STORAGE_WRITE, 0, 100, b), -EINVAL);
		assert_int_equal(request(q, STORAGE_ZERO, MIB, 4096, NULL), -EINVAL);
		assert_int_equal(request(q, STORAGE_DISCARD, 0, 2 * MIB, NULL), -EINVAL);
		assert_int_equal(request(q, STORAGE_READ, MIB, 0, b), 0);
		assert_int_equal(request(q, STORAGE_READ, MIB - 4096, 4096, b), 0);
		storage_queue__free(q);
	}
	munmap(b, 8 * KIB);
	storage__close(s);
	image__remove(&i);
}

static void test_read_only(void **state)
{
	struct image i = image__new(MIB);
	char *b = buffer__new(4 * KIB);
	struct storage *s;

	assert_int_equal(try_open(&s, i.path, true, 0), 0);
	assert_true(storage__info(s)->read_only);
	assert_false(storage__info(s)->discard);
	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 0);

		assert_int_equal(request(q, STORAGE_WRITE, 0, 4096, b), -EROFS);
		assert_int_equal(request(q, STORAGE_ZERO, 0, 4096, NULL), -EROFS);
		assert_int_equal(request(q, STORAGE_DISCARD, 0, 4096, NULL), -EROFS);
		assert_int_equal(request(q, STORAGE_READ, 0, 4096, b), 0);
		assert_int_equal(request(q, STORAGE_FLUSH, 0, 0, NULL), 0);
		storage_queue__free(q);
	}
	storage__close(s);
	munmap(b, 4 * KIB);
	image__remove(&i);
}

/* --- locks --- */

static void check_locked(const char *path, bool read_only)
{
	struct storage *s;

	assert_int_equal(try_open(&s, path, read_only, 0), -EBUSY);
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "process"));
}

static void test_locks(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path), *another;

	check_locked(i.path, false);
	check_locked(i.path, true);
	storage__close(s);

	assert_int_equal(try_open(&s, i.path, true, 0), 0);
	assert_int_equal(try_open(&another, i.path, true, 0), 0);
	check_locked(i.path, false);
	storage__close(another);
	check_locked(i.path, false);
	storage__close(s);
	storage__close(open_image(i.path));
	image__remove(&i);
}

/* A ring may hold the file a little longer than its user. */
static void test_lock_ends_with_close(void **state)
{
	struct image i = image__new(MIB);
	char *b = buffer__new(4 * KIB);

	for (int n = 0; n < 20; n++) {
		struct storage *s = open_image(i.path);
		struct storage_queue *q = new_queue(s, STORAGE_AUTO, 0);

		assert_int_equal(request(q, STORAGE_WRITE, 0, 4096, b), 0);
		storage_queue__free(q);
		storage__close(s);
	}
	munmap(b, 4 * KIB);
	image__remove(&i);
}

/* The lock of a process that is killed goes, and who waits gets it. */
static void test_patience(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s;
	int told[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (!pid) {
		if (try_open(&s, i.path, false, 0) || write(told[1], "x", 1) != 1)
			_exit(1);
		usleep(100000);
		raise(SIGKILL);
	}
	assert_int_equal(read(told[0], &c, 1), 1);
	check_locked(i.path, false);
	assert_int_equal(try_open(&s, i.path, false, 60), 0);
	storage__close(s);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(told[0]);
	close(told[1]);
	image__remove(&i);
}

/* --- requests against a model --- */

#define SLOTS 32
#define SLOT_BYTES (256 * KIB)
#define MODEL_BLOCK 512

struct model;

struct slot {
	struct storage_io io;
	struct model *m;
	char *buffer;
	bool busy;
};

struct model {
	struct random r;
	size_t bytes, block;
	char *now;    /* what the image holds */
	bool *either; /* by MODEL_BLOCK: or zeroes, as it was discarded */
	bool *busy;   /* by MODEL_BLOCK: requests in flight */
	struct slot slot[SLOTS];
	size_t wrong, errors;
};

static void model__mark(struct model *m, bool *what, __u64 offset, __u64 bytes, bool value)
{
	memset(what + offset / MODEL_BLOCK, value, bytes / MODEL_BLOCK);
}

static bool model__is_busy(const struct model *m, __u64 offset, __u64 bytes)
{
	return memchr(m->busy + offset / MODEL_BLOCK, 1, bytes / MODEL_BLOCK);
}

/* Bytes that were read. What a discard left open is known from now on. */
static void model__compare(struct model *m, __u64 offset, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += MODEL_BLOCK) {
		char *now = m->now + offset + i;
		bool *either = &m->either[(offset + i) / MODEL_BLOCK];

		if (*either && is_all(bytes + i, 0, MODEL_BLOCK))
			memset(now, 0, MODEL_BLOCK);
		*either = false;
		m->wrong += !!memcmp(now, bytes + i, MODEL_BLOCK);
	}
}

static void model__done(struct storage_io *io, int err)
{
	struct slot *s = (struct slot *)io;
	struct model *m = s->m;

	m->errors += !!err;
	if (io->op == STORAGE_READ && !err)
		model__compare(m, io->offset, s->buffer, io->bytes);
	if (io->op != STORAGE_FLUSH)
		model__mark(m, m->busy, io->offset, io->bytes, false);
	s->busy = false;
}

/* What it will hold when the request is done; nothing else looks at it before. */
static void model__apply(struct model *m, struct slot *s)
{
	struct storage_io *io = &s->io;

	switch (io->op) {
	case STORAGE_WRITE:
		for (__u64 i = 0; i < io->bytes; i += 8)
			*(__u64 *)(s->buffer + i) = random__next(&m->r);
		memcpy(m->now + io->offset, s->buffer, io->bytes);
		model__mark(m, m->either, io->offset, io->bytes, false);
		break;
	case STORAGE_ZERO:
		memset(m->now + io->offset, 0, io->bytes);
		model__mark(m, m->either, io->offset, io->bytes, false);
		break;
	case STORAGE_DISCARD:
		model__mark(m, m->either, io->offset, io->bytes, true);
		break;
	default:
		break;
	}
}

static enum storage_op random_op(struct random *r)
{
	static const enum storage_op ops[] = {
		STORAGE_READ,  STORAGE_READ,  STORAGE_READ,    STORAGE_READ, STORAGE_WRITE,
		STORAGE_WRITE, STORAGE_WRITE, STORAGE_DISCARD, STORAGE_ZERO, STORAGE_FLUSH,
	};

	return ops[random__below(r, sizeof(ops) / sizeof(*ops))];
}

/* Mostly small; zeroing and discarding sometimes more than is written at once. */
static __u64 random_bytes(struct model *m, enum storage_op op)
{
	bool large = random__one_in(&m->r, 8);
	size_t most = op == STORAGE_READ || op == STORAGE_WRITE ? SLOT_BYTES : 3 * MIB;

	return (1 + random__below(&m->r, large ? most / m->block : 16)) * m->block;
}

/* false: the place it fell on is busy. */
static bool model__request(struct model *m, struct slot *s)
{
	enum storage_op op = random_op(&m->r);
	__u64 bytes = op == STORAGE_FLUSH ? 0 : random_bytes(m, op);
	__u64 offset = random__below(&m->r, (m->bytes - bytes) / m->block + 1) * m->block;

	s->io = (struct storage_io){.op = op,
				    .unmap = random__one_in(&m->r, 2),
				    .offset = offset,
				    .bytes = bytes,
				    .buffer = s->buffer,
				    .done = model__done};
	if (model__is_busy(m, offset, bytes))
		return false;
	model__apply(m, s);
	model__mark(m, m->busy, offset, bytes, true);
	s->busy = true;
	return true;
}

static struct model *model__new(const struct storage_info *info, char *buffers, __u64 seed)
{
	struct model *m = calloc(1, sizeof(*m));

	m->r.state = seed;
	m->bytes = info->bytes;
	m->block = info->block_bytes;
	m->now = calloc(1, m->bytes);
	m->either = calloc(m->bytes / MODEL_BLOCK, sizeof(bool));
	m->busy = calloc(m->bytes / MODEL_BLOCK, sizeof(bool));
	for (int i = 0; i < SLOTS; i++) {
		m->slot[i].m = m;
		m->slot[i].buffer = buffers + i * SLOT_BYTES;
	}
	return m;
}

static void model__free(struct model *m)
{
	free(m->now);
	free(m->either);
	free(m->busy);
	free(m);
}

static void model__run(struct model *m, struct storage_queue *q, unsigned requests)
{
	while (requests) {
		for (int i = 0; i < SLOTS && requests; i++) {
			struct slot *s = &m->slot[i];

			if (s->busy || !model__request(m, s))
				continue;
			storage_queue__add(q, &s->io);
			requests--;
		}
		storage_queue__submit(q);
		wait_once(q);
	}
	wait_all(q);
	assert_int_equal(m->errors, 0);
	assert_int_equal(m->wrong, 0);
}

/* Another look at it, not through the engine. */
static void model__check(struct model *m, const char *path)
{
	char *all = malloc(m->bytes);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, all, m->bytes, 0), m->bytes);
	model__compare(m, 0, all, m->bytes);
	assert_int_equal(m->wrong, 0);
	close(fd);
	free(all);
}

/* Half of the buffers are registered, half are not. */
static void check_against_model(const char *path, enum storage_engine engine, __u64 seed)
{
	struct storage *s = open_image(path);
	char *buffers = buffer__new(SLOTS * SLOT_BYTES);
	struct storage_queue_opts o = {.sz = sizeof(o),
				       .depth = 8,
				       .engine = engine,
				       .buffers = buffers,
				       .buffers_bytes = SLOTS * SLOT_BYTES / 2};
	struct model *m = model__new(storage__info(s), buffers, seed);
	struct storage_queue *q;

	assert_int_equal(storage_queue__new(&q, s, &o), 0);
	model__run(m, q, 600);
	storage_queue__free(q);
	model__check(m, path);
	model__free(m);
	munmap(buffers, SLOTS * SLOT_BYTES);
	storage__close(s);
}

static void test_model_file(void **state)
{
	__u64 seed = random__seed();

	for_each_engine(e)
	{
		struct image i = image__new(8 * MIB);

		check_against_model(i.path, *e, seed);
		image__remove(&i);
	}
}

/* tmpfs can't zero ranges other than by punching holes: zeroes are written. */
static void test_model_tmpfs(void **state)
{
	__u64 seed = random__seed();

	if (access("/dev/shm", W_OK))
		because("no tmpfs at /dev/shm");
	for_each_engine(e)
	{
		struct image i = image__in("/dev/shm", 8 * MIB);

		check_against_model(i.path, *e, seed);
		image__remove(&i);
	}
}

/* --- loop devices --- */

static void test_model_loop_device(void **state)
{
	__u64 seed = random__seed();

	loop_device__need();
	for_each_engine(e)
	{
		struct image i = image__new(8 * MIB);
		struct loop_device l = loop_device__new(i.path, false);

		check_against_model(l.path, *e, seed);
		loop_device__free(&l);
		image__remove(&i);
	}
}

static void test_loop_device(void **state)
{
	struct loop_device l;
	struct storage *s;
	struct image i;
	struct stat st;

	loop_device__need();
	i = image__new(8 * MIB);
	l = loop_device__new(i.path, false);
	s = open_image(l.path);
	assert_int_equal(stat(l.path, &st), 0);
	assert_true(storage__info(s)->block_device);
	assert_true(storage__info(s)->dev == st.st_rdev && !storage__info(s)->ino);
	assert_int_equal(storage__info(s)->bytes, 8 * MIB);
	assert_int_equal(storage__info(s)->block_bytes, 4096);
	assert_true(storage__info(s)->discard);
	check_refused(l.path, -EBUSY, "in use");
	storage__close(s);
	loop_device__free(&l);
	image__remove(&i);
}

/* --- queues --- */

#define MANY 300

static void read_many(struct storage *s, enum storage_engine engine, unsigned depth, char *b)
{
	static struct single all[MANY];
	struct storage_queue *q = new_queue(s, engine, depth);

	memset(all, 0, sizeof(all));
	for (int n = 0; n < MANY; n++) {
		all[n].io = (struct storage_io){.op = STORAGE_READ,
						.offset = n * 4096,
						.bytes = 4096,
						.buffer = b + n * 4096,
						.done = single_done};
		storage_queue__add(q, &all[n].io);
		assert_int_equal(storage_queue__in_flight(q), n + 1);
	}
	storage_queue__submit(q);
	wait_all(q);
	for (int n = 0; n < MANY; n++)
		assert_true(all[n].times == 1 && !all[n].err);
	assert_int_equal(storage_queue__reap(q), 0);
	storage_queue__free(q);
}

/* Far more than fit, or than are reaped at once (in tmpfs they are done as soon as submitted);
 * in_flight says how many, each is done once. */
static void test_many(void **state)
{
	struct image i = image__in(access("/dev/shm", W_OK) ? folder : "/dev/shm", MANY * 4096);
	struct storage *s = open_image(i.path);
	char *b = buffer__new(MANY * 4096);

	for_each_engine(e)
	{
		read_many(s, *e, 4, b);
		read_many(s, *e, MANY, b);
	}
	munmap(b, MANY * 4096);
	storage__close(s);
	image__remove(&i);
}

struct chain {
	struct storage_io io;
	struct storage_queue *q;
	int left;
};

static void chain_done(struct storage_io *io, int err)
{
	struct chain *c = (struct chain *)io;

	assert_int_equal(err, 0);
	if (!c->left--)
		return;
	io->offset += 4096;
	/* Each fifth is nothing to do, and ends without the storage. */
	io->bytes = c->left % 5 ? 4096 : 0;
	storage_queue__add(c->q, io);
	storage_queue__submit(c->q);
}

/* done() goes on with the same request. */
static void test_chain(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);
	char *b = buffer__new(4096);

	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 1);
		struct chain c = {
			.q = q,
			.left = 50,
			.io = {.op = STORAGE_READ, .bytes = 4096, .buffer = b, .done = chain_done}};

		storage_queue__add(q, &c.io);
		storage_queue__submit(q);
		wait_all(q);
		assert_int_equal(c.left, -1);
		storage_queue__free(q);
	}
	munmap(b, 4096);
	storage__close(s);
	image__remove(&i);
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* A wake-up is over when it was reaped; it may come late. */
static void check_quiet(struct storage_queue *q)
{
	int tries = 1000;

	do {
		assert_int_equal(storage_queue__reap(q), 0);
		assert_false(storage_queue__arm(q));
		usleep(1000);
	} while (is_readable(storage_queue__fd(q)) && --tries);
	assert_true(tries > 0);
}

/* No wake-ups but those that were asked for. */
static void test_wake_ups(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);
	char *b = buffer__new(4096);

	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 0);
		struct single r = {.io = {.op = STORAGE_READ,
					  .bytes = 4096,
					  .buffer = b,
					  .done = single_done}};

		for (int n = 0; n < 50; n++) {
			storage_queue__add(q, &r.io);
			storage_queue__submit(q);
			while (!storage_queue__reap(q))
				;
			assert_false(is_readable(storage_queue__fd(q)));
		}
		assert_int_equal(request(q, STORAGE_READ, 0, 4096, b), 0);
		check_quiet(q);
		storage_queue__free(q);
	}
	munmap(b, 4096);
	storage__close(s);
	image__remove(&i);
}

/* What ended before wake-ups were asked for is not forgotten. */
static void test_armed_late(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);
	char *b = buffer__new(4096);

	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 0);
		struct pollfd p = {.fd = storage_queue__fd(q), .events = POLLIN};
		struct single r = {.io = {.op = STORAGE_READ,
					  .bytes = 4096,
					  .buffer = b,
					  .done = single_done}};

		storage_queue__add(q, &r.io);
		storage_queue__submit(q);
		usleep(20000);
		if (!storage_queue__arm(q))
			assert_int_equal(poll(&p, 1, 30000), 1);
		wait_all(q);
		storage_queue__free(q);
	}
	munmap(b, 4096);
	storage__close(s);
	image__remove(&i);
}

/* Who asks for wake-ups hears of what was not submitted, and reaping submits it. */
static void test_submit_forgotten(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);
	struct single flush = {.io = {.op = STORAGE_FLUSH, .done = single_done}};

	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 0);

		assert_false(storage_queue__arm(q));
		storage_queue__add(q, &flush.io);
		assert_true(storage_queue__arm(q));
		wait_all(q);
		storage_queue__free(q);
	}
	assert_int_equal(flush.times, 2);
	storage__close(s);
	image__remove(&i);
}

static void *use_queue(void *arg)
{
	struct storage_queue *q = arg;
	char *b = buffer__new(4096);

	for (int n = 0; n < 20; n++)
		if (request(q, STORAGE_WRITE, n * 4096, 4096, b))
			return NULL;
	munmap(b, 4096);
	return q;
}

/* Made and freed by another thread than it is used by. */
static void test_other_thread(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);

	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 0);
		pthread_t t;
		void *ok;

		assert_int_equal(pthread_create(&t, NULL, use_queue, q), 0);
		assert_int_equal(pthread_join(t, &ok), 0);
		assert_ptr_equal(ok, q);
		storage_queue__free(q);
	}
	storage__close(s);
	image__remove(&i);
}

/* The same 2 MiB again and again: addresses beyond what can be registered in one piece. */
#define LARGE (1024 * MIB + 2 * MIB)
static char *large_buffer(void)
{
	int fd = memfd_create("buffer", MFD_CLOEXEC);
	char *p = mmap(NULL, LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(ftruncate(fd, 2 * MIB), 0);
	for (size_t at = 0; at < LARGE; at += 2 * MIB)
		assert_ptr_equal(mmap(p + at, 2 * MIB, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, fd, 0),
				 p + at);
	close(fd);
	return p;
}

static void test_large_buffer(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);
	char *b = large_buffer();
	/* In the first piece, on both sides of the seam, in the second, across the end. */
	const size_t at[] = {0, 1024 * MIB - 4096, 1024 * MIB, LARGE - 8192};

	for_each_engine(e)
	{
		struct storage_queue_opts o = {
			.sz = sizeof(o), .engine = *e, .buffers = b, .buffers_bytes = LARGE - 4096};
		struct storage_queue *q;

		assert_int_equal(storage_queue__new(&q, s, &o), 0);
		for (int n = 0; n < 4; n++) {
			memset(b + at[n], 'a' + n, 8192);
			assert_int_equal(request(q, STORAGE_WRITE, 8192, 8192, b + at[n]), 0);
			memset(b + at[n], 0, 8192);
			assert_int_equal(request(q, STORAGE_READ, 8192, 8192, b + at[n]), 0);
			assert_true(is_all(b + at[n], 'a' + n, 8192));
		}
		storage_queue__free(q);
	}
	munmap(b, LARGE);
	storage__close(s);
	image__remove(&i);
}

/* --- the image changes, or its file system says no --- */

static void test_truncated(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);
	char *b = buffer__new(512 * KIB);

	assert_int_equal(truncate(i.path, 256 * KIB + 100), 0);
	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 0);

		assert_int_equal(request(q, STORAGE_READ, 0, 256 * KIB, b), 0);
		assert_int_equal(request(q, STORAGE_READ, 0, 512 * KIB, b), -EIO);
		assert_int_equal(request(q, STORAGE_READ, 256 * KIB, 4096, b), -EIO);
		assert_int_equal(request(q, STORAGE_READ, 512 * KIB, 4096, b), -EIO);
		assert_int_equal(request(q, STORAGE_READ, 4096, 4096, b), 0);
		storage_queue__free(q);
	}
	munmap(b, 512 * KIB);
	storage__close(s);
	image__remove(&i);
}

/* A write across the limit is short, what is left of it fails; what lies before goes on. */
static void write_beyond_limit(const char *path)
{
	struct rlimit limit = {256 * KIB, 256 * KIB};
	struct storage *s;
	char *b = buffer__new(512 * KIB);

	signal(SIGXFSZ, SIG_IGN);
	MUST(!setrlimit(RLIMIT_FSIZE, &limit));
	MUST(!try_open(&s, path, false, 0));
	for_each_engine(e)
	{
		struct storage_queue *q = new_queue(s, *e, 0);

		memset(b, 'a' + *e, 512 * KIB);
		MUST(request(q, STORAGE_WRITE, 128 * KIB, 256 * KIB, b) == -EFBIG);
		MUST(request(q, STORAGE_WRITE, 512 * KIB, 4096, b) == -EFBIG);
		MUST(!request(q, STORAGE_WRITE, 0, 4096, b));
		MUST(!request(q, STORAGE_READ, 0, 512 * KIB, b));
		MUST(is_all(b, 'a' + *e, 4096) && is_all(b + 4096, 0, 124 * KIB));
		MUST(is_all(b + 128 * KIB, 'a' + *e, 128 * KIB));
		MUST(is_all(b + 256 * KIB, 0, 256 * KIB));
		storage_queue__free(q);
	}
	storage__close(s);
}

static void test_short_write(void **state)
{
	struct image i = image__new(MIB);

	in_child(write_beyond_limit, i.path, false);
	image__remove(&i);
}

/* --- io_uring is refused, or the memory for it --- */

static void refuse_io_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(*code), code};

	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

static void go_without_io_uring(const char *path)
{
	struct storage_queue_opts o = {.sz = sizeof(o), .engine = STORAGE_URING};
	struct storage *s;
	struct storage_queue *q;
	char *b = buffer__new(4096);

	refuse_io_uring();
	MUST(!try_open(&s, path, false, 0));
	MUST(storage_queue__new(&q, s, &o) == -EPERM);
	q = new_queue(s, STORAGE_AUTO, 0);
	MUST(!strcmp(storage_queue__engine(q), "threads"));
	MUST(!request(q, STORAGE_WRITE, 0, 4096, b) && !request(q, STORAGE_FLUSH, 0, 0, NULL));
	storage_queue__free(q);
	storage__close(s);
}

static void test_no_io_uring(void **state)
{
	struct image i = image__new(MIB);
	struct storage *s = open_image(i.path);
	struct storage_queue *q = new_queue(s, STORAGE_AUTO, 0);

	assert_string_equal(storage_queue__engine(q), "io_uring");
	storage_queue__free(q);
	storage__close(s);
	in_child(go_without_io_uring, i.path, false);
	image__remove(&i);
}

/* Registered or not, with io_uring or without: requests are carried out. */
static void check_locked_memory(const char *path, size_t limit, enum storage_engine engine)
{
	struct rlimit locked = {limit, limit};
	char *b = buffer__new(MIB);
	struct storage_queue_opts o = {
		.sz = sizeof(o), .engine = engine, .buffers = b, .buffers_bytes = MIB};
	struct storage *s;
	struct storage_queue *q;

	MUST(!setrlimit(RLIMIT_MEMLOCK, &locked));
	MUST(!try_open(&s, path, false, 0));
	MUST(!storage_queue__new(&q, s, &o));
	memset(b, 'x', 4096);
	MUST(!request(q, STORAGE_WRITE, 0, 4096, b));
	MUST(!request(q, STORAGE_READ, 0, 4096, b + 4096));
	MUST(is_all(b, 'x', 8192));
	storage_queue__free(q);
	storage__close(s);
	munmap(b, MIB);
}

/* Since Linux 6.14 rings count, too. */
static void go_without_locked_memory(const char *path)
{
	check_locked_memory(path, 512 * KIB, STORAGE_URING);
	check_locked_memory(path, 0, STORAGE_AUTO);
}

static void test_no_locked_memory(void **state)
{
	struct image i = image__new(MIB);

	assert_int_equal(chmod(i.path, 0666), 0);
	in_child(go_without_locked_memory, i.path, true);
	image__remove(&i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_permission),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_lock_ends_with_close),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_model_file),
		cmocka_unit_test(test_model_tmpfs),
		cmocka_unit_test(test_model_loop_device),
		cmocka_unit_test(test_loop_device),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_wake_ups),
		cmocka_unit_test(test_armed_late),
		cmocka_unit_test(test_submit_forgotten),
		cmocka_unit_test(test_other_thread),
		cmocka_unit_test(test_large_buffer),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_short_write),
		cmocka_unit_test(test_no_io_uring),
		cmocka_unit_test(test_no_locked_memory),
	};

	return skips__status(cmocka_run_group_tests(tests, make_folder, remove_folder));
}
