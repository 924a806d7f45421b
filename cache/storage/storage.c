// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define RETRY_NS 20000000L

int sentence__say(struct sentence *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, why->size, format, args);
	va_end(args);
	return err;
}

/* --- opening --- */

/* Before it is opened: opening some devices does something. */
static int look(const char *path, struct sentence *why)
{
	struct stat st;

	if (stat(path, &st)) {
		if (errno == ENOENT)
			return sentence__say(why, -ENOENT,
					     "%s: there is no such image; check the path, or make "
					     "one: `truncate -s 20G %s`",
					     path, path);
		return sentence__say(why, -errno, "%s: can't look at it: %s; check the path", path,
				     strerror(errno));
	}
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		return sentence__say(why, -EISDIR, "%s: is a directory; name an image in it", path);
	return sentence__say(why, -ENOTBLK,
			     "%s: is neither a regular file nor a block device; name one of these",
			     path);
}

static int cannot_open(const struct storage_opts *o, int err, struct sentence *why)
{
	const char *path = o->path;

	switch (err) {
	case -EACCES:
	case -EPERM:
	case -EROFS:
		if (o->read_only)
			return sentence__say(why, err,
					     "%s: no permission to read it; change its mode or "
					     "owner, or be another user",
					     path);
		return sentence__say(why, err,
				     "%s: no permission to write to it (%s); serve it read-only "
				     "(ro), or change its mode or owner",
				     path, strerror(-err));
	case -EBUSY:
		return sentence__say(why, err,
				     "%s: is in use (mounted, part of a volume, or open "
				     "exclusively); end that first",
				     path);
	default:
		return sentence__say(why, err, "%s: can't open it: %s", path, strerror(-err));
	}
}

/* Some kernels let one open a read-only device for writing. */
static int check_writable(int fd)
{
	int read_only = 0;

	return !ioctl(fd, BLKROGET, &read_only) && read_only ? -EROFS : 0;
}

/* O_EXCL: the kernel's own users of a block device, mounts for one, exclude each other so. */
static int open_image(struct storage_info *info, const struct storage_opts *o)
{
	int flags = O_CLOEXEC | (o->read_only ? O_RDONLY : O_RDWR);
	struct stat st;

	if (!o->read_only && !stat(o->path, &st) && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	info->read_only = o->read_only;
	info->direct = true;
	info->fd = open(o->path, flags | O_DIRECT);
	if (info->fd < 0 && errno == EINVAL) {
		info->direct = false;
		info->fd = open(o->path, flags);
	}
	if (info->fd < 0)
		return -errno;
	return o->read_only ? 0 : check_writable(info->fd);
}

static void close_image(struct storage_info *info)
{
	if (info->fd < 0)
		return;
	/* The kernel may be closing a ring of ours still, and the file with it. */
	image_lock__drop(info->fd);
	close(info->fd);
	info->fd = -1;
}

static int open_and_lock(struct storage_info *info, const struct storage_opts *o,
			 struct sentence *why)
{
	bool written = !o->shared && other_users__write(o->path);
	int err = open_image(info, o);

	if (err)
		cannot_open(o, err, why);
	else
		err = image_lock__take(info, o->path, why)
			      ?: other_users__refuse(info, o->path, written, why);
	if (err)
		close_image(info);
	return err;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int open_patiently(struct storage_info *info, const struct storage_opts *o,
			  struct sentence *why)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	double until = now() + o->patience;
	int err;

	while ((err = open_and_lock(info, o, why)) == -EBUSY && now() < until) {
		if (o->told_to_end && o->told_to_end())
			return -EINTR;
		nanosleep(&pause, NULL);
	}
	return err;
}

static int map_zeroes(struct storage *s, struct sentence *why)
{
	void *p = mmap(NULL, STORAGE_ZEROES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return sentence__say(why, -ENOMEM, "out of memory");
	s->zeroes = p;
	return 0;
}

int storage__open(struct storage **out, const struct storage_opts *o, char *why, size_t size)
{
	struct sentence sentence = {why, size};
	struct storage *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return sentence__say(&sentence, -ENOMEM, "out of memory");
	s->info.fd = -1;
	err = look(o->path, &sentence)
		      ?: open_patiently(&s->info, o, &sentence)
		      ?: geometry__find(&s->info, o->path, &sentence)
		      ?: image_format__check(&s->info, o->path, &sentence)
		      ?: map_zeroes(s, &sentence);
	if (err)
		storage__close(s);
	else
		*out = s;
	return err;
}

void storage__close(struct storage *s)
{
	if (!s)
		return;
	close_image(&s->info);
	if (s->zeroes)
		munmap((void *)s->zeroes, STORAGE_ZEROES);
	free(s);
}

const struct storage_info *storage__info(const struct storage *s)
{
	return &s->info;
}
