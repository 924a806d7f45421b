/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest program and its VMM agree on: a script of operations in guest
 * memory, and requests by a port write.
 *
 * Guest virtual memory:
 *   GUEST_OWN_VA     code | stack + mailbox | script | heap	the program's own pages
 *   GUEST_FRAMES_VA  frame 0, 1, ...				the frames that tests speak of
 *
 * The program touches each of its own pages before it says READY, so that a
 * script's page faults are those of the frames it names and nothing else.
 */
#ifndef TESTS_KVM_GUEST_ABI_H
#define TESTS_KVM_GUEST_ABI_H

#include "workload.h"

#define GUEST_PORT 0x510
#define GUEST_OWN_VA 0x40000000ULL
#define GUEST_FRAMES_VA 0x100000000ULL
#define GUEST_PAGE 4096ULL

#define GUEST_CODE_PAGES 1
#define GUEST_MAX_OPS 400
#define GUEST_MAX_SEGS 1024

enum guest_op_kind {
	/* what the guest does by itself */
	OP_TOUCH_READ,	/* frames [frame, frame + count * stride): read one word of each */
	OP_TOUCH_WRITE, /* ... write one word of each */
	OP_CHECK,	/* frames hold the stamps page, page + 1, ... */
	OP_CACHE,	/* LRU page cache of count frames from frame on: `steps` more accesses */
	/* what it asks the VMM for: count pages, `batch` pages a request */
	OP_READ,    /* disk page -> frame */
	OP_WRITE,   /* frame -> disk page */
	OP_READV,   /* disk byte -> segments */
	OP_WRITEV,  /* segments -> disk byte */
	OP_DISCARD, /* disk pages [page, page + count) */
	OP_FLUSH,
	OP_PAGEOUT, /* the host pages out frames [frame, frame + count) */
	OP_DROP,    /* the host drops them: a balloon */
	/* states */
	OP_READY,
	OP_DONE,
	OP_FAILED, /* a stamp was wrong, or a request failed */
};

/* A piece of a frame, for requests that are not whole pages. May run over into
 * the frames that follow. */
struct guest_seg {
	__u64 frame;
	__u32 offset;
	__u32 bytes;
};

struct guest_op {
	__u32 kind;
	__u32 batch;  /* pages a request; 0 = all in one */
	__u64 page;   /* disk page; READV, WRITEV: byte on disk */
	__u64 frame;  /* ... index of the first segment */
	__u64 count;  /* pages; ... number of segments */
	__u64 stride; /* TOUCH: distance of frames; CACHE: steps */
};

struct guest_script {
	__u64 nr_ops;
	__u64 nr_segs;
	struct workload workload; /* of OP_CACHE; a new seed, page or frame count starts it anew */
	struct guest_op ops[GUEST_MAX_OPS];
	struct guest_seg segs[GUEST_MAX_SEGS];
};

/* At the start of the stack's page; the stack grows down from its end. */
struct guest_mailbox {
	struct guest_op request; /* valid while the guest waits at GUEST_PORT */
	__s64 result;		 /* of the request, set by the VMM */
	__u64 own_pages;	 /* set by the VMM before the guest starts */
	__u64 sum;		 /* of all words read: keeps reads from being optimised out */
	__u64 steps;		 /* accesses made by OP_CACHE so far */
	__u64 fault_at;		 /* FAILED: frame or disk page */
};

#define GUEST_SCRIPT_PAGES ((sizeof(struct guest_script) + GUEST_PAGE - 1) / GUEST_PAGE)
#define GUEST_MAILBOX_VA (GUEST_OWN_VA + GUEST_CODE_PAGES * GUEST_PAGE)
#define GUEST_SCRIPT_VA (GUEST_MAILBOX_VA + GUEST_PAGE)
#define GUEST_HEAP_VA (GUEST_SCRIPT_VA + GUEST_SCRIPT_PAGES * GUEST_PAGE)

/* The page cache of OP_CACHE, in the heap: a list of slots, one per frame, most
 * recently used first; then the slot of each disk page, + 1, 0 = not cached. */
struct guest_slot {
	__u32 newer, older; /* slots */
	__u32 page;
	__u32 dirty;
};

struct guest_cache {
	__u64 seed, frames, disk_pages; /* what it was made for */
	__u64 used;			/* slots */
	__u32 newest, oldest;
	struct workload_state state;
	struct guest_slot slot[];
	/* __u32 slot_of[disk_pages] follows */
};

static inline __u64 guest_cache__bytes(__u64 frames, __u64 disk_pages)
{
	return sizeof(struct guest_cache) + frames * sizeof(struct guest_slot) +
	       disk_pages * sizeof(__u32);
}

#endif
