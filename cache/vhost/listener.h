/* SPDX-License-Identifier: GPL-2.0 */
/* A Unix socket to be connected to by path, for its owner only. */
#ifndef HVTRACE_VHOST_LISTENER_H
#define HVTRACE_VHOST_LISTENER_H

#include <stddef.h>
#include <sys/types.h>
#include <linux/un.h>

struct listener {
	int fd;
	char path[UNIX_PATH_MAX];
	dev_t dev;
	ino_t ino;
};

/* Created 0600; does not block. A socket that nobody listens on any more is replaced. -EADDRINUSE:
 * somebody does; -EEXIST: that is something else; -errno; with a sentence in why. */
int listener__open(struct listener *l, const char *path, char *why, size_t size);
/* Closes it, and removes it from the file system unless it is another by now. fd -1 is fine. */
void listener__close(struct listener *l);

#endif
