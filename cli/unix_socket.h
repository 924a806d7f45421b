/* SPDX-License-Identifier: GPL-2.0 */
/* Stream sockets in the file system. */
#ifndef HVTRACE_UNIX_SOCKET_H
#define HVTRACE_UNIX_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

/* A socket that others may connect to, non-blocking, 0600. One that nobody listens on any more is
 * replaced; anything else that is there is left alone. Its file in dev and ino, to know it by. The
 * fd, or -EADDRINUSE, -errno, with a sentence in why. */
int unix_socket__listen(const char *path, dev_t *dev, ino_t *ino, char *why, size_t size);
/* Remove the file, if it still is the one. */
void unix_socket__unlink(const char *path, dev_t dev, ino_t ino);
/* Connected, or -errno, -ENAMETOOLONG. */
int unix_socket__connect(const char *path);

#endif
