/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kind of file a front end gave. Files may be of somebody (FUSE) who lets anyone wait that
 * touches them, closes them or as much as asks fstat(); these ask the kernel alone.
 */
#ifndef HVTRACE_VHOST_GIVEN_FD_H
#define HVTRACE_VHOST_GIVEN_FD_H

#include <stdbool.h>

/* Its pages are the kernel's own memory: memfd, tmpfs or hugetlbfs. */
bool given_fd__is_memory(int fd);
bool given_fd__is_eventfd(int fd);

#endif
