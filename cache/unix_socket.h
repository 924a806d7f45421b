/* SPDX-License-Identifier: GPL-2.0 */
/* Stream sockets in the file system. */
#ifndef HVTRACE_UNIX_SOCKET_H
#define HVTRACE_UNIX_SOCKET_H

#include <stddef.h>
#include <sys/types.h>
#include <linux/un.h>

/* A socket that others connect to, and its file. */
struct listener {
	int fd;
	char path[UNIX_PATH_MAX];
	dev_t dev; /* by which the file is known again when it is to be removed */
	ino_t ino;
};

/* Its file is created 0600; it does not block. A socket that nobody listens on any more is
 * replaced. -EADDRINUSE: somebody does; -EEXIST: that is something else; -errno; with a sentence in
 * why. */
int listener__open(struct listener *l, const char *path, char *why, size_t size);
/* Removes its file, unless that is another by now; its fd is the caller's to close. -1: there is
 * none. */
int listener__take(struct listener *l);
/* Closes it, and removes its file unless it is another by now. fd -1 is fine. */
void listener__close(struct listener *l);

/* A socket that is connected to such a file, and may block; in at most so many seconds (above 0;
 * INFINITY: as long as it takes). -ETIMEDOUT, -ENAMETOOLONG, -errno. */
int unix_socket__connect(const char *path, double seconds);

#endif
