/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much memory a VM has: its slots, less what it gave back (a balloon). Who gives memory back
 * and takes it again is seen by two things: frames that the VMM unmaps, and how much of its memory
 * is there.
 */
#ifndef HVTRACE_VM_MEMORY_H
#define HVTRACE_VM_MEMORY_H

#include <linux/types.h>

struct vm_memory {
	__u64 slots;	 /* pages */
	__u64 top;	 /* the most that was resident since the slots changed, pages */
	__u64 discarded; /* frames, as of when all was there */
};

/*
 * Pages, 0: not known. slots: of KVM; resident: of the process, 0: not known; discarded: frames
 * that the VMM has unmapped so far. All zero at first.
 */
__u64 vm_memory__now(struct vm_memory *m, __u64 slots, __u64 resident, __u64 discarded);

#endif
