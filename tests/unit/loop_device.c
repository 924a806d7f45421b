// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "loop_device.h"
#include "skips.h"

void loop_device__need(void)
{
	if (geteuid() || access("/dev/loop-control", R_OK | W_OK))
		because("loop devices need root");
}

/* Some other test may take the free one meanwhile. */
struct loop_device loop_device__new(const char *image, bool read_only)
{
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int mode = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC, file = open(image, mode);
	struct loop_config c = {
		.fd = file, .block_size = 4096, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	struct loop_device l = {.fd = -1};

	assert_true(ctl >= 0 && file >= 0);
	for (int tries = 0; tries < 100 && l.fd < 0; tries++) {
		snprintf(l.path, sizeof(l.path), "/dev/loop%d", ioctl(ctl, LOOP_CTL_GET_FREE));
		l.fd = open(l.path, mode);
		if (l.fd < 0 || !ioctl(l.fd, LOOP_CONFIGURE, &c))
			continue;
		close(l.fd);
		l.fd = -1;
	}
	assert_true(l.fd >= 0);
	close(file);
	close(ctl);
	return l;
}

void loop_device__free(struct loop_device *l)
{
	assert_int_equal(ioctl(l->fd, LOOP_CLR_FD), 0);
	close(l->fd);
}
