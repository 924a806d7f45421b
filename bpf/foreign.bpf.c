// SPDX-License-Identifier: GPL-2.0
/*
 * What the rings of served disks do not show: writes to their images by others than the server
 * (self), and memory that a VMM gives up. loader/foreign.h says what is seen and what is not.
 *
 * A write by others taken for our own would leave old bytes in the cache; one of our own taken for
 * a foreign one costs a cached page. So what is not surely ours is told.
 */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "foreign.h"
#include "page_event.h"
#include "core_fixes.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum {
	OP_IS_WRITE = 1, /* blk_types.h: op_is_write() */
	SECTOR_SHIFT = 9,
	PF_MEMALLOC_FLAG = 0x800, /* sched.h: reclaim or compaction is at work */
	IOMAP_WRITE_FLAG = 1 << 0,
	IOMAP_ZERO_FLAG = 1 << 1,
};

/* iomap.h. */
struct iomap_iter {
	struct inode *inode;
	__s64 pos;
	__u64 len;
	__u32 flags;
} __attribute__((preserve_access_index));

struct inode___mapping {
	struct address_space *i_mapping;
} __attribute__((preserve_access_index));

__u32 self; /* tgid, as the first pid namespace has it: set by identify */
/* What identify found: an address space, and the kind of its file system. */
__u64 mapping;
__u64 magic;
/* Events, for want of room. */
__u64 lost;
__u64 missed; /* FOREIGN_UNMAP */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOREIGN_MAX);
	__type(key, __u64); /* struct address_space * */
	__type(value, __u8);
} files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOREIGN_MAX);
	__type(key, __u32); /* dev_t */
	__type(value, struct foreign_part);
} disks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOREIGN_MAX);
	__type(key, __u32); /* tgid */
	__type(value, __u8);
} vmms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

/* Of its own, as a VMM can fill it: that must not cost others what is told of writes. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} unmaps SEC(".maps");

static __always_inline int tell(__u64 kind, __u64 who, __u64 first, __u64 bytes)
{
	struct foreign_event e = {kind, who, first, bytes};

	if (bpf_ringbuf_output(&ring, &e, sizeof(e), 0))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

static __always_inline int tell_unmap(__u64 tgid, __u64 first, __u64 bytes)
{
	struct foreign_event e = {FOREIGN_UNMAP, tgid, first, bytes};

	if (bpf_ringbuf_output(&unmaps, &e, sizeof(e), 0))
		__sync_fetch_and_add(&missed, 1);
	return 0;
}

static __always_inline bool is_self(void)
{
	return bpf_get_current_pid_tgid() >> 32 == self;
}

/* ---------------------------------------------------------------- disks */

/*
 * Our own bios come from our threads (io_uring's are of our process, too), from outside the block
 * layer. One that comes from within it (bio_list is set), in whatever thread, was made by a device
 * stacked upon this one: others wrote to that. What the kernel issues for us (throttled bios)
 * counts as foreign.
 */
static __always_inline bool bio_is_own(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return is_self() && !task->bio_list;
}

static __always_inline int disk__write(__u32 dev, __u64 first, __u64 bytes)
{
	struct foreign_part *part = bpf_map_lookup_elem(&disks, &dev);

	if (!part || first >= part->end || first + bytes <= part->first || bio_is_own())
		return 0;
	return tell(FOREIGN_DISK, dev, first, bytes);
}

static __always_inline __u32 dev__make(int major, int minor)
{
	return (__u32)major << 20 | minor;
}

/* The sector is one of the whole disk: partitions have been mapped away by now. */
static __always_inline int bio__write_btf(struct bio *bio)
{
	struct gendisk *disk;

	if (!(bio->bi_opf & OP_IS_WRITE) || !bio->bi_iter.bi_size)
		return 0;
	disk = bio->bi_bdev->bd_disk;
	return disk__write(dev__make(disk->major, disk->first_minor),
			   bio->bi_iter.bi_sector << SECTOR_SHIFT, bio->bi_iter.bi_size);
}

static __always_inline int bio__write_raw(struct bio *bio)
{
	__u32 bytes = BPF_CORE_READ(bio, bi_iter.bi_size);
	struct gendisk *disk;

	if (!(BPF_CORE_READ(bio, bi_opf) & OP_IS_WRITE) || !bytes)
		return 0;
	disk = BPF_CORE_READ(bio, bi_bdev, bd_disk);
	return disk__write(dev__make(BPF_CORE_READ(disk, major), BPF_CORE_READ(disk, first_minor)),
			   BPF_CORE_READ(bio, bi_iter.bi_sector) << SECTOR_SHIFT, bytes);
}

SEC("tp_btf/block_bio_queue")
int BPF_PROG(bio_queue, struct bio *bio)
{
	return bio__write_btf(bio);
}

