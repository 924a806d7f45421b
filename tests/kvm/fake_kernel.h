/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel structures that are not the kernel's: laid out as the running kernel's
 * BTF says, in memory that BPF programs can read and the test can write.
 *
 * Addresses are kernel addresses, as a program would meet them. What the host
 * lacks for this ends the test program with a message.
 */
#ifndef TESTS_KVM_FAKE_KERNEL_H
#define TESTS_KVM_FAKE_KERNEL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct fake_kernel;

struct fake_kernel *fake_kernel__new(void);
void fake_kernel__free(struct fake_kernel *k);
/* Forget all objects. */
void fake_kernel__clear(struct fake_kernel *k);

/* n structures of a type in a row, all bytes 0: the address of the first. */
__u64 fake_kernel__make(struct fake_kernel *k, const char *type, size_t n);
size_t fake_kernel__size(const struct fake_kernel *k, const char *type);
/* Has this kernel such a struct? One of kvm's may be in a module that is not loaded. */
bool fake_kernel__knows(const struct fake_kernel *k, const char *type);
/* Members are named as in C ("bi_iter.bi_sector"); those of unnamed structs and unions as if
 * they were of the struct around them. */
bool fake_kernel__has(const struct fake_kernel *k, const char *type, const char *member);
/* What the member's offset is, in bytes. */
__u32 fake_kernel__offset(const struct fake_kernel *k, const char *type, const char *member);
void fake_kernel__set(struct fake_kernel *k, __u64 object, const char *type, const char *member,
		      __u64 value);
/* Value of an enumerator, -1 if this kernel's enum has none of the name. */
int fake_kernel__enumerator(const struct fake_kernel *k, const char *type, const char *name);

/* --- what a bio is made of --- */

/* page->mapping of anonymous memory: bit 0 tells. */
#define FAKE_ANON 0xffff888000001001ULL

#define EXT4_MAGIC 0xef53
#define TMPFS_MAGIC 0x01021994
#define HUGETLB_MAGIC 0x958458f6
#define BDEV_MAGIC 0x62646576

/* n small pages, of memory that follows on: index, index + 1, ... */
__u64 fake_pages(struct fake_kernel *k, __u64 mapping, __u64 index, size_t n);
/* One huge page of n: a head, which has the index, and tails, which have nothing of use. */
__u64 fake_huge_page(struct fake_kernel *k, __u64 mapping, __u64 index, size_t n);
/* The i-th struct page of such an array. */
__u64 fake_page(const struct fake_kernel *k, __u64 pages, size_t i);
void fake_page__set_index(struct fake_kernel *k, __u64 page, __u64 index);
void fake_page__set_flag(struct fake_kernel *k, __u64 page, const char *flag);

/* The address space of a new file on a file system of its own. */
__u64 fake_file(struct fake_kernel *k, __u64 magic, __u32 dev, __u64 ino);
__u64 fake_disk(struct fake_kernel *k, int major, int minor);

struct fake_vec {
	__u64 page;
	__u32 offset, bytes;
};

/* All of the vecs. More is set with fake_kernel__set(k, bio, "bio", ...). */
__u64 fake_bio(struct fake_kernel *k, __u64 disk, __u32 opf, __u64 sector,
	       const struct fake_vec *vecs, size_t n);

#endif
