// SPDX-License-Identifier: GPL-2.0
/*
 * The work of a Linux guest: I/O whose pages are known. Static, so that it runs in
 * an initramfs beside nothing but a busybox.
 *
 *   workload scan FILE FIRST PAGES TIMES          read in order
 *   workload random FILE FIRST PAGES COUNT SEED   read single pages
 *   workload write FILE FIRST PAGES COUNT SEED    write single whole pages, then fsync
 *   workload direct FILE PAGES                    see direct()
 *   workload extents FILE                         where FILE lies: see extents()
 *   workload nothp COMMAND...                     run COMMAND without transparent huge pages
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PAGE 4096UL
#define SCAN_PAGES 16
#define MAX_EXTENTS 512

static unsigned long number(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 0);

	if (*s && !*end)
		return n;
	fprintf(stderr, "workload: '%s' is not a number\n", s);
	exit(2);
}

static int failed(const char *what)
{
	fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
	return 1;
}

/* xorshift64*: the same pages for the same seed, everywhere. */
static uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static int scan(int fd, unsigned long first, unsigned long pages, unsigned long times)
{
	static char buf[SCAN_PAGES * PAGE];

	for (unsigned long t = 0; t < times; t++) {
		for (unsigned long p = 0; p < pages; p += SCAN_PAGES) {
			unsigned long n = pages - p < SCAN_PAGES ? pages - p : SCAN_PAGES;

			if (pread(fd, buf, n * PAGE, (first + p) * PAGE) != (ssize_t)(n * PAGE))
				return failed("read");
		}
	}
	return 0;
}

static int random_reads(int fd, unsigned long first, unsigned long pages, unsigned long count,
			uint64_t seed)
{
	char buf[PAGE];

	/* No read-ahead: what is asked for is all that is read. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	while (count--) {
		if (pread(fd, buf, PAGE, (first + next(&seed) % pages) * PAGE) != (ssize_t)PAGE)
			return failed("read");
	}
	return 0;
}

static int random_writes(int fd, unsigned long first, unsigned long pages, unsigned long count,
			 uint64_t seed)
{
	char buf[PAGE];

	while (count--) {
		uint64_t r = next(&seed);

		memset(buf, (int)r, PAGE);
		if (pwrite(fd, buf, PAGE, (first + r % pages) * PAGE) != (ssize_t)PAGE)
			return failed("write");
	}
	return fsync(fd) ? failed("fsync") : 0;
}

/*
 * Direct I/O whose every frame is known. Says "buffer V", the number of its buffer's
 * first virtual page, waits for a line on stdin, and then, for each i < PAGES:
 * reads disk page 3 i into buffer page i, writes it to 100000 + i, and reads 200000 + i
 * into it. Says "done"; ends when stdin does, so that its memory stays meanwhile.
 */
static int direct(int fd, unsigned long pages)
{
	char *buf = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	unsigned long i;

	if (buf == MAP_FAILED)
		return failed("mmap");
	printf("buffer %lu\n", (unsigned long)buf / PAGE);
	fflush(stdout);
	if (getchar() == EOF)
		return 1;
	for (i = 0; i < pages; i++)
		if (pread(fd, buf + i * PAGE, PAGE, 3 * i * PAGE) != (ssize_t)PAGE)
			return failed("direct read");
	for (i = 0; i < pages; i++)
		if (pwrite(fd, buf + i * PAGE, PAGE, (100000 + i) * PAGE) != (ssize_t)PAGE)
			return failed("direct write");
	for (i = 0; i < pages; i++)
		if (pread(fd, buf + i * PAGE, PAGE, (200000 + i) * PAGE) != (ssize_t)PAGE)
			return failed("direct read");
	printf("done\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

/* A block device's page cache belongs to an inode of the kernel's own, whose number is
 * the device's (block/bdev.c: bdev_add()). */
static int device_extent(int fd, const struct stat *st)
{
	uint64_t bytes;

	if (ioctl(fd, BLKGETSIZE64, &bytes))
		return failed("BLKGETSIZE64");
	printf("extent 0x%x 0 0 %lu\n", major(st->st_rdev) << 20 | minor(st->st_rdev),
	       (unsigned long)(bytes / PAGE));
	return 0;
}

/* Lines "extent INODE FIRST_PAGE DISK_PAGE PAGES" of a regular file or a block device. */
static int extents(int fd)
{
	size_t room = sizeof(struct fiemap) + MAX_EXTENTS * sizeof(struct fiemap_extent);
	struct fiemap *map = calloc(1, room);
	struct stat st;

	if (!map || fstat(fd, &st))
		return failed("fstat");
	if (S_ISBLK(st.st_mode)) {
		free(map);
		return device_extent(fd, &st);
	}
	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = MAX_EXTENTS;
	if (ioctl(fd, FS_IOC_FIEMAP, map)) {
		free(map);
		return failed("FIEMAP");
	}
	for (unsigned int i = 0; i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &map->fm_extents[i];

		printf("extent 0x%lx %lu %lu %lu\n", (unsigned long)st.st_ino,
		       (unsigned long)(e->fe_logical / PAGE),
		       (unsigned long)(e->fe_physical / PAGE),
		       (unsigned long)(e->fe_length / PAGE));
	}
	free(map);
	return 0;
}

static int run(int fd, const char *what, int n, const unsigned long *arg)
{
	if (!strcmp(what, "scan") && n == 3)
		return scan(fd, arg[0], arg[1], arg[2]);
	if (!strcmp(what, "random") && n == 4)
		return random_reads(fd, arg[0], arg[1], arg[2], arg[3]);
	if (!strcmp(what, "write") && n == 4)
		return random_writes(fd, arg[0], arg[1], arg[2], arg[3]);
	if (!strcmp(what, "direct") && n == 1)
		return direct(fd, arg[0]);
	if (!strcmp(what, "extents") && n == 0)
		return extents(fd);
	fprintf(stderr, "workload: no such work, or wrong arguments: %s\n", what);
	return 2;
}

static int open_flags(const char *what)
{
	if (!strcmp(what, "direct"))
		return O_RDWR | O_DIRECT;
	return !strcmp(what, "write") ? O_RDWR : O_RDONLY;
}

int main(int argc, char **argv)
{
	unsigned long arg[4] = {0};
	int fd, rc;

	if (argc >= 3 && !strcmp(argv[1], "nothp")) {
		if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
			return failed("PR_SET_THP_DISABLE");
		execvp(argv[2], argv + 2);
		return failed(argv[2]);
	}
	if (argc < 3 || argc > 7) {
		fprintf(stderr,
			"usage: workload scan|random|write|direct|extents FILE [NUMBER]...\n");
		return 2;
	}
	for (int i = 3; i < argc; i++)
		arg[i - 3] = number(argv[i]);
	fd = open(argv[2], open_flags(argv[1]));
	if (fd < 0)
		return failed(argv[2]);
	rc = run(fd, argv[1], argc - 3, arg);
	close(fd);
	return rc;
}
