/* SPDX-License-Identifier: GPL-2.0 */
/* One small function for each thing that kernels do differently. */
#ifndef HVTRACE_CORE_FIXES_BPF_H
#define HVTRACE_CORE_FIXES_BPF_H

/* Set by the loader: huge pages of files and of anonymous memory are indexed in
 * huge pages (before 6.7, commit a08c7193e4f1 "mm/filemap: remove hugetlb special
 * casing in filemap.c"). BTF does not show the difference, so the loader asks uname. */
const volatile bool hugetlb_index_scaled = false;

/* The words of a struct page that matter, read in one go: flags to index. */
struct page_words {
	__u64 w[5];
};

static __always_inline int page_words__read(struct page_words *p, __u64 page)
{
	return bpf_probe_read_kernel(p, sizeof(*p), (void *)page);
}

static __always_inline __u64 page_words__at(const struct page_words *p, __u32 offset)
{
	return *(const __u64 *)((const char *)p->w + offset);
}

/* The first word always; since 6.18 it is a struct of its own (memdesc_flags_t). */
static __always_inline __u64 page_words__flags(const struct page_words *p)
{
	return p->w[0];
}

/* Address of the head page when this is a tail page, else 0. */
static __always_inline __u64 page_words__head(const struct page_words *p)
{
	__u64 word = page_words__at(p, bpf_core_field_offset(struct page, compound_head));

	return word & 1 ? word - 1 : 0;
}

static __always_inline __u64 page_words__mapping(const struct page_words *p)
{
	return page_words__at(p, bpf_core_field_offset(struct page, mapping));
}

static __always_inline __u64 page_words__index(const struct page_words *p)
{
	if (bpf_core_field_exists(struct page___folio_index, __folio_index))
		return page_words__at(
			p, bpf_core_field_offset(struct page___folio_index, __folio_index));
	return page_words__at(p, bpf_core_field_offset(struct page, index));
}

static __always_inline bool page_words__swapbacked(const struct page_words *p)
{
	return page_words__flags(p) >> bpf_core_enum_value(enum pageflags, PG_swapbacked) & 1;
}

static __always_inline bool page_words__is_head(const struct page_words *p)
{
	return page_words__flags(p) >> bpf_core_enum_value(enum pageflags, PG_head) & 1;
}

/* Pages of the folio that begins at `head`. */
static __always_inline __u64 folio__nr_pages(__u64 head, const struct page_words *p)
{
	__u32 n = 0;

	if (!page_words__is_head(p))
		return 1;
	if (bpf_core_field_exists(struct folio___nr_pages, _nr_pages))
		bpf_core_read(&n, sizeof(n), &((struct folio___nr_pages *)head)->_nr_pages);
	else if (bpf_core_field_exists(struct folio___folio_nr_pages, _folio_nr_pages))
		bpf_core_read(&n, sizeof(n),
			      &((struct folio___folio_nr_pages *)head)->_folio_nr_pages);
	return n ? n : 1;
}

/* Is the bio swap traffic by its own word? (Only page-out says so.) */
static __always_inline bool opf__is_swap(__u32 opf)
{
	if (!bpf_core_enum_value_exists(enum req_flag_bits, __REQ_SWAP))
		return false;
	return opf >> bpf_core_enum_value(enum req_flag_bits, __REQ_SWAP) & 1;
}

/*
 * An unmap by the VMM's own doing is one of a few system calls. The same
 * notifier also fires for NUMA balancing, write protection and migration, in
 * whatever task, and then the frame keeps its contents.
 */
static __always_inline bool task__drops_memory(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	long nr;

	if (bpf_core_field_exists(struct pt_regs, orig_ax))
		nr = BPF_CORE_READ(regs, orig_ax);
	else if (bpf_core_field_exists(struct pt_regs, syscallno))
		nr = (int)BPF_CORE_READ(regs, syscallno);
	else
		return true;
#if defined(__TARGET_ARCH_x86)
	/* mremap, madvise, munmap, fallocate, process_madvise; io_uring_enter does them too */
	return nr == 25 || nr == 28 || nr == 11 || nr == 285 || nr == 440 || nr == 426;
#elif defined(__TARGET_ARCH_arm64)
	return nr == 216 || nr == 233 || nr == 215 || nr == 47 || nr == 440 || nr == 426;
#else
	return true;
#endif
}

#endif
