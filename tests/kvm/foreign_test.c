// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to images by other processes, and memory that a VMM gives up: what is told of them, on
 * real devices and files, and that our own writes are not told.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <liburing.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../loader/foreign.h"
#include "harness.h"

#define PAGES 256
#define IMAGES 4
#define PATIENCE_MS 5000

/* --- what is told --- */

struct told {
	struct foreign *foreign;
	unsigned int times[IMAGES][PAGES];
	__u64 elsewhere; /* pages past an image's end */
	__u64 lost, missed;
	struct {
		pid_t pid;
		__u64 hva, bytes;
	} unmapped[64];
	size_t nr_unmapped;
};

static void on_written(void *ctx, __u16 id, __u64 page, __u64 count)
{
	struct told *t = ctx;

	assert_in_range(id, 0, IMAGES - 1);
	assert_true(count > 0);
	for (__u64 p = page; p < page + count && p < PAGES; p++)
		t->times[id][p]++;
	t->elsewhere += page + count > PAGES;
}

static void on_unmapped(void *ctx, pid_t vmm, __u64 hva, __u64 bytes)
{
	struct told *t = ctx;

	t->unmapped[t->nr_unmapped % 64].pid = vmm;
	t->unmapped[t->nr_unmapped % 64].hva = hva;
	t->unmapped[t->nr_unmapped++ % 64].bytes = bytes;
}

static void on_lost(void *ctx, __u64 n)
{
	struct told *t = ctx;

	t->lost += n;
}

static void on_missed(void *ctx, __u64 n)
{
	struct told *t = ctx;

	t->missed += n;
}

static void told__up(struct told *t)
{
	static const struct foreign_ops ops = {on_written, on_unmapped, on_lost, on_missed};
	char why[256] = "";

	memset(t, 0, sizeof(*t));
	if (foreign__new(&t->foreign, &ops, t, why, sizeof(why)))
		fail_msg("%s", why);
}

static void told__down(struct told *t)
{
	foreign__free(t->foreign);
}

static void told__forget(struct told *t)
{
	struct foreign *f = t->foreign;

	memset(t, 0, sizeof(*t));
	t->foreign = f;
}

static void told__watch(struct told *t, __u16 id, int fd)
{
	char why[256] = "";
	int err = foreign__add_image(t->foreign, id, fd, why, sizeof(why));

	if (err)
		fail_msg("image %u: %d: %s", id, err, why);
}

static bool told__has(const struct told *t, __u16 id, __u64 page, __u64 count)
{
	for (__u64 p = page; p < page + count; p++) {
		if (!t->times[id][p])
			return false;
	}
	return true;
}

/* These pages of the image are told, or will soon be, and no others of it are. */
static void told__expect(struct told *t, __u16 id, __u64 page, __u64 count)
{
	struct pollfd p = {.fd = foreign__fd(t->foreign), .events = POLLIN};

	foreign__poll(t->foreign);
	while (!told__has(t, id, page, count)) {
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		foreign__poll(t->foreign);
	}
	for (__u64 i = 0; i < PAGES; i++) {
		if (t->times[id][i] && (i < page || i >= page + count))
			fail_msg("page %llu of image %u was told", i, id);
	}
	assert_int_equal(t->lost, 0);
}

static void told__expect_nothing(struct told *t, __u16 id)
{
	told__expect(t, id, 0, 0);
	assert_int_equal(t->elsewhere, 0);
}

/* --- others --- */

/* What somebody does to a file: by path, so that nothing is shared with us. */
struct deed {
	void (*fn)(const struct deed *d, int fd);
	const char *path;
	int flags; /* of open() */
	off_t at;
	size_t bytes;
	int mode;
};

/* Any failure is the child's exit status: cmocka's asserts are the parent's. */
static void require(bool ok)
{
	if (!ok) {
		perror("what others do");
		_exit(1);
	}
}

static void do_deed(const struct deed *d)
{
	int fd = open(d->path, d->flags | O_CLOEXEC);

	require(fd >= 0);
	d->fn(d, fd);
	require(!close(fd));
}

