// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* O_DIRECT */
#include "foreign_image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define XFS_MAGIC 0x58465342
#define GFS2_MAGIC 0x01161970
#define SECTOR 512ULL

/* What a file of a device in sysfs says. */
static int read_sysfs(dev_t dev, const char *file, char *line, size_t size)
{
	char path[96];
	int err = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev), minor(dev), file);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fgets(line, size, f))
		err = -EIO;
	fclose(f);
	return err;
}

/* The disk that a partition is one of, and where it starts there; else -ENOENT. */
static int find_disk(dev_t dev, dev_t *disk, __u64 *start)
{
	unsigned int maj, min;
	char line[32];
	int err = read_sysfs(dev, "start", line, sizeof(line));

	if (err)
		return err;
	*start = strtoull(line, NULL, 10) * SECTOR;
	err = read_sysfs(dev, "../dev", line, sizeof(line));
	if (err)
		return err;
	if (sscanf(line, "%u:%u", &maj, &min) != 2)
		return -EIO;
	*disk = makedev(maj, min);
	return 0;
}

static int init_device(struct foreign_image *i, int fd, dev_t dev, char *why, size_t size)
{
	__u64 bytes;
	dev_t disk;
	int err = find_disk(dev, &disk, &i->first);

	if (err == -ENOENT) {
		err = 0;
		i->first = 0;
		disk = dev;
	}
	if (!err && ioctl(fd, BLKGETSIZE64, &bytes))
		err = -errno;
	if (err) {
		snprintf(why, size, "can't find out what device %u:%u is: %s; is sysfs mounted?",
			 major(dev), minor(dev), strerror(-err));
		return err;
	}
	i->is_device = true;
	/* Userspace's dev_t is another encoding than the kernel's (include/linux/kdev_t.h). */
	i->disk = major(disk) << 20 | minor(disk);
	i->end = i->first + bytes;
	return 0;
}

int foreign_image__init(struct foreign_image *i, __u16 id, int fd, char *why, size_t size)
{
	struct stat st;

	*i = (struct foreign_image){.id = id};
	if (fstat(fd, &st)) {
		snprintf(why, size, "can't find out what the image is: %s", strerror(errno));
		return -errno;
	}
	return S_ISBLK(st.st_mode) ? init_device(i, fd, st.st_rdev, why, size) : 0;
}

/* File systems whose direct I/O goes through iomap. */
static bool fs_uses_iomap(__u64 magic)
{
	switch (magic) {
	case EXT4_SUPER_MAGIC:
	case XFS_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case GFS2_MAGIC:
		return true;
	}
	return false;
}

bool foreign_image__has_gaps(const struct foreign_image *i, int fd, bool iomap, char *why,
			     size_t size)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || !(flags & O_DIRECT)) {
		snprintf(why, size,
			 "it is not read directly, so not every write of others is seen; "
			 "see that nobody else writes to it");
		return true;
	}
	if (i->is_device || (iomap && fs_uses_iomap(i->magic)))
		return false;
	snprintf(why, size,
		 "not every write of others is seen on its file system; see that nobody else "
		 "writes to it");
	return true;
}
