// SPDX-License-Identifier: GPL-2.0
/* What /proc tells of a VM process: its age, its images, its shared memory. */
#define _GNU_SOURCE /* O_DIRECT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vm_identity.h"

/* Smaller files are configuration, locks and pid files. */
#define IMAGE_MIN_BYTES (64 * 1024)

/* userspace's dev_t is another encoding than the kernel's (include/linux/kdev_t.h). */
static __u64 kernel_dev(unsigned int maj, unsigned int min)
{
	return (__u64)maj << 20 | min;
}

static FILE *open_proc(pid_t pid, const char *file, int *err)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	*err = f ? 0 : errno == ENOENT ? -ESRCH : -errno;
	return f;
}

int proc__start_ticks(pid_t pid, __u64 *ticks)
{
	char line[1024];
	const char *p;
	int i, err;
	FILE *f;

	f = open_proc(pid, "stat", &err);
	if (!f)
		return err;
	p = fgets(line, sizeof(line), f);
	fclose(f);
	/* comm may hold spaces and brackets; the last one closes it. Field 3 comes next. */
	p = p ? strrchr(line, ')') : NULL;
	for (i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, "%llu", ticks) != 1)
		return -ESRCH;
	return 0;
}

int proc__resident(pid_t pid, __u64 *pages)
{
	int err, n;
	FILE *f;

	f = open_proc(pid, "statm", &err);
	if (!f)
		return err;
	n = fscanf(f, "%*u %llu", pages);
	fclose(f);
	*pages = n == 1 ? *pages * (sysconf(_SC_PAGESIZE) / PAGE_BYTES) : 0;
	return n == 1 ? 0 : -ESRCH;
}

static bool fd_flags(pid_t pid, int fd, unsigned int *flags)
{
	char file[64], line[128];
	bool found = false;
	int err;
	FILE *f;

	snprintf(file, sizeof(file), "fdinfo/%d", fd);
	f = open_proc(pid, file, &err);
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "flags: %o", flags) == 1;
	fclose(f);
	return found;
}

/* Guest memory is a file, too: memfd, and hugetlbfs. */
static bool is_memory(const char *link, const char *target)
{
	struct statfs fs;

	return !strncmp(target, "/memfd:", 7) ||
	       (!statfs(link, &fs) && fs.f_type == HUGETLBFS_MAGIC);
}

static bool read_image(pid_t pid, int fd, struct vm_image *image)
{
	unsigned int flags;
	char link[64];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
	memset(image, 0, sizeof(*image));
	n = readlink(link, image->path, sizeof(image->path) - 1);
	if (n <= 0 || stat(link, &st) || !fd_flags(pid, fd, &flags))
		return false;
	image->direct = flags & O_DIRECT;
	image->block = S_ISBLK(st.st_mode);
	if (image->block) {
		image->dev = kernel_dev(major(st.st_rdev), minor(st.st_rdev));
		return true;
	}
	image->dev = kernel_dev(major(st.st_dev), minor(st.st_dev));
	image->ino = st.st_ino;
	image->bytes = st.st_size;
	return S_ISREG(st.st_mode) && st.st_size >= IMAGE_MIN_BYTES && !(flags & O_APPEND) &&
	       (flags & O_ACCMODE) != O_WRONLY && !is_memory(link, image->path);
}

int vm_identity__each_image(pid_t pid, vm_image_fn fn, void *ctx)
{
	struct vm_image image;
	struct dirent *entry;
	char path[64];
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && read_image(pid, atoi(entry->d_name), &image))
			ret = fn(ctx, &image);
	closedir(dir);
	return ret;
}

/* Device mappings and KVM's own are shared files as well, but not guest memory. */
static bool may_be_guest_memory(const char *path)
{
	static const char *const in_dev[] = {"/dev/shm/", "/dev/hugepages", "/dev/zero"};
	size_t i;

	if (!strncmp(path, "anon_inode:", 11))
		return false;
	if (strncmp(path, "/dev/", 5))
		return true;
	for (i = 0; i < sizeof(in_dev) / sizeof(in_dev[0]); i++)
		if (!strncmp(path, in_dev[i], strlen(in_dev[i])))
			return true;
	return false;
}

/* A line of /proc/PID/maps: start-end perms offset major:minor inode path */
static bool parse_range(const char *line, struct vm_range *r)
{
	unsigned int maj, min;
	char perms[8];
	int path = 0;

	if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu %n", &r->start, &r->end, perms, &r->offset,
		   &maj, &min, &r->ino, &path) < 7 ||
	    !path)
		return false;
	r->dev = kernel_dev(maj, min);
	/* tmpfs, memfd and hugetlbfs have no device of their own: major 0. */
	return r->ino && !maj && perms[1] == 'w' && perms[3] == 's' &&
	       may_be_guest_memory(line + path);
}

/* madvise() and mprotect() split one mapping into many. */
static bool extend_range(struct vm_range *r, const struct vm_range *next)
{
	if (r->end != next->start || r->dev != next->dev || r->ino != next->ino ||
	    r->offset + (r->end - r->start) != next->offset)
		return false;
	r->end = next->end;
	return true;
}

int vm_identity__each_range(pid_t pid, vm_range_fn fn, void *ctx)
{
	struct vm_range range = {0}, next;
	char *line = NULL;
	size_t size = 0;
	int ret = 0;
	FILE *f;

	f = open_proc(pid, "maps", &ret);
	if (!f)
		return ret;
	while (!ret && getline(&line, &size, f) > 0) {
		if (!parse_range(line, &next) || extend_range(&range, &next))
			continue;
		if (range.end)
			ret = fn(ctx, &range);
		range = next;
	}
	if (!ret && range.end)
		ret = fn(ctx, &range);
	free(line);
	fclose(f);
	return ret;
}
