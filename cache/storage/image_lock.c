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

/* Whether others have a lock on one of the bytes. pid: who, if it is to be had (OFD locks are not
 * a process's). */
static bool others_lock(int fd, unsigned bits, int base, pid_t *pid)
{
	for (int i = 0; i < PERMISSIONS; i++) {
		struct flock l = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = base + i, .l_len = 1};

		if (!(bits & BIT(i)) || fcntl(fd, F_OFD_GETLK, &l) || l.l_type == F_UNLCK)
			continue;
		*pid = l.l_pid;
		return true;
	}
	return false;
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

static int check(int fd, const char *path, bool read_only, struct sentence *why)
{
	pid_t pid = 0;

	if (others_lock(fd, MAY_NOT, USED, &pid))
		return refuse(path, "has it open for writing", pid, why);
	if (others_lock(fd, needed(read_only), UNSHARED, &pid))
		return refuse(path, "uses it and lets nobody write to it", pid, why);
	return 0;
}

int image_lock__take(int fd, const char *path, bool read_only, struct sentence *why)
{
	int err = lock_bytes(fd, needed(read_only), USED) ?: lock_bytes(fd, MAY_NOT, UNSHARED);

	if (err == -EAGAIN || err == -EACCES)
		return refuse(path, "has it locked", 0, why);
	/* No locks on this file system: QEMU goes without them then, too. */
	if (err)
		return 0;
	err = check(fd, path, read_only, why);
	if (err)
		image_lock__drop(fd);
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
