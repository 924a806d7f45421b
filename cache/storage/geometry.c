// SPDX-License-Identifier: GPL-2.0
/* The size of an image or device, and what its requests must be aligned to. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"

#define SECTOR 512
#define MAX_BLOCK 4096

/* --- block devices --- */

/* A limit of the device's queue; a partition's is the whole device's. */
static __u64 queue_limit(dev_t dev, const char *name)
{
	static const char *const where[] = {"queue", "../queue"};
	__u64 value = 0;

	for (int i = 0; i < 2; i++) {
		char path[128];
		FILE *f;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(dev), minor(dev),
			 where[i], name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &value) != 1)
			value = 0;
		fclose(f);
		break;
	}
	return value;
}

static int find_device(struct storage_info *info, const struct stat *st)
{
	int block = 0;

	if (ioctl(info->fd, BLKGETSIZE64, &info->bytes) || ioctl(info->fd, BLKSSZGET, &block))
		return -errno;
	info->block_device = true;
	info->dev = st->st_rdev;
	info->block_bytes = block;
	info->discard = queue_limit(info->dev, "discard_max_bytes") > 0;
	info->discard_align = queue_limit(info->dev, "discard_granularity");
	return 0;
}

/* --- files --- */

/* Whether direct reads may be so small, into memory that is so aligned. */
static bool can_read(int fd, char *page, size_t bytes)
{
	return pread(fd, page + bytes % MAX_BLOCK, bytes, 0) >= 0;
}

/* Try: for file systems that do not tell. What they refuse to read, they refuse to write. */
static __u32 try_alignment(int fd)
{
	char *page = aligned_alloc(MAX_BLOCK, 2UL * MAX_BLOCK);
	__u32 bytes = SECTOR;

	if (!page)
		return MAX_BLOCK;
	while (bytes < MAX_BLOCK && !can_read(fd, page, bytes))
		bytes *= 2;
	free(page);
	return bytes;
}

/*
 * Linux 6.1 (825cf206ed510) has file systems tell: XFS, ext4, f2fs did from the start. An offset
 * alignment of 0: direct I/O is not, or no more, what this file gets.
 */
static void find_alignment(struct storage_info *info)
{
	struct statx x;

	if (!info->direct) {
		info->block_bytes = SECTOR;
		return;
	}
	if (statx(info->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) ||
	    !(x.stx_mask & STATX_DIOALIGN)) {
		info->block_bytes = try_alignment(info->fd);
		return;
	}
	info->block_bytes = x.stx_dio_offset_align;
	if (info->block_bytes < x.stx_dio_mem_align)
		info->block_bytes = x.stx_dio_mem_align;
	if (!x.stx_dio_offset_align) {
		fcntl(info->fd, F_SETFL, fcntl(info->fd, F_GETFL) & ~O_DIRECT);
		info->direct = false;
	}
}

/* Where there is nothing, so that nothing is lost. */
static bool can_punch(const struct storage_info *info)
{
	return !info->read_only &&
	       !fallocate(info->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (info->bytes + MAX_BLOCK - 1) & -MAX_BLOCK, MAX_BLOCK);
}

static void find_file(struct storage_info *info, const struct stat *st)
{
	info->bytes = st->st_size;
	info->dev = st->st_dev;
	info->ino = st->st_ino;
	find_alignment(info);
	info->discard = can_punch(info);
	/* Network file systems tell of transfers here, not of what they allocate. */
	info->discard_align = st->st_blksize <= 65536 ? st->st_blksize : MAX_BLOCK;
}

/* --- both --- */

static int check(const struct storage_info *info, const char *path, struct sentence *why)
{
	if (!info->bytes && info->block_device)
		return sentence__say(why, -EINVAL, "%s: is empty; attach something to it first",
				     path);
	if (!info->bytes)
		return sentence__say(why, -EINVAL,
				     "%s: is empty; `truncate -s 20G %s` makes it an image", path,
				     path);
	if (info->block_bytes > MAX_BLOCK)
		return sentence__say(why, -EINVAL,
				     "%s: has blocks of %u bytes; up to %d can be served", path,
				     info->block_bytes, MAX_BLOCK);
	if (info->bytes % info->block_bytes)
		return sentence__say(why, -EINVAL,
				     "%s: its size, %llu bytes, is not a multiple of its block "
				     "size, %u; `truncate -s %%%u %s` rounds it up",
				     path, info->bytes, info->block_bytes, info->block_bytes, path);
	return 0;
}

int geometry__find(struct storage_info *info, const char *path, struct sentence *why)
{
	struct stat st;
	int err = fstat(info->fd, &st) ? -errno : 0;

	if (!err && S_ISBLK(st.st_mode))
		err = find_device(info, &st);
	else if (!err)
		find_file(info, &st);
	if (err)
		return sentence__say(why, err, "%s: can't find its size: %s", path, strerror(-err));
	if (info->block_bytes < SECTOR)
		info->block_bytes = SECTOR;
	if (info->discard_align < info->block_bytes)
		info->discard_align = info->block_bytes;
	if (info->read_only)
		info->discard = false;
	return check(info, path, why);
}
