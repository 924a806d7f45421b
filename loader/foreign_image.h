/* SPDX-License-Identifier: GPL-2.0 */
/* An image that is watched: which of the kernel's objects it is. */
#ifndef HVTRACE_FOREIGN_IMAGE_H
#define HVTRACE_FOREIGN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "later.h"

struct foreign_image {
	__u16 id;
	__u64 mapping;	  /* its page cache: struct address_space * */
	__u64 magic;	  /* of its file system */
	bool is_device;	  /* then, too: */
	__u32 disk;	  /* dev_t of the whole disk, as the kernel has it */
	__u64 first, end; /* where it is on that, bytes */
	struct later later;
};

/* What the fd is, but for mapping and magic. -errno, with a sentence in why. */
int foreign_image__init(struct foreign_image *i, __u16 id, int fd, char *why, size_t size);
/* Is there something that others can do to it unseen? Then why says what. iomap: direct I/O that
 * goes through the kernel's iomap is seen. */
bool foreign_image__has_gaps(const struct foreign_image *i, int fd, bool iomap, char *why,
			     size_t size);

#endif
