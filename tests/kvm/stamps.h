/* SPDX-License-Identifier: GPL-2.0 */
/* A disk for OP_CACHE: the guest checks that each page begins with its number. */
#ifndef TESTS_KVM_STAMPS_H
#define TESTS_KVM_STAMPS_H

#include <linux/types.h>

/* Writes all pages of a block device or file. -errno. */
int stamps__write(const char *path, __u64 pages);

#endif