static void expect_success(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void by_others(struct deed d)
{
	pid_t pid = fork();

	if (!pid) {
		do_deed(&d);
		_exit(0);
	}
	expect_success(pid);
}

static void write_range(const struct deed *d, int fd)
{
	void *p;

	require(!posix_memalign(&p, 4096, d->bytes));
	memset(p, 'x', d->bytes);
	require(pwrite(fd, p, d->bytes, d->at) == (ssize_t)d->bytes);
	free(p);
}

static void write_and_sync(const struct deed *d, int fd)
{
	write_range(d, fd);
	require(!fsync(fd));
}

static void dirty_mapped(const struct deed *d, int fd)
{
	char *p = mmap(NULL, PAGES * GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	require(p != MAP_FAILED);
	memset(p + d->at, 'y', d->bytes);
	require(!munmap(p, PAGES * GUEST_PAGE));
}

/* Nothing is left to be told later, when the kernel writes it out. */
static void write_mapped(const struct deed *d, int fd)
{
	dirty_mapped(d, fd);
	require(!fsync(fd));
}

static void allocate_range(const struct deed *d, int fd)
{
	require(!fallocate(fd, d->mode, d->at, d->bytes));
}

static void discard_range(const struct deed *d, int fd)
{
	__u64 range[] = {d->at, d->bytes};

	require(!ioctl(fd, d->mode ? BLKZEROOUT : BLKDISCARD, range));
}

static void truncate_to(const struct deed *d, int fd)
{
	require(!ftruncate(fd, d->bytes));
}

static void read_range(const struct deed *d, int fd)
{
	char *p = aligned_alloc(4096, d->bytes);

	require(p && pread(fd, p, d->bytes, d->at) == (ssize_t)d->bytes);
	free(p);
}

#define at_page(n) .at = (n)*GUEST_PAGE
#define nr_pages(n) .bytes = (n)*GUEST_PAGE

/* --- our own --- */

static int open_direct(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

/* By io_uring: from here, by its workers (IOSQE_ASYNC), by its poller (IORING_SETUP_SQPOLL). */
static void write_by_uring(int fd, off_t at, size_t bytes, unsigned int setup, unsigned int flags)
{
	char *p = aligned_alloc(4096, bytes);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	assert_non_null(p);
	memset(p, 'z', bytes);
	assert_int_equal(io_uring_queue_init(8, &ring, setup), 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, p, bytes, at);
	sqe->flags |= flags;
	assert_int_equal(io_uring_submit(&ring), 1);
	assert_int_equal(io_uring_wait_cqe(&ring, &cqe), 0);
	assert_int_equal(cqe->res, bytes);
	io_uring_queue_exit(&ring);
	free(p);
}

static void check_own_writes(const char *path, bool device)
{
	struct deed d = {.path = path, .flags = O_RDWR | O_DIRECT, at_page(3), nr_pages(200)};
	int fd = open_direct(path);
	struct told t;

	told__up(&t);
	told__watch(&t, 0, fd);
	write_range(&d, fd);
	write_by_uring(fd, d.at, d.bytes, 0, 0);
	write_by_uring(fd, d.at, d.bytes, 0, IOSQE_ASYNC);
	write_by_uring(fd, d.at, d.bytes, IORING_SETUP_SQPOLL, 0);
	if (device)
		discard_range(&d, fd);
	else
		assert_int_equal(
			fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, d.at, d.bytes),
			0);
	assert_int_equal(fsync(fd), 0);
	told__expect_nothing(&t, 0);
	d.flags = O_RDONLY;
	d.fn = read_range;
	by_others(d);
	told__expect_nothing(&t, 0);
	told__down(&t);
	close(fd);
}

static void test_own_writes(void **state)
{
	struct disk *disk = disk__new(PAGES);
	struct image *image = image__new(PAGES);

	check_own_writes(disk__path(disk), true);
	check_own_writes(image__path(image), false);
	image__free(image);
	disk__free(disk);
}

/* Others' pages that our own flush or read has written out were told when they were dirtied. */
static void test_flushed_by_us(void **state)
{
	struct disk *disk = disk__new(PAGES);
	struct deed d = {dirty_mapped, disk__path(disk), O_RDWR, at_page(9), nr_pages(2)};
	int fd = open_direct(disk__path(disk)), keep;
	struct told t;

	told__up(&t);
	told__watch(&t, 0, fd);
	keep = open(disk__path(disk), O_RDONLY | O_CLOEXEC); /* its last close would flush it */
	/* Clean again after our flush, so that the next write is told again. */
	for (int times = 0; times < 2; times++) {
		by_others(d);
		foreign__poll(t.foreign);
		assert_true(told__has(&t, 0, 9, 2));
		told__expect(&t, 0, 9, 2);
		told__forget(&t);
		assert_int_equal(fsync(fd), 0);
		told__expect_nothing(&t, 0);
	}
	told__down(&t);
	close(keep);
	close(fd);
	disk__free(disk);
}

/* --- block devices --- */

static void test_device(void **state)
{
	struct disk *disk = disk__new(PAGES);
	const char *path = disk__path(disk);
	int fd = open_direct(path);
	const struct {
		struct deed deed;
		__u64 page, count;
	} cases[] = {
		{{write_range, path, O_WRONLY | O_DIRECT, at_page(7), nr_pages(3)}, 7, 3},
		{{write_range, path, O_WRONLY | O_DIRECT, at_page(0), nr_pages(PAGES)}, 0, PAGES},
		/* Parts of two pages. */
		{{write_range, path, O_WRONLY | O_DIRECT, .at = 5 * 4096 + 3584, .bytes = 1024},
		 5,
		 2},
		{{write_and_sync, path, O_WRONLY, at_page(20), nr_pages(4)}, 20, 4},
		{{write_mapped, path, O_RDWR, at_page(30) + 10, .bytes = 4096}, 30, 2},
		{{discard_range, path, O_WRONLY, at_page(100), nr_pages(50)}, 100, 50},
		{{discard_range, path, O_WRONLY, at_page(40), nr_pages(2), 1}, 40, 2},
	};
	struct told t;

	told__up(&t);
	told__watch(&t, 0, fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		told__forget(&t);
		by_others(cases[i].deed);
		told__expect(&t, 0, cases[i].page, cases[i].count);
		foreign__remove_image(t.foreign, 0); /* and what was to be told again */
		told__watch(&t, 0, fd);
	}
	told__forget(&t);
	foreign__remove_image(t.foreign, 0);
	by_others(cases[0].deed);
	told__expect_nothing(&t, 0);
	told__down(&t);
	close(fd);
	disk__free(disk);
}

/* Who reads the page while the write is on its way has it told after that. */
static void test_told_again(void **state)
{
	struct disk *disk = disk__new(PAGES);
	int fd = open_direct(disk__path(disk));
	struct pollfd p;
	struct told t;

	told__up(&t);
	told__watch(&t, 0, fd);
	p = (struct pollfd){.fd = foreign__fd(t.foreign), .events = POLLIN};
	by_others((struct deed){write_range, disk__path(disk), O_WRONLY | O_DIRECT, at_page(50),
				nr_pages(1)});
	told__expect(&t, 0, 50, 1);
	assert_int_equal(t.times[0][50], 1);
	while (t.times[0][50] == 1) {
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		foreign__poll(t.foreign);
	}
	told__expect(&t, 0, 50, 1);
	assert_int_equal(t.times[0][50], 2);
	/* Then there is no more to do. */
	assert_int_equal(poll(&p, 1, 0), 0);
	told__down(&t);
	close(fd);
	disk__free(disk);
}

/* A partition by its numbers in sysfs: udev may not be there to make its node. */
static void make_partition(const struct disk *disk, __u64 first, __u64 pages, char *node)
{
	struct blkpg_partition part = {
		.start = first * GUEST_PAGE, .length = pages * GUEST_PAGE, .pno = 1};
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION, .datalen = sizeof(part), .data = &part};
	struct loop_info64 info;
	unsigned int maj, min;
	char path[96];
	FILE *f;
	int fd = open_direct(disk__path(disk));

	assert_int_equal(ioctl(fd, LOOP_GET_STATUS64, &info), 0);
	info.lo_flags |= LO_FLAGS_PARTSCAN;
	assert_int_equal(ioctl(fd, LOOP_SET_STATUS64, &info), 0);
	assert_int_equal(ioctl(fd, BLKPG, &arg), 0);
	close(fd);
	snprintf(path, sizeof(path), "/sys/block/%s/%sp1/dev", disk__name(disk), disk__name(disk));
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u:%u", &maj, &min), 2);
	fclose(f);
	sprintf(node, "/var/tmp/hvtrace-part.%d", getpid());
	assert_int_equal(mknod(node, S_IFBLK | 0600, makedev(maj, min)), 0);
}

static void test_partition(void **state)
{
	struct disk *disk = disk__new(PAGES);
	const char *path = disk__path(disk);
	int whole = open_direct(path), fd;
	struct told t;
	char part[64];

	make_partition(disk, 64, 32, part);
	fd = open_direct(part);
	told__up(&t);
	told__watch(&t, 0, fd);
	told__watch(&t, 1, whole);
	by_others((struct deed){write_range, part, O_WRONLY | O_DIRECT, at_page(3), nr_pages(2)});
	told__expect(&t, 0, 3, 2);
	told__expect(&t, 1, 67, 2);
	told__forget(&t);
	/* Through the disk: across the partition's end, then elsewhere. */
	by_others((struct deed){write_range, path, O_WRONLY | O_DIRECT, at_page(90), nr_pages(20)});
	told__expect(&t, 0, 26, 6);
	told__expect(&t, 1, 90, 20);
	/* Only what is served of a disk is looked at. */
	foreign__remove_image(t.foreign, 1);
	foreign__remove_image(t.foreign, 0);
	told__watch(&t, 0, fd);
	told__forget(&t);
	by_others((struct deed){write_range, path, O_WRONLY | O_DIRECT, at_page(0), nr_pages(64)});
	by_others((struct deed){write_range, path, O_WRONLY | O_DIRECT, at_page(96), nr_pages(9)});
	told__expect_nothing(&t, 0);
	by_others((struct deed){write_range, path, O_WRONLY | O_DIRECT, at_page(95), nr_pages(1)});
	told__expect(&t, 0, 31, 1);
	told__down(&t);
	unlink(part);
	close(fd);
	close(whole);
	disk__free(disk);
}

/* A loop device over a file or device, gone when closed. */
static int stack_upon(const char *path, bool direct, char *upper, size_t size)
{
	struct loop_config config = {
		.fd = open(path, O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0)),
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (direct ? LO_FLAGS_DIRECT_IO : 0),
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd;

	for (int tries = 0; tries < 50; tries++) {
		snprintf(upper, size, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
		fd = open(upper, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && !ioctl(fd, LOOP_CONFIGURE, &config))
			break;
		close(fd);
		fd = -1;
	}
	assert_true(fd >= 0);
	close(control);
	close(config.fd);
	return fd;
}

/* Writes to a device stacked upon ours come from the kernel's threads, whoever made them. */
static void check_stacked(const char *path, bool direct)
{
	struct deed d = {write_and_sync, .flags = O_WRONLY | O_DIRECT, at_page(12), nr_pages(3)};
	int fd = open_direct(path), stacked;
	char upper[64];
	struct told t;

	told__up(&t);
	told__watch(&t, 0, fd);
	stacked = stack_upon(path, direct, upper, sizeof(upper));
	told__forget(&t);
	d.path = upper;
	by_others(d);
	told__expect(&t, 0, 12, 3);
	told__forget(&t);
	do_deed(&d); /* by ourselves, but not to what we watch */
	told__expect(&t, 0, 12, 3);
	told__down(&t);
	close(stacked);
	close(fd);
}

static void test_stacked(void **state)
{
	struct disk *disk = disk__new(PAGES);
	struct image *image = image__new(PAGES);

	check_stacked(disk__path(disk), true);
	check_stacked(disk__path(disk), false);
	check_stacked(image__path(image), true);
	check_stacked(image__path(image), false);
	image__free(image);
	disk__free(disk);
}

/* --- files --- */

/* What is in the page cache in large folios is dirtied as these: first drop it. */
static void check_file(const char *path, struct told *t, int fd)
{
	const struct {
		struct deed deed;
		__u64 page, count;
	} cases[] = {
		{{write_range, path, O_WRONLY | O_DIRECT, at_page(7), nr_pages(3)}, 7, 3},
		{{write_range, path, O_WRONLY, at_page(20) + 100, .bytes = 10}, 20, 1},
		{{write_and_sync, path, O_WRONLY, at_page(22), nr_pages(2)}, 22, 2},
		{{write_mapped, path, O_RDWR, at_page(30) + 10, .bytes = 4096}, 30, 2},
		{{allocate_range, path, O_WRONLY, at_page(64), nr_pages(16),
		  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
		 64,
		 16},
		{{allocate_range, path, O_WRONLY, at_page(96), nr_pages(8), FALLOC_FL_ZERO_RANGE},
		 96,
		 8},
		/* Into the hole just made. */
		{{write_range, path, O_WRONLY | O_DIRECT, at_page(66), nr_pages(2)}, 66, 2},
		{{truncate_to, path, O_WRONLY, nr_pages(PAGES - 1)}, 0, PAGES},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(fsync(fd), 0);
		assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		told__forget(t);
		by_others(cases[i].deed);
		told__expect(t, 0, cases[i].page, cases[i].count);
		foreign__remove_image(t->foreign, 0);
		told__watch(t, 0, fd);
	}
	assert_int_equal(ftruncate(fd, PAGES * GUEST_PAGE), 0);
}

static void test_file(void **state)
{
	struct image *image = image__new(PAGES);
	struct image *other = image__new(PAGES);
	int fd = open_direct(image__path(image));
	struct told t;

	told__up(&t);
	told__watch(&t, 0, fd);
	check_file(image__path(image), &t, fd);
	told__forget(&t);
	by_others((struct deed){write_range, image__path(other), O_WRONLY | O_DIRECT, at_page(7),
				nr_pages(3)});
	by_others((struct deed){write_and_sync, image__path(other), O_WRONLY, 0, nr_pages(9)});
	told__expect_nothing(&t, 0);
	told__down(&t);
	close(fd);
	image__free(other);
	image__free(image);
}

/* Disks that many VMs read are served more than once. */
static void test_shared_file(void **state)
{
	struct image *image = image__new(PAGES);
	struct deed d = {write_range, image__path(image), O_WRONLY | O_DIRECT, at_page(7),
			 nr_pages(3)};
	int one = open_direct(image__path(image)), two = open_direct(image__path(image));
	struct told t;

	told__up(&t);
	told__watch(&t, 0, one);
	told__watch(&t, 1, two);
	by_others(d);
	told__expect(&t, 0, 7, 3);
	told__expect(&t, 1, 7, 3);
	foreign__remove_image(t.foreign, 0);
	told__forget(&t);
	by_others(d);
	told__expect(&t, 1, 7, 3);
	told__expect_nothing(&t, 0);
	told__down(&t);
	close(one);
	close(two);
	image__free(image);
}

/* --- file systems that are others below, or that hide something --- */

static void make_dir(char *path, const char *dir, const char *name)
{
	sprintf(path, "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* An overlay's files are those of the file system below it, which is asked. */
static void test_overlay(void **state)
{
	char dir[] = "/var/tmp/hvtrace-overlay.XXXXXX", lower[64], upper[64], work[64], top[64];
	char options[256], path[96], command[96];
	char *zeroes = calloc(PAGES, GUEST_PAGE);
	struct told t;
	int fd;

	/* Whatever happens, the mount ends with us. */
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_non_null(mkdtemp(dir));
	make_dir(lower, dir, "lower");
	make_dir(upper, dir, "upper");
	make_dir(work, dir, "work");
	make_dir(top, dir, "top");
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper,
		 work);
	assert_int_equal(mount("overlay", top, "overlay", 0, options), 0);
	snprintf(path, sizeof(path), "%s/image", top);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, zeroes, PAGES * GUEST_PAGE), PAGES * GUEST_PAGE);
	free(zeroes);
	close(fd);
	fd = open_direct(path);
	told__up(&t);
	told__watch(&t, 0, fd);
	check_file(path, &t, fd);
	/* Behind the overlay's back. */
	told__forget(&t);
	snprintf(path, sizeof(path), "%s/image", upper);
	by_others((struct deed){write_range, path, O_WRONLY | O_DIRECT, at_page(9), nr_pages(2)});
	told__expect(&t, 0, 9, 2);
	told__down(&t);
	close(fd);
	assert_int_equal(umount(top), 0);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

static void expect_gap(int fd)
{
	char why[256] = "";
	struct told t;

	told__up(&t);
	assert_int_equal(foreign__add_image(t.foreign, 0, fd, why, sizeof(why)), 1);
	assert_non_null(strstr(why, "see that nobody else writes"));
	assert_null(strchr(why, '\n'));
	told__down(&t);
}

/* Where some writes cannot be seen, that is said. */
static void test_gaps(void **state)
{
	struct image *image = image__new(PAGES);
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, PAGES * GUEST_PAGE), 0);
	expect_gap(fd);
	close(fd);
	fd = open(image__path(image), O_RDWR | O_CLOEXEC); /* through the page cache */
	expect_gap(fd);
	close(fd);
	image__free(image);
}

static void test_not_an_image(void **state)
{
	int pipe_fds[2];
	char why[256] = "";
	struct told t;

	assert_int_equal(pipe(pipe_fds), 0);
	told__up(&t);
	assert_true(foreign__add_image(t.foreign, 0, pipe_fds[0], why, sizeof(why)) < 0);
	assert_true(why[0]);
	why[0] = '\0';
	assert_true(foreign__add_image(t.foreign, 0, -1, why, sizeof(why)) < 0);
	assert_true(why[0]);
	told__down(&t);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* --- losses, rights --- */

static void punch_often(const struct deed *d, int fd)
{
	for (int i = 0; i < 40000; i++)
		allocate_range(d, fd);
}

static void test_lost(void **state)
{
	struct image *image = image__new(PAGES);
	int fd = open_direct(image__path(image));
	struct told t;

	told__up(&t);
	told__watch(&t, 0, fd);
	by_others((struct deed){punch_often, image__path(image), O_WRONLY, at_page(1), nr_pages(1),
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE});
	foreign__poll(t.foreign);
	assert_true(t.times[0][1] > 0);
	assert_true(t.lost > 0);
	assert_int_equal(t.lost + t.times[0][1], 40000);
	told__down(&t);
	close(fd);
	image__free(image);
}

static void become_nobody(void)
{
	require(!setgid(65534) && !setuid(65534));
}

static void test_no_rights(void **state)
{
	static const struct foreign_ops ops = {on_written, on_unmapped, on_lost, on_missed};
	pid_t pid = fork();
	struct foreign *f;
	char why[256] = "";

	if (!pid) {
		become_nobody();
		if (foreign__new(&f, &ops, NULL, why, sizeof(why)) != -EPERM)
			_exit(1);
		_exit(!strstr(why, "CAP_BPF") || strchr(why, '\n'));
	}
	expect_success(pid);
}

/* A server gives up its rights once it is set up; disks come and go after that. */
static void test_rights_given_up(void **state)
{
	struct disk *disk = disk__new(PAGES);
	int fd = open_direct(disk__path(disk));
	pid_t pid = fork();
	char why[256] = "";
	struct told t;

	if (!pid) {
		told__up(&t);
		become_nobody();
		require(!foreign__add_image(t.foreign, 0, fd, why, sizeof(why)));
		require(!foreign__add_vmm(t.foreign, getpid(), why, sizeof(why)));
		foreign__remove_image(t.foreign, 0);
		_exit(0);
	}
	expect_success(pid);
	close(fd);
	disk__free(disk);
}

/* --- VMMs --- */

/* The guest touches all frames, then the host is asked to take some. */
static int take_frames(struct vm *vm, enum guest_op_kind kind, __u64 frame, __u64 count)
{
	struct guest_script script;

	script__init(&script);
	script__add(&script, (struct guest_op){.kind = OP_TOUCH_WRITE, .count = 64, .stride = 1});
	script__add(&script, (struct guest_op){kind, 0, 0, frame, count, 0});
	vm__post(vm, &script);
	return vm__wait(vm);
}

static void drop_frames(struct told *t, struct vm *vm, size_t nr_told)
{
	assert_int_equal(take_frames(vm, OP_DROP, 16, 8), 0);
	foreign__poll(t->foreign);
	assert_int_equal(t->nr_unmapped, nr_told);
}

static void watch_vmm(struct told *t, struct vm *vm)
{
	char why[256] = "";

	if (foreign__add_vmm(t->foreign, vm__pid(vm), why, sizeof(why)))
		fail_msg("%s", why);
}

static void check_unmapped(struct told *t, struct vm *vm)
{
	drop_frames(t, vm, 0);
	watch_vmm(t, vm);
	watch_vmm(t, vm);
	drop_frames(t, vm, 1);
	assert_int_equal(t->unmapped[0].pid, vm__pid(vm));
	assert_int_equal(t->unmapped[0].hva, vm__frame_index(vm, 16) * GUEST_PAGE);
	assert_int_equal(t->unmapped[0].bytes, 8 * GUEST_PAGE);
	foreign__remove_vmm(t->foreign, vm__pid(vm));
	drop_frames(t, vm, 1);
	/* Paged out is not given up. (A page that is just in use stays: an error to the VM.) */
	watch_vmm(t, vm);
	take_frames(vm, OP_PAGEOUT, 0, 64);
	foreign__poll(t->foreign);
	assert_int_equal(t->nr_unmapped, 1);
}

static void test_unmapped(void **state)
{
	const struct vmm_opts opts = {.memory = VMM_ANON, .frames = 64};
	struct vm *vm;
	struct told t;

	if (!host__add_swap(1024))
		exit(77);
	told__up(&t);
	vm = vm__start("dropper", &opts);
	check_unmapped(&t, vm);
	vm__end(vm);
	told__down(&t);
}

#define DROPS (50 * GUEST_MAX_OPS)

static void drop_often(struct vm *vm)
{
	struct guest_script script;

	script__init(&script);
	for (unsigned i = 0; i < GUEST_MAX_OPS; i++)
		script__add(&script, (struct guest_op){.kind = OP_DROP, .count = 64});
	for (unsigned i = 0; i < DROPS / GUEST_MAX_OPS; i++) {
		vm__post(vm, &script);
		assert_int_equal(vm__wait(vm), 0);
	}
}

/* What a VMM does in plenty leaves room for writes, and time. */
static void test_many_unmapped(void **state)
{
	const struct vmm_opts opts = {.memory = VMM_ANON, .frames = 64};
	struct image *image = image__new(PAGES);
	int fd = open_direct(image__path(image));
	struct vm *vm = vm__start("dropper", &opts);
	struct pollfd p;
	struct told t;

	told__up(&t);
	told__watch(&t, 0, fd);
	watch_vmm(&t, vm);
	drop_often(vm);
	by_others((struct deed){allocate_range, image__path(image), O_WRONLY, at_page(1),
				nr_pages(1), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE});
	foreign__poll(t.foreign);
	assert_int_equal(t.times[0][1], 1);
	assert_true(t.missed > 0);
	assert_true(t.nr_unmapped > 0);
	/* Some at a time, then the rest. */
	assert_true(t.nr_unmapped + t.missed < DROPS);
	p = (struct pollfd){.fd = foreign__fd(t.foreign), .events = POLLIN};
	while (t.nr_unmapped + t.missed < DROPS) {
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		foreign__poll(t.foreign);
	}
	assert_int_equal(t.nr_unmapped + t.missed, DROPS);
	assert_int_equal(t.lost, 0);
	told__down(&t);
	vm__end(vm);
	close(fd);
	image__free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_writes),   cmocka_unit_test(test_flushed_by_us),
		cmocka_unit_test(test_device),	     cmocka_unit_test(test_told_again),
		cmocka_unit_test(test_partition),    cmocka_unit_test(test_stacked),
		cmocka_unit_test(test_file),	     cmocka_unit_test(test_shared_file),
		cmocka_unit_test(test_overlay),	     cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_not_an_image), cmocka_unit_test(test_lost),
		cmocka_unit_test(test_no_rights),    cmocka_unit_test(test_rights_given_up),
		cmocka_unit_test(test_unmapped),     cmocka_unit_test(test_many_unmapped),
	};

	host__require_kvm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
