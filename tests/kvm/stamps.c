// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* O_DIRECT */
#include "stamps.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "guest_abi.h"

#define CHUNK_PAGES 256

static int write_all(int fd, __u64 pages)
{
	static char chunk[CHUNK_PAGES * GUEST_PAGE] __attribute__((aligned(4096)));

	for (__u64 first = 0; first < pages; first += CHUNK_PAGES) {
		for (__u64 i = 0; i < CHUNK_PAGES; i++)
			*(__u64 *)(chunk + i * GUEST_PAGE) = first + i;
		if (pwrite(fd, chunk, sizeof(chunk), first * GUEST_PAGE) != sizeof(chunk))
			return errno ? -errno : -ENOSPC;
	}
	return 0;
}

int stamps__write(const char *path, __u64 pages)
{
	int err, fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	errno = 0;
	err = write_all(fd, pages);
	close(fd);
	return err;
}
