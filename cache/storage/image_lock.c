// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's image locking (block/file-posix.c, raw_apply_lock_bytes() and raw_check_lock_bytes()):
 * byte 100 + i is locked, shared, by who makes use of permission i, byte 200 + i by who does not
 * let others make use of it. One first locks all of one's own bytes, then looks whether somebody
 * else has a lock on one that contradicts; so of two at the same time, at least one notices.
 *
 * Locks of the open file description: requests in flight keep that open, so the locks last as long
 * as the last of them, also when the process is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "internal.h"

/* The permissions' numbers: BLK_PERM_* of QEMU's include/block/block-common.h. */
enum { CONSISTENT_READ, WRITE, WRITE_UNCHANGED, RESIZE, PERMISSIONS };
#define BIT(n) (1U << (n))

#define USED 100
#define UNSHARED 200
#define LOCK_BYTES 128 /* more than there are permissions, of today's QEMU and of tomorrow's */

/* What a cache holds must not be changed by another, whether it may write itself or not. */
#define MAY_NOT (BIT(WRITE) | BIT(RESIZE))

static unsigned needed(bool read_only)
{
	return BIT(CONSISTENT_READ) | (read_only ? 0 : BIT(WRITE));
}

static int lock_bytes(int fd, unsigned bits, int base)
{
	for (int i = 0; i < PERMISSIONS; i++) {
		struct flock l = {
			.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = base + i, .l_len = 1};

		if (bits & BIT(i) && fcntl(fd, F_OFD_SETLK, &l))
			return -errno;
	}
	return 0;
}

/* Whether others have a lock on one of the bytes: 1, 0 or -errno. pid: who, if it is to be had (OFD
 * locks are not a process's). */
static int others_lock(int fd, unsigned bits, int base, pid_t *pid)
{
	for (int i = 0; i < PERMISSIONS; i++) {
		struct flock l = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = base + i, .l_len = 1};

		if (!(bits & BIT(i)))
			continue;
		if (fcntl(fd, F_OFD_GETLK, &l))
			return -errno;
		if (l.l_type == F_UNLCK)
			continue;
		*pid = l.l_pid;
		return 1;
	}
	return 0;
}

static int refuse(const char *path, const char *what, pid_t pid, struct sentence *why)
{
	if (pid > 0)
		return sentence__say(why, -EBUSY, "%s: process %d %s; end that first", path, pid,
				     what);
	return sentence__say(why, -EBUSY,
			     "%s: another process (a VM, qemu-img, another server) %s; end that "
			     "first: `fuser -v %s` shows who has it open",
			     path, what, path);
}

/* Locks that are there and do not work keep nobody out: as when all of the host's are taken, or the
 * lock server of a network file system does not answer. */
static int cannot_lock(const char *path, int err, struct sentence *why)
{
	return sentence__say(why, err,
			     "%s: can't lock it: %s; see to the locks of its file system (of NFS: "
			     "that its server has them)",
			     path, strerror(-err));
}

static int check(int fd, const char *path, bool read_only, struct sentence *why)
{
	pid_t pid = 0;
	int there = others_lock(fd, MAY_NOT, USED, &pid);

	if (there > 0)
		return refuse(path, "has it open for writing", pid, why);
	if (!there)
		there = others_lock(fd, needed(read_only), UNSHARED, &pid);
	if (there > 0)
		return refuse(path, "uses it and lets nobody write to it", pid, why);
	return there ? cannot_lock(path, there, why) : 0;
}

/* QEMU goes without them then, too. */
static bool has_no_locks(int err)
{
	return err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP;
}

int image_lock__take(struct storage_info *info, const char *path, struct sentence *why)
{
	int err = lock_bytes(info->fd, needed(info->read_only), USED)
			  ?: lock_bytes(info->fd, MAY_NOT, UNSHARED);

	info->locked = !err;
	if (err == -EAGAIN || err == -EACCES)
		return refuse(path, "has it locked", 0, why);
	if (has_no_locks(err))
		return 0;
	if (err)
		return cannot_lock(path, err, why);
	err = check(info->fd, path, info->read_only, why);
	if (err)
		image_lock__drop(info->fd);
	return err;
}

void image_lock__drop(int fd)
{
	struct flock l = {.l_type = F_UNLCK,
			  .l_whence = SEEK_SET,
			  .l_start = USED,
			  .l_len = UNSHARED + LOCK_BYTES - USED};

	fcntl(fd, F_OFD_SETLK, &l);
}
