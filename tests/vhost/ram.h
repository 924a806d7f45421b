/* SPDX-License-Identifier: GPL-2.0 */
/* A guest's memory, of one or several files that can be shared with a back end. */
#ifndef TESTS_VHOST_RAM_H
#define TESTS_VHOST_RAM_H

#include <stdbool.h>
#include <linux/types.h>

#define RAM_REGIONS 256
#define RAM_PAGE 4096u

struct ram_region {
	__u64 gpa, bytes;
	__u64 offset; /* in its file */
	char *base;   /* here, which is also what the back end is told as its user address */
	int fd;
	__u64 used; /* bytes, by ram__alloc() */
};

struct ram {
	struct ram_region region[RAM_REGIONS];
	unsigned nr;
};

/* More memory at that guest physical address: `offset` bytes into a file of its own. -errno. */
int ram__add(struct ram *m, __u64 gpa, __u64 bytes, __u64 offset, bool hugetlb);
void ram__remove(struct ram *m, unsigned i);
void ram__free(struct ram *m);
/* Where it is here; NULL: not in one piece in one region. */
void *ram__at(const struct ram *m, __u64 gpa, __u64 bytes);
/* Memory that nobody uses yet, zeroed; never given back. 0: there is not so much in one region
 * (no region begins at 0 then, or its first page is taken). */
__u64 ram__alloc(struct ram *m, __u64 bytes, __u64 align);

#endif
