// SPDX-License-Identifier: GPL-2.0
/*
 * Who else may write to an image without a word, which means without QEMU's locks: programs that
 * have the file open for writing, loop devices over it, and what the kernel does with a block
 * device. What is not seen: a file of another host, or one whose file system has no leases, is
 * opened for writing by others; anyone opens it later.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"

/* --- programs --- */

/* A read lease is only to be had while nobody has the file open for writing (fcntl(2)). Needs the
 * file's owner, or CAP_LEASE. */
bool other_users__write(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool written;

	if (fd < 0)
		return false;
	/* Who opens it just now has the kernel send us a signal: one that does nothing. */
	fcntl(fd, F_SETSIG, SIGURG);
	written = fcntl(fd, F_SETLEASE, F_RDLCK) && errno == EAGAIN;
	/* Takes the lease back. */
	close(fd);
	return written;
}

/* --- loop devices --- */

static bool read_line(const char *device, const char *file, char line[PATH_MAX])
{
	char path[320];
	FILE *f;
	bool there;

	snprintf(path, sizeof(path), "/sys/block/%s/%s", device, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	there = fgets(line, PATH_MAX, f);
	fclose(f);
	if (there)
		line[strcspn(line, "\n")] = '\0';
	return there;
}

bool storage__same_image(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) || S_ISBLK(b->st_mode))
		return S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_over(const char *device, const struct stat *image)
{
	char line[PATH_MAX];
	struct stat st;

	return read_line(device, "loop/backing_file", line) && !stat(line, &st) &&
	       storage__same_image(&st, image) && read_line(device, "ro", line) &&
	       strcmp(line, "1");
}

/* A loop device over the image that is not read-only. */
static bool find_loop(const struct stat *image, char device[NAME_MAX + 1])
{
	DIR *dir = opendir("/sys/block");
	const struct dirent *e;
	bool found = false;

	while (!found && dir && (e = readdir(dir))) {
		found = !strncmp(e->d_name, "loop", 4) && is_over(e->d_name, image);
		if (found)
			snprintf(device, NAME_MAX + 1, "%s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* --- block devices --- */

/* Mounted, and not for writing anywhere. */
static bool mounted_read_only(dev_t dev)
{
	unsigned mounts = 0, writers = 0, ma, mi;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;

	/* proc(5): "36 35 98:0 /root /where options - ext4 /dev/x OPTIONS OF THE FILE SYSTEM". */
	while (f && getline(&line, &room, f) > 0) {
		const char *rest = strstr(line, " - ");
		char options[4] = "";

		if (sscanf(line, "%*d %*d %u:%u", &ma, &mi) != 2 || makedev(ma, mi) != dev)
			continue;
		mounts++;
		writers += !rest || sscanf(rest, " - %*s %*s %3[^\n]", options) != 1 ||
			   strncmp(options, "ro", 2) || !strchr(",\n", options[2]);
	}
	free(line);
	if (f)
		fclose(f);
	return mounts && !writers;
}

/* Mounts, volumes and the like exclude each other with O_EXCL. Who is to write holds that anyway
 * while it is open. */
static bool is_held(const char *path, dev_t dev)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_EXCL);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY && !mounted_read_only(dev);
}

/* --- all of them --- */

int other_users__refuse(const struct storage_info *info, const char *path, bool written,
			struct sentence *why)
{
	char device[NAME_MAX + 1];
	struct stat st;

	if (fstat(info->fd, &st))
		return 0;
	if (find_loop(&st, device))
		return sentence__say(why, -EBUSY,
				     "%s: /dev/%s is a loop device over it, and may write to it; "
				     "end that first: `losetup -d /dev/%s`",
				     path, device, device);
	if (S_ISBLK(st.st_mode) && info->read_only && is_held(path, st.st_rdev))
		return sentence__say(why, -EBUSY,
				     "%s: is in use (mounted for writing, part of a volume, or "
				     "open exclusively); end that first",
				     path);
	if (S_ISREG(st.st_mode) && written)
		return sentence__say(why, -EBUSY,
				     "%s: another process has it open for writing, and did not "
				     "lock it; end that first: `fuser -v %s` shows who",
				     path, path);
	return 0;
}
