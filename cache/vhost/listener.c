// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "listener.h"

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Nobody accepts connections there: the process that did is gone. */
static bool is_dead(const struct sockaddr_un *a)
{
	int fd = new_socket();
	bool dead;

	if (fd < 0)
		return false;
	dead = connect(fd, (const struct sockaddr *)a, sizeof(*a)) && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static int remove_dead(const struct sockaddr_un *a, char *why, size_t size)
{
	struct stat s;

	if (!lstat(a->sun_path, &s) && !S_ISSOCK(s.st_mode)) {
		snprintf(why, size, "%s is there and is no socket: give another path, or remove it",
			 a->sun_path);
		return -EEXIST;
	}
	if (!is_dead(a)) {
		snprintf(why, size, "another process listens on %s: end it, or give another path",
			 a->sun_path);
		return -EADDRINUSE;
	}
	return unlink(a->sun_path) ? -errno : 0;
}

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
	if (err == -EADDRINUSE) {
		err = remove_dead(a, why, size);
		if (!err)
			err = bind_to(fd, a);
	}
	if (!err && listen(fd, 1))
		err = -errno;
	return err;
}

static int set_address(struct sockaddr_un *a, const char *path, char *why, size_t size)
{
	size_t bytes = strlen(path);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (bytes && bytes < sizeof(a->sun_path)) {
		memcpy(a->sun_path, path, bytes);
		return 0;
	}
	snprintf(why, size, "the path of a socket has 1 to %zu bytes, not %zu: %s",
		 sizeof(a->sun_path) - 1, bytes, path);
	return bytes ? -ENAMETOOLONG : -EINVAL;
}

/* To be known again when it is to be removed. */
static int remember(struct listener *l)
{
	struct stat s;

	if (lstat(l->path, &s))
		return -errno;
	l->dev = s.st_dev;
	l->ino = s.st_ino;
	return 0;
}

int listener__open(struct listener *l, const char *path, char *why, size_t size)
{
	struct sockaddr_un a;
	int err;

	why[0] = '\0';
	*l = (struct listener){.fd = -1};
	err = set_address(&a, path, why, size);
	if (err)
		return err;
	memcpy(l->path, a.sun_path, sizeof(l->path));
	l->fd = new_socket();
	err = l->fd < 0 ? -errno : listen_at(l->fd, &a, why, size);
	if (!err)
		err = remember(l);
	if (!err)
		return 0;
	if (!why[0])
		snprintf(why, size, "can't listen on %s: %s", path, strerror(-err));
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	return err;
}

void listener__close(struct listener *l)
{
	struct stat s;

	if (l->fd < 0)
		return;
	if (!lstat(l->path, &s) && s.st_dev == l->dev && s.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
	l->fd = -1;
}