SEC("raw_tp/block_bio_queue")
int bio_queue_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return bio__write_raw((struct bio *)ctx->args[0]);
}

/* Devices that pass on the bio itself (md, NVMe multipath) rather than one of their own: that was
 * queued, and told of, once, at the upper device. */
SEC("tp_btf/block_bio_remap")
int BPF_PROG(bio_remap, struct bio *bio)
{
	return bio__write_btf(bio);
}

SEC("raw_tp/block_bio_remap")
int bio_remap_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return bio__write_raw((struct bio *)ctx->args[0]);
}

/* ---------------------------------------------------------------- files */

static __always_inline int mapping__change(__u64 kind, __u64 of, __u64 first, __u64 bytes)
{
	if (is_self() || !bpf_map_lookup_elem(&files, &of))
		return 0;
	return tell(kind, of, first, bytes);
}

static __always_inline __u64 inode__mapping(const struct inode *inode)
{
	return (__u64)BPF_CORE_READ((const struct inode___mapping *)inode, i_mapping);
}

/*
 * (folio, mapping): pages that were clean until now. Later writes to them are not told before they
 * are clean again, and need not be: our direct reads clean what they read.
 */
SEC("raw_tp/writeback_dirty_folio")
int dirty_folio(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 folio = ctx->args[0], of = ctx->args[1];
	struct page_words p;

	if (is_self() || !bpf_map_lookup_elem(&files, &of))
		return 0;
	if (page_words__read(&p, folio))
		return tell(FOREIGN_DIRTY, of, 0, FOREIGN_ALL);
	return tell(FOREIGN_DIRTY, of, page_words__index(&p) << PAGE_SHIFT_4K,
		    folio__nr_pages(folio, &p) << PAGE_SHIFT_4K);
}

/* (iter, ops, caller): each step of direct I/O, and of others that we hear twice of. */
SEC("raw_tp/iomap_iter")
int iomap_step(struct bpf_raw_tracepoint_args *ctx)
{
	struct iomap_iter *iter = (struct iomap_iter *)ctx->args[0];

	if (!bpf_core_type_exists(struct iomap_iter))
		return 0;
	if (!(BPF_CORE_READ(iter, flags) & (IOMAP_WRITE_FLAG | IOMAP_ZERO_FLAG)))
		return 0;
	return mapping__change(FOREIGN_FILE, inode__mapping(BPF_CORE_READ(iter, inode)),
			       BPF_CORE_READ(iter, pos), BPF_CORE_READ(iter, len));
}

/* (inode, offset, length, ...): a file system frees or zeroes these. */
SEC("raw_tp")
int fs_range(struct bpf_raw_tracepoint_args *ctx)
{
	return mapping__change(FOREIGN_FILE, inode__mapping((struct inode *)ctx->args[0]),
			       ctx->args[1], ctx->args[2]);
}

/* (inode, ...): it truncates the file, or shifts what is in it. */
SEC("raw_tp")
int fs_whole(struct bpf_raw_tracepoint_args *ctx)
{
	return mapping__change(FOREIGN_FILE, inode__mapping((struct inode *)ctx->args[0]), 0,
			       FOREIGN_ALL);
}

/* ----------------------------------------------------------------- VMMs */

/* (start, end): host virtual memory is taken from the guest. Only what the VMM itself drops is
 * lost; reclaim, migration and the like keep it. */
SEC("raw_tp/kvm_unmap_hva_range")
int kvm_unmap(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 tgid = task->tgid;

	if (!bpf_map_lookup_elem(&vmms, &tgid) || task->flags & PF_MEMALLOC_FLAG ||
	    !task__drops_memory(task))
		return 0;
	return tell_unmap(tgid, ctx->args[0], ctx->args[1] - ctx->args[0]);
}

/* ------------------------------------------------------------- identity */

struct found {
	__u64 mapping;
	__u64 magic;
};

static long vma__look(struct task_struct *task, struct vm_area_struct *vma, void *ctx)
{
	struct address_space *of = BPF_CORE_READ(vma, vm_file, f_mapping);
	struct found *found = ctx;

	found->mapping = (__u64)of;
	found->magic = BPF_CORE_READ(of, host, i_sb, s_magic);
	return 0;
}

/*
 * Run by the server on an address where it has mapped a file: whose address space is that? So
 * images are known by the kernel's own object. (What stat() tells is another file's on overlayfs,
 * and another device's on btrfs.)
 */
SEC("raw_tp")
int identify(struct bpf_raw_tracepoint_args *ctx)
{
	struct found found = {};
	long err;

	self = bpf_get_current_pid_tgid() >> 32;
	err = bpf_find_vma(bpf_get_current_task_btf(), ctx->args[0], vma__look, &found, 0);
	mapping = found.mapping;
	magic = found.magic;
	return err;
}
