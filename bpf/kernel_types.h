/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel types that the programs read, each with the few fields they
 * use. CO-RE finds the real offsets in the running kernel's BTF, so a build
 * needs no BTF of the build host. A type with a ___suffix is the shape of other
 * kernels ("flavor"); which one holds is asked with bpf_core_field_exists().
 */
#ifndef HVTRACE_KERNEL_TYPES_H
#define HVTRACE_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_RB_NO_WAKEUP = 1 << 0,
	BPF_RB_FORCE_WAKEUP = 1 << 1,
	BPF_RB_AVAIL_DATA = 0,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	__u32 i_rdev;
};

struct address_space {
	struct inode *host;
};

struct page {
	unsigned long compound_head;
	struct address_space *mapping;
	unsigned long index;
};

/* 6.16 renamed the field (commit acc53a0b4c15, "mm: rename page->index to page->__folio_index"). */
struct page___folio_index {
	unsigned long __folio_index;
};

struct folio {
	struct page page;
};

/* The number of pages of a large folio, under its names. */
struct folio___nr_pages { /* since 6.15 */
	__u32 _nr_pages;
};

struct folio___folio_nr_pages { /* 6.1 to 6.14 */
	__u32 _folio_nr_pages;
};

struct bio_vec {
	struct page *bv_page;
	__u32 bv_len;
	__u32 bv_offset;
};

struct bvec_iter {
	__u64 bi_sector;
	__u32 bi_size;
	__u32 bi_idx;
	__u32 bi_bvec_done;
};

struct gendisk {
	int major;
	int first_minor;
};

struct block_device {
	struct gendisk *bd_disk;
};

struct bio {
	struct bio *bi_next;
	struct block_device *bi_bdev;
	__u32 bi_opf;
	__u8 bi_status;
	struct bvec_iter bi_iter;
	struct bio_vec *bi_io_vec;
};

struct request {
	struct bio *bio;
};

struct bio_list {
	struct bio *head;
};

struct mm_struct;

struct task_struct {
	__u32 flags;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_time;
	struct bio_list *bio_list;
	struct mm_struct *mm;
};

struct mm_struct {
	struct task_struct *owner;
};

struct pt_regs {
	unsigned long orig_ax;
	unsigned long syscallno;
};

struct rb_node {
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
};

struct file {
	struct address_space *f_mapping;
};

struct vm_area_struct {
	unsigned long vm_start;
	struct mm_struct *vm_mm;
	struct file *vm_file;
	unsigned long vm_pgoff;
};

struct anon_vma {
	struct rb_root_cached rb_root;
};

struct anon_vma_chain {
	struct vm_area_struct *vma;
	struct rb_node rb;
};

struct kvm_memory_slot {
	__u64 base_gfn;
	unsigned long npages;
	unsigned long userspace_addr;
};

struct kvm_page_fault {
	__u64 gfn;
	struct kvm_memory_slot *slot;
};

#pragma clang attribute pop

/* Kernel enums whose values differ between kernels: asked by bpf_core_enum_value(). */
enum pageflags {
	PG_head,
	PG_swapbacked,
};

enum req_flag_bits {
	__REQ_SWAP,
};

#endif
