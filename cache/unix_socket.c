// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "unix_socket.h"

/* Clients that may wait until they are accepted. */
#define BACKLOG 16

/* -EINVAL, -ENAMETOOLONG. */
static int set_address(struct sockaddr_un *a, const char *path)
{
	size_t bytes = strlen(path);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!bytes)
		return -EINVAL;
	if (bytes >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memcpy(a->sun_path, path, bytes);
	return 0;
}

static int new_socket(int flags)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	return fd < 0 ? -errno : fd;
}

/* A listener that has its backlog full makes connect() wait as send() would (unix(7),
 * unix_stream_connect()); no time at all is no limit. */
static int connect_to(const struct sockaddr_un *a, int flags, double seconds)
{
	struct timeval limit = {0};
	int fd = new_socket(flags), err = 0;

	if (fd < 0)
		return fd;
	if (isfinite(seconds))
		limit = (struct timeval){seconds, (seconds - (long)seconds) * 1e6};
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (const struct sockaddr *)a, sizeof(*a)))
		err = errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int unix_socket__connect(const char *path, double seconds)
{
	struct sockaddr_un a;

	return set_address(&a, path) ?: connect_to(&a, 0, seconds);
}

/* --- a path that is taken --- */

/* Whoever listened there is gone; the file may be, too, by now. */
static bool is_dead(const struct sockaddr_un *a)
{
	int fd = connect_to(a, SOCK_NONBLOCK, INFINITY);

	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED || fd == -ENOENT;
}

static int make_way(const struct sockaddr_un *a, char *why, size_t size)
{
	struct stat s;

	if (!lstat(a->sun_path, &s) && !S_ISSOCK(s.st_mode)) {
		snprintf(why, size,
			 "'%s' is there and is no socket: give another path, or remove it",
			 a->sun_path);
		return -EEXIST;
	}
	if (!is_dead(a)) {
		snprintf(why, size,
			 "socket '%s' is in use: end what listens there, or give another path",
			 a->sun_path);
		return -EADDRINUSE;
	}
	return unlink(a->sun_path) && errno != ENOENT ? -errno : 0;
}

/* --- listening --- */

static int bind_to(int fd, const struct sockaddr_un *a)
{
	return bind(fd, (const struct sockaddr *)a, sizeof(*a)) ? -errno : 0;
}

static int listen_at(int fd, const struct sockaddr_un *a, char *why, size_t size)
{
	int err;

	/* The mode of what bind() creates, so that nobody gets in between (unix(7) is silent on
	 * it, Linux's unix_bind() takes it from the socket's inode). */
	if (fchmod(fd, 0600))
		return -errno;
	err = bind_to(fd, a);
	if (err == -EADDRINUSE)
		err = make_way(a, why, size) ?: bind_to(fd, a);
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	return err;
}

static int remember_file(struct listener *l)
{
	struct stat s;

	if (lstat(l->path, &s))
		return -errno;
	l->dev = s.st_dev;
	l->ino = s.st_ino;
	return 0;
}

static int open_at(struct listener *l, const struct sockaddr_un *a, char *why, size_t size)
{
	int err;

	l->fd = new_socket(SOCK_NONBLOCK);
	if (l->fd < 0)
		return l->fd;
	err = listen_at(l->fd, a, why, size) ?: remember_file(l);
	if (err)
		close(l->fd);
	return err;
}

/* What to do about it. */
static const char *remedy(int err)
{
	switch (err) {
	case -ENOENT:
		return "; make its folder first, or give another path";
	case -ENOTDIR:
		return "; give a path in a folder";
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return "; give a path in a folder that this user may write to";
	default:
		return "";
	}
}

int listener__open(struct listener *l, const char *path, char *why, size_t size)
{
	struct sockaddr_un a;
	int err;

	why[0] = '\0';
	*l = (struct listener){.fd = -1};
	err = set_address(&a, path);
	if (!err) {
		memcpy(l->path, a.sun_path, sizeof(l->path));
		err = open_at(l, &a, why, size);
	}
	if (!err)
		return 0;
	l->fd = -1;
	if (err == -ENAMETOOLONG)
		snprintf(why, size, "the path of a socket has at most %zu bytes, not %zu: '%s'",
			 sizeof(a.sun_path) - 1, strlen(path), path);
	else if (!why[0])
		snprintf(why, size, "cannot listen at '%s': %s%s", path, strerror(-err),
			 remedy(err));
	return err;
}

int listener__take(struct listener *l)
{
	struct stat s;
	int fd = l->fd;

	if (fd >= 0 && !lstat(l->path, &s) && s.st_dev == l->dev && s.st_ino == l->ino)
		unlink(l->path);
	l->fd = -1;
	return fd;
}

void listener__close(struct listener *l)
{
	int fd = listener__take(l);

	if (fd >= 0)
		close(fd);
}
