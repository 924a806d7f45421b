/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the BPF programs and userspace share: page events, counters, limits.
 *
 * The one header of both sides; it uses fixed-width types only. Userspace gets
 * them from <linux/types.h>, the BPF side from bpf/kernel_types.h.
 */
#ifndef HVTRACE_PAGE_EVENT_H
#define HVTRACE_PAGE_EVENT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define PAGE_SHIFT_4K 12
#define PAGE_BYTES 4096ULL
#define SECTORS_PER_PAGE 8

#define PE_MAX_VMS 256
#define PE_MAX_DISKS 1024
/* Address spaces (memfd, hugetlbfs) that back guest memory, over all VMs. */
#define PE_MAX_FILES 2048
/* KVM memory slots remembered for a VM. */
#define PE_VM_SLOTS 32

enum page_event_kind {
	PAGE_FILL,	/* a disk page is read into a frame */
	PAGE_WRITEBACK, /* a frame is written to a disk page */
	PAGE_EVICT,	/* a frame stops holding its page */
	PAGE_DISCARD,	/* pages whose contents are gone: disk discard, frame dropped */
	PAGE_EVENT_KINDS
};

enum page_space {
	SPACE_DISK, /* page = disk id << 48 | sector / 8 (or page index in an image) */
	SPACE_MEM,  /* page = frame */
	PAGE_SPACES
};

/* page_event.flags */
#define PE_UNCAPTURED (1 << 0) /* EVICT: the bytes were gone before anybody could copy them */
#define PE_PARTIAL (1 << 1)    /* less than the page was read or written */
#define PE_HOST_CACHE (1 << 2) /* the page lives in the host's page cache (buffered image) */

/* Frame: region << 40 | page index; region 0 = anonymous memory (index = host
 * virtual page), else 1 + index of the backing file in the VM (index = page in the file). */
#define PE_FRAME_NONE (~0ULL)
#define PE_FRAME_REGION_SHIFT 40
#define PE_DISK_SHIFT 48

/* One page event, 32 bytes:
 *
 *   0        8        16       24       28   30    31
 *   | time   | page   | frame  | count  | vm | kind|space:1 flags:7|
 */
struct page_event {
	__u64 time;	/* ns, CLOCK_MONOTONIC */
	__u64 page;	/* page number in its space */
	__u64 frame;	/* or PE_FRAME_NONE */
	__u32 count;	/* pages: 1, but for a DISCARD of a range from page on */
	__u16 vm;	/* slot in the VM table */
	__u8 kind;	/* enum page_event_kind */
	__u8 space : 1; /* enum page_space */
	__u8 flags : 7; /* PE_* */
};

static inline __u64 pe_page(__u64 disk, __u64 number)
{
	return disk << PE_DISK_SHIFT | number;
}

/* MurmurHash3's 64-bit finalizer over page and space: no two pages of a space share a hash. */
static inline __u64 pe_hash(__u64 page, __u64 space)
{
	__u64 h = page ^ (space << 63);

	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	h ^= h >> 33;
	return h;
}

/* The page of a hash: two multiplications and xors with half of itself can be undone. */
static inline __u64 pe_unhash(__u64 hash, __u64 space)
{
	hash ^= hash >> 33;
	hash *= 0x9cb4b2f8129337dbULL; /* inverse of 0xc4ceb9fe1a85ec53 */
	hash ^= hash >> 33;
	hash *= 0x4f74430c22a54005ULL; /* inverse of 0xff51afd7ed558ccd */
	hash ^= hash >> 33;
	return hash ^ (space << 63);
}

/*
 * Spatial sampling (SHARDS, Waldspurger et al., FAST '15): a page is sampled when its lot is at or
 * under the threshold. 2^64-1 samples every page.
 *
 * What is done to neighbouring pages is alike, so a sample should have its share of each
 * neighbourhood: by multiples of the golden ratio (Knuth, TAOCP 3, 6.4: they fill each gap in turn)
 * any run of pages has so many of them at each rate, give or take one or two, where hashes would
 * leave it to chance. Chance places the blocks of 2^10 pages; page 0 is no exception.
 */
#define PE_SAMPLE_ALL (~0ULL)
#define PE_LOT_SHIFT 10
#define PE_GOLDEN 0x9e3779b97f4a7c15ULL /* 2^64 over the golden ratio */

/* Of a block: two multiplications, so that the upper bits depend on all of its bits, and not even
 * block 0 comes out as 0. */
static inline __u64 pe_place(__u64 block)
{
	__u64 h = (block ^ PE_GOLDEN) * 0xff51afd7ed558ccdULL;

	return (h ^ h >> 32) * 0xc4ceb9fe1a85ec53ULL;
}

static inline __u64 pe_lot(__u64 page, __u64 space)
{
	return page * PE_GOLDEN + pe_place(page >> PE_LOT_SHIFT ^ space << 63);
}

/* Latency histogram: 4 buckets per power of two from 2^10 ns up. Bucket b holds
 * latencies from pe_latency_low(b) to below pe_latency_low(b + 1); bucket 0 also
 * all that is shorter, the last all that is longer (2^34 ns = 17 s). */
#define PE_LATENCY_MIN_SHIFT 10
#define PE_LATENCY_BUCKETS 96

static inline __u64 pe_latency_low(__u32 bucket)
{
	return (4ULL + bucket % 4) << (bucket / 4 + PE_LATENCY_MIN_SHIFT - 2);
}

/* What is counted of a VM, always in full: sampling thins the events, not these.
 * Evictions are the exception: only sampled pages are followed. Pages unless said. */
struct vm_counters {
	__u64 fills;	      /* disk pages read */
	__u64 writebacks;     /* disk pages written */
	__u64 discards;	      /* disk pages discarded */
	__u64 evictions;      /* of sampled disk pages, seen by frame reuse or frame discard */
	__u64 frameless;      /* fills and writebacks whose frame is unknown */
	__u64 partials;	      /* fills and writebacks of a part of a page */
	__u64 kvm_faults;     /* kvm_page_fault: exits */
	__u64 kvm_maps;	      /* kvm_mmu_spte_requested: frames mapped */
	__u64 frame_discards; /* frames unmapped by the VMM */
	__u64 page_outs;      /* frames paged out by the host */
	__u64 page_ins;	      /* frames that came back after a page-out */
	__u64 cache_adds;     /* image pages that entered the host's page cache */
	__u64 cache_drops;    /* image pages that left it */
	__u64 ios;	      /* bios */
	__u64 io_errors;      /* bios that failed */
	__u64 events;	      /* page events sent */
	__u64 latency[2][PE_LATENCY_BUCKETS]; /* bios: [0] read, [1] write */
};

#endif
