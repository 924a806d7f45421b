/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small VMM: one virtual CPU at CPL 3, memory of a chosen kind, one disk. The
 * guest program (guest.c) runs scripts: which frames are touched and what goes
 * between disk and frames is up to the test, to the page.
 *
 * The process that calls vmm__new is the VM. Pages are 4096 bytes throughout;
 * errors are -errno.
 */
#ifndef TESTS_KVM_VMM_H
#define TESTS_KVM_VMM_H

#include <stdbool.h>
#include <stddef.h>

#include "guest_abi.h"

struct vmm;

enum vmm_memory {
	VMM_ANON,    /* private anonymous memory, never in huge pages */
	VMM_MEMFD,   /* a shared memfd */
	VMM_HUGETLB, /* a shared memfd of 2 MiB huge pages: needs vm.nr_hugepages */
	VMM_THP,     /* private anonymous memory, advised and made into huge pages */
};

struct vmm_opts {
	size_t sz; /* sizeof(struct vmm_opts) */
	enum vmm_memory memory;
	__u64 frames;	  /* that scripts may name */
	__u64 heap_pages; /* for OP_CACHE: guest_cache__bytes() */
	const char *disk; /* NULL: no disk */
	bool buffered;	  /* through the host's page cache, not O_DIRECT */
	bool populate;	  /* have all memory in place before the guest starts */
};

/* A VM whose guest said READY: it has touched its own pages. NULL with *err. */
struct vmm *vmm__new(const struct vmm_opts *opts, int *err);
void vmm__free(struct vmm *v);

/* Run a script to its end. -EILSEQ: a frame did not hold its stamp, or a request
 * failed (vmm__mailbox()->fault_at says where); -EINTR: vmm__stop was called. */
int vmm__run(struct vmm *v, const struct guest_script *script);
/* End vmm__run after the guest's current request; from a signal handler, too. */
void vmm__stop(struct vmm *v);
/* At most so many disk requests a second; 0 = no limit. */
void vmm__set_pace(struct vmm *v, __u64 requests_per_second);

const struct guest_mailbox *vmm__mailbox(const struct vmm *v);
/* Guest memory in pages: frames, own pages and page tables. */
__u64 vmm__mem_pages(const struct vmm *v);
/* Pages the guest touched before it was READY: code, mailbox, script, heap. */
__u64 vmm__own_pages(const struct vmm *v);
/* Page tables that the CPU reads on the way to the own pages and to nr_frames
 * frames. Only with nested paging are those accesses guest faults as well. */
__u64 vmm__table_pages(__u64 own_pages, __u64 nr_frames);
/* Host address of frame 0. */
void *vmm__base(const struct vmm *v);

/* --- scripts --- */
void script__init(struct guest_script *s);
/* Appends; more than GUEST_MAX_OPS end the program: the test is wrong. */
void script__add(struct guest_script *s, struct guest_op op);
/* A vector of segments, from or to a byte on disk. */
void script__add_vector(struct guest_script *s, enum guest_op_kind kind, __u64 disk_byte,
			const struct guest_seg *segs, size_t n);

#endif
