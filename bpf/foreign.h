/* SPDX-License-Identifier: GPL-2.0 */
/* What bpf/foreign.bpf.c tells loader/foreign*.c. Private to them. */
#ifndef HVTRACE_FOREIGN_EVENT_H
#define HVTRACE_FOREIGN_EVENT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum foreign_kind {
	FOREIGN_DIRTY, /* pages of a file or device are dirtied in the page cache; who = mapping */
	FOREIGN_FILE,  /* a file is about to be written otherwise; who = mapping */
	FOREIGN_DISK,  /* a disk is about to be written; who = its dev_t, as the kernel has it */
	FOREIGN_UNMAP, /* a process gives up memory; who = tgid */
};

/* 32 bytes. first is a position in file or disk, or an address. */
struct foreign_event {
	__u64 kind;
	__u64 who;
	__u64 first;
	__u64 bytes;
};

#define FOREIGN_ALL (~0ULL) /* bytes: to the end */

/* The part of a disk that is served: [first, end), bytes. */
struct foreign_part {
	__u64 first;
	__u64 end;
};

#define FOREIGN_MAX 1024 /* files, disks, VMMs */

#endif
