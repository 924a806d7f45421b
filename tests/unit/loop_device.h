/* SPDX-License-Identifier: GPL-2.0 */
/* Loop devices, for tests of what a block device is. They go with the process. */
#ifndef TESTS_UNIT_LOOP_DEVICE_H
#define TESTS_UNIT_LOOP_DEVICE_H

#include <stdbool.h>

struct loop_device {
	char path[32];
	int fd;
};

/* Leaves the test where there are none: see skips.h. */
void loop_device__need(void);
/* Over a file or a device, with blocks of 4 KiB. Asserts. */
struct loop_device loop_device__new(const char *image, bool read_only);
void loop_device__free(struct loop_device *l);

#endif
