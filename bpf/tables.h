/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tables that the BPF programs keep and the tracer reads through a memory
 * mapping. Private to bpf/ and loader/tracer*.c.
 *
 * All are open-addressing tables of fixed size: a slot is claimed with one
 * compare-and-swap of its key, and freed by userspace only.
 */
#ifndef HVTRACE_TABLES_H
#define HVTRACE_TABLES_H

#include "page_event.h"

#define HV_PROBES 16 /* slots looked at before a table counts as full */
#define HV_VM_INDEX 1024
#define HV_INFLIGHT 4096 /* sets */
#define HV_INFLIGHT_WAY 4
#define HV_FRAME_WAY 4
#define HV_STAGE_EVENTS 127 /* one less than a power of two: the verifier bounds it by bits */
#define HV_TOMBSTONE 0xffffffffU

#define HV_REGION_MAX 0x7d
#define HV_REGION_OTHER 0x7e /* page cache of some other file: not guest memory */
#define HV_REGION_NONE 0x7f  /* not in the tables (they are full) */
#define HV_REGION_IMAGE 0xffULL
#define HV_FRAME_MASK ((1ULL << 48) - 1)
#define HV_INDEX_MASK ((1ULL << PE_FRAME_REGION_SHIFT) - 1)
/* In a frame map key: the entry says "paged out", not which disk page the frame holds. */
#define HV_KEY_MEM (1ULL << 47)
/* In the key of a bucket's first slot: some entry that belongs here is in its second
 * bucket. Without it a search ends after one cache line. */
#define HV_KEY_SPILLED (1ULL << 63)

static inline __u32 hv_hash32(__u64 x)
{
	return (x * 0x9e3779b97f4a7c15ULL) >> 32;
}

/* A hash's bucket of n, by its high bits: there multiplicative hashing spreads keys that
 * follow on evenly (Knuth, TAOCP 3, 6.4), as a guest's frames do; the low bits clump. */
static inline __u64 hv_bucket(__u32 hash, __u64 n)
{
	return hash * n >> 32;
}

/*
 * The two buckets of a frame map key, of n. A guest often reuses frames in runs, so
 * 32 frames that follow on have their first buckets in a row, two frames each: 1 KiB,
 * and one look at the page tables. The second is anywhere.
 */
static inline __u64 hv_first_bucket(__u64 key, __u64 n)
{
	return hv_bucket(hv_hash32(key >> 5), n / 16) * 16 + (key >> 1 & 15);
}

static inline __u64 hv_second_bucket(__u64 key, __u64 n)
{
	__u32 h = hv_hash32(key);

	return hv_bucket(h * 0x85ebca6b ^ h >> 15, n);
}

/* Process -> VM. 16 bytes, four to a cache line. start tells a reused pid. */
struct hv_vm_index {
	__u32 tgid; /* 0 free, HV_TOMBSTONE freed */
	__u32 vm;
	__u64 start; /* ns, the leader's start_time; 0 = any (taken at first sight) */
};

/* A KVM memory slot and the frames that back it. */
struct hv_kvm_slot {
	__u64 base_gfn;
	__u64 npages;
	__u64 hva;   /* bytes; 0 = free */
	__u64 frame; /* of its first page: region << 40 | index */
};

struct hv_vm {
	__u32 used;	/* 0 free, 1 used */
	__u32 kvm;	/* has used KVM */
	__u32 nr_files; /* regions given out */
	__u32 pad;
	struct hv_kvm_slot slots[PE_VM_SLOTS];
};

/* Disk id = position in the table. */
struct hv_disk {
	__u64 key; /* HV_DISK_USED | dev_t, or HV_DISK_IMAGE | hash of (dev, inode) */
};
#define HV_DISK_USED (1ULL << 62)
#define HV_DISK_IMAGE (1ULL << 63)

/* Address space of a file -> VM and region. */
struct hv_file {
	__u64 mapping; /* kernel address; 0 free, 1 freed */
	__u16 vm;
	__u8 region;
	__u8 ready;    /* written last */
	__u32 hugetlb; /* index counts huge pages of 2^hugetlb pages (before 6.7) */
};

struct hv_inflight {
	__u64 bio; /* 0 free */
	__u64 start;
	__u64 page;
	__u32 count;
	__u16 vm;
	__u8 write;
	__u8 timed;
};

/* Key of the images map: a buffered image's inode. */
struct hv_image_key {
	__u64 dev;
	__u64 ino; /* 0 for a block device */
};

struct hv_image {
	__u32 vm;
	__u32 disk;
};

/* What a task in reclaim unmapped from a guest last. */
struct hv_unmapped {
	__u64 thread; /* pid_tgid; 0 = used up */
	__u64 page;   /* host virtual page */
};
#define HV_UNMAPPED 256

/* How many bios are waited for, to skip the completions of all others: in parts, each a
 * cache line, for CPUs that do I/O at the same time. */
struct hv_waiting {
	__u64 bios;
	__u64 pad[7];
};
#define HV_WAITING 16

/* Losses and switches. Each counter is added to atomically, and seldom. */
struct hv_shared {
	__u64 threshold;     /* sampling: pe_lot() at or under it */
	__u64 frame_buckets; /* of the frame map in use: 16 or more, under 2^32 */
	__u64 lost_frames;
	__u64 lost_latency;
	__u64 lost_vms;
	__u64 truncated;
	__u64 pad[2];
	struct hv_waiting waiting[HV_WAITING]; /* set i of inflight counts in i % HV_WAITING */
	struct hv_vm_index index[HV_VM_INDEX];
	struct hv_vm vms[PE_MAX_VMS];
	struct hv_disk disks[PE_MAX_DISKS];
	struct hv_file files[PE_MAX_FILES];
	struct hv_unmapped unmapped[HV_UNMAPPED];
	struct hv_inflight inflight[HV_INFLIGHT][HV_INFLIGHT_WAY];
};

/* One ring buffer record: events of one CPU, oldest first. */
struct hv_record {
	__u32 cpu;
	__u32 n;
	struct page_event events[];
};

/* Per CPU: events wait here until a record is full or userspace asks for it. */
struct hv_stage {
	__u32 busy; /* a program of this CPU is writing: an interrupt's program must not */
	__u32 pad;
	__u64 sent;
	__u64 dropped;
	__u64 reserved[5];
	/* the record, as it goes out */
	__u32 cpu;
	__u32 n;
	struct page_event events[HV_STAGE_EVENTS];
	__u64 tail[3]; /* to a whole number of cache lines */
};

struct hv_frame_slot {
	__u64 key;  /* HV_KEY_SPILLED? | vm << 48 | HV_KEY_MEM? | frame; 0 never used */
	__u64 page; /* 1 + what it holds; 0 nothing */
};

struct hv_frame_bucket { /* one cache line */
	struct hv_frame_slot slot[HV_FRAME_WAY];
};

#endif
