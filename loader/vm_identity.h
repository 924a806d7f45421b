/* SPDX-License-Identifier: GPL-2.0 */
/* Who a VM process is: read from /proc, by the conventions of each VMM. */
#ifndef HVTRACE_VM_IDENTITY_H
#define HVTRACE_VM_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../bpf/page_event.h"

struct vm_identity {
	pid_t pid;
	char name[64]; /* guest name, or comm:pid */
	char vmm[24];  /* "qemu", "firecracker", "cloud-hypervisor", "crosvm", "process" */
	char uuid[40]; /* "" if not given */
};

/* Parse a command line (NUL-separated, len bytes, as in /proc/PID/cmdline).
 * comm names the process when the VMM gives no name. Never fails: pure, no I/O. */
void vm_identity__parse(struct vm_identity *id, pid_t pid, const char *comm, const char *cmdline,
			size_t len);
/* Read /proc/PID. -ESRCH when there is no such process. */
int vm_identity__read(struct vm_identity *id, pid_t pid);

/* The process's start time in clock ticks after boot (/proc/PID/stat, field 22);
 * tells a reused pid. */
int proc__start_ticks(pid_t pid, __u64 *ticks);
/* Pages of 4096 bytes that are in memory, huge pages of hugetlbfs not counted. -ESRCH. */
int proc__resident(pid_t pid, __u64 *pages);

/* Files and block devices a process holds open that can be a VM's image. */
struct vm_image {
	__u64 dev;   /* st_dev, or st_rdev of a block device, as the kernel's dev_t (12:20) */
	__u64 ino;   /* 0 for a block device */
	__u64 bytes; /* 0 for a block device */
	bool direct; /* opened with O_DIRECT */
	bool block;
	char path[256]; /* as the process's own mount namespace has it */
};
typedef int (*vm_image_fn)(void *ctx, const struct vm_image *image);
/* Calls fn for each; stops when it returns non-zero, and returns that. -errno else. */
int vm_identity__each_image(pid_t pid, vm_image_fn fn, void *ctx);

/* Shared-file ranges of a process's memory (memfd, hugetlbfs, /dev/shm), from
 * /proc/PID/maps: guest memory that is backed by a file. */
struct vm_range {
	__u64 start, end; /* host virtual addresses, bytes */
	__u64 offset;	  /* in the file, bytes */
	__u64 dev, ino;	  /* dev as the kernel's dev_t (12:20) */
};
typedef int (*vm_range_fn)(void *ctx, const struct vm_range *range);
int vm_identity__each_range(pid_t pid, vm_range_fn fn, void *ctx);

#endif
