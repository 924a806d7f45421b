// SPDX-License-Identifier: GPL-2.0
#include "unix_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fill_in(struct sockaddr_un *un, const char *path)
{
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	strcpy(un->sun_path, path);
	return 0;
}

int unix_socket__connect(const char *path)
{
	struct sockaddr_un un;
	int fd, err = fill_in(&un, path);

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Make way: 0, or -EADDRINUSE. */
static int remove_stale(const char *path, char *why, size_t size)
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, size, "'%s' is there and is no socket; choose another path", path);
		return -EADDRINUSE;
	}
	fd = unix_socket__connect(path);
	if (fd == -ECONNREFUSED)
		unlink(path);
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		return 0;
	if (fd >= 0)
		close(fd);
	snprintf(why, size, "socket '%s' is in use: end what listens there, or choose another path",
		 path);
	return -EADDRINUSE;
}

static int bind_and_listen(int fd, const struct sockaddr_un *un)
{
	mode_t mask = umask(0177);
	int err = bind(fd, (const struct sockaddr *)un, sizeof(*un)) ? -errno : 0;

	umask(mask);
	if (!err && listen(fd, 16))
		err = -errno;
	return err;
}

static int listen_at(const struct sockaddr_un *un, dev_t *dev, ino_t *ino)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st = {0};
	int err;

	if (fd < 0)
		return -errno;
	err = bind_and_listen(fd, un);
	if (!err && lstat(un->sun_path, &st))
		err = -errno;
	*dev = st.st_dev;
	*ino = st.st_ino;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int unix_socket__listen(const char *path, dev_t *dev, ino_t *ino, char *why, size_t size)
{
	struct sockaddr_un un;
	int fd = fill_in(&un, path);

	if (!fd && remove_stale(path, why, size))
		return -EADDRINUSE;
	if (!fd)
		fd = listen_at(&un, dev, ino);
	if (fd < 0)
		snprintf(why, size, "cannot listen at '%s': %s", path, strerror(-fd));
	return fd;
}

void unix_socket__unlink(const char *path, dev_t dev, ino_t ino)
{
	struct stat st;

	if (!lstat(path, &st) && st.st_dev == dev && st.st_ino == ino)
		unlink(path);
}
