// SPDX-License-Identifier: GPL-2.0
/*
 * dm-linear DEVICE SECTORS: a device-mapper device that is the first sectors of
 * another, at /dev/stacked. What a stacked device makes of a
 * bio is a bio again. (dmsetup is not static, and the guest is one file system of
 * static programs.)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CONTROL "/dev/mapper/control"
#define NODE "/dev/stacked"

struct request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char params[128];
};

static void die(const char *what)
{
	fprintf(stderr, "dm-linear: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void call(int fd, unsigned long nr, struct request *r, const char *what)
{
	r->head.version[0] = DM_VERSION_MAJOR;
	r->head.data_size = sizeof(*r);
	r->head.data_start = sizeof(r->head);
	snprintf(r->head.name, sizeof(r->head.name), "stacked");
	if (ioctl(fd, nr, r))
		die(what);
}

static int open_control(void)
{
	unsigned int major = 0, minor = 0;
	char name[32];
	FILE *f = fopen("/proc/misc", "r");
	int fd;

	while (f && fscanf(f, "%u %31s", &minor, name) == 2 && strcmp(name, "device-mapper"))
		;
	if (!f || strcmp(name, "device-mapper"))
		die("no device mapper in /proc/misc");
	fclose(f);
	major = 10; /* misc devices */
	mkdir("/dev/mapper", 0755);
	mknod(CONTROL, S_IFCHR | 0600, makedev(major, minor));
	fd = open(CONTROL, O_RDWR);
	if (fd < 0)
		die(CONTROL);
	return fd;
}

int main(int argc, char **argv)
{
	struct request r = {};
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: dm-linear DEVICE SECTORS\n");
		return 2;
	}
	fd = open_control();
	call(fd, DM_DEV_CREATE, &r, "create");
	memset(&r, 0, sizeof(r)); /* a device by its name: not by its number as well */
	r.head.target_count = 1;
	r.target.length = strtoull(argv[2], NULL, 10);
	snprintf(r.target.target_type, sizeof(r.target.target_type), "linear");
	snprintf(r.params, sizeof(r.params), "%s 0", argv[1]);
	call(fd, DM_TABLE_LOAD, &r, "table");
	memset(&r, 0, sizeof(r));
	call(fd, DM_DEV_SUSPEND, &r, "resume"); /* without the suspend flag: resume */
	if (mknod(NODE, S_IFBLK | 0600, r.head.dev) && errno != EEXIST)
		die(NODE);
	puts(NODE);
	return 0;
}
