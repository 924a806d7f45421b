// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "given_fd.h"

/* Only these file systems know of seals (mm/memfd.c, memfd_file_seals_ptr()). */
bool given_fd__is_memory(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

/* Any other name that the link may have begins with a slash, or tells of another kind. */
bool given_fd__is_eventfd(int fd)
{
	static const char eventfd[] = "anon_inode:[eventfd]";
	char link[32], is[sizeof(eventfd)];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, is, sizeof(is)) == sizeof(eventfd) - 1 &&
	       !memcmp(is, eventfd, sizeof(eventfd) - 1);
}
