/* SPDX-License-Identifier: GPL-2.0 */
/* How a test speaks with a VM that is a process of its own: scripts one way, reports the other. */
#ifndef TESTS_KVM_VM_CONTROL_H
#define TESTS_KVM_VM_CONTROL_H

#include "guest_abi.h"

/* Once when the guest is READY or could not be started, then once a script. */
struct vm_report {
	__s64 err;	 /* 0 or -errno, of vmm__new or vmm__run */
	__u64 fault_at;	 /* see struct guest_mailbox */
	__u64 steps;	 /* ... */
	__u64 base_page; /* host virtual page of frame 0 */
	__u64 mem_pages, own_pages;
};

#define VM_CONTROL_FD 3

#endif
