// SPDX-License-Identifier: GPL-2.0
/*
 * replay DEVICE TRACE [ONE_IN]: touches pages of DEVICE through the page cache, in the order of
 * TRACE (format u64: little-endian page numbers), which is itself read around it. One page in
 * ONE_IN is overwritten instead of read, always the same ones. Ends when all is on the device.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define TRACE_BYTES (1 << 18)

static int failed(const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", what, strerror(errno ? errno : EIO));
	return 1;
}

static int touch(int fd, uint64_t page, int write)
{
	char buf[PAGE];
	ssize_t n;

	errno = 0;
	if (write) {
		memset(buf, (int)page, PAGE);
		n = pwrite(fd, buf, PAGE, page * PAGE);
	} else {
		n = pread(fd, buf, PAGE, page * PAGE);
	}
	return n == PAGE ? 0 : failed(write ? "write" : "read");
}

/* Fibonacci hashing: which references write does not follow the trace's own pattern. */
static int writes(uint64_t at, uint64_t one_in)
{
	return one_in && at * 0x9e3779b97f4a7c15ULL < UINT64_MAX / one_in;
}

static int replay(int fd, int trace, uint64_t one_in)
{
	uint64_t *page = aligned_alloc(PAGE, TRACE_BYTES), at = 0;
	ssize_t n;
	int rc = 0;

	if (!page)
		return failed("memory");
	while (!rc && (n = read(trace, page, TRACE_BYTES)) > 0) {
		for (ssize_t i = 0; !rc && i < n / 8; i++, at++)
			rc = touch(fd, le64toh(page[i]), writes(at, one_in));
	}
	free(page);
	if (n < 0)
		return failed("trace");
	return rc || !fsync(fd) ? rc : failed("fsync");
}

int main(int argc, char **argv)
{
	int fd, trace;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: replay DEVICE TRACE [ONE_IN]\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR);
	if (fd < 0)
		return failed(argv[1]);
	trace = open(argv[2], O_RDONLY | O_DIRECT);
	if (trace < 0)
		return failed(argv[2]);
	/* No read-ahead: what is asked for is all that is read. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	return replay(fd, trace, argc > 3 ? strtoull(argv[3], NULL, 10) : 0);
}
