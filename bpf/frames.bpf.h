/* SPDX-License-Identifier: GPL-2.0 */
/* Which frame a struct page is: by the anonymous memory or the file that it belongs to. */
#ifndef HVTRACE_FRAMES_BPF_H
#define HVTRACE_FRAMES_BPF_H

#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6

/* Files that are not guest memory are not entered: they come and go, and another
 * file may have the address then. */
__global int file__enter(__u32 vm, __u64 mapping)
{
	struct inode *host = BPF_CORE_READ((struct address_space *)mapping, host);
	__u64 magic = BPF_CORE_READ(host, i_sb, s_magic);
	__u32 at = hv_hash32(mapping);

	if (magic != HUGETLBFS_MAGIC && magic != TMPFS_MAGIC)
		return HV_REGION_OTHER;
	for (int i = 0; i < HV_PROBES; i++) {
		struct hv_file *f = &shared.files[(at + i) % PE_MAX_FILES];
		__u64 was = f->mapping;
		__u32 nr;

		if (was == mapping)
			return f->ready ? f->region : HV_REGION_NONE;
		if (was > 1 || __sync_val_compare_and_swap(&f->mapping, was, mapping) != was)
			continue;
		f->vm = vm;
		f->hugetlb = magic == HUGETLBFS_MAGIC;
		nr = __sync_fetch_and_add(&shared.vms[vm & (PE_MAX_VMS - 1)].nr_files, 1);
		f->region = nr < HV_REGION_MAX ? nr + 1 : HV_REGION_NONE;
		f->ready = 1;
		return f->region;
	}
	return HV_REGION_NONE;
}

static __always_inline struct hv_file *file__find(__u64 mapping)
{
	__u32 at = hv_hash32(mapping);

	for (int i = 0; i < HV_PROBES; i++) {
		struct hv_file *f = &shared.files[(at + i) % PE_MAX_FILES];

		if (f->mapping == mapping)
			return f->ready ? f : NULL;
		if (!f->mapping)
			return NULL;
	}
	return NULL;
}

/* Region of a file's address space in a VM, entered at first sight. */
__global int file__region(__u32 vm, __u64 mapping)
{
	struct hv_file *f = file__find(mapping);

	return f ? f->region : file__enter(vm, mapping);
}

/* ------------------------------------------------------------- struct page */

#define MAPPING_ANON 1
#define MAPPING_FLAGS 3

/* Index of a page in its file or address space, tail pages of old hugetlb included. */
static __always_inline __u64 page__index(const struct page_words *head, __u64 head_page, __u64 page,
					 bool hugetlb)
{
	__u64 index = page_words__index(head);

	if (hugetlb && hugetlb_index_scaled)
		index *= folio__nr_pages(head_page, head);
	return index + (page - head_page) / bpf_core_type_size(struct page);
}

/*
 * The frame that a struct page is, for a VM: region << 40 | index. Guest memory
 * is anonymous, or a file on tmpfs (memfd) or hugetlbfs. *other is set for page
 * cache of any other file and for swap: never guest memory's own I/O.
 * PE_FRAME_NONE: kernel memory, or tables full.
 */
static __always_inline __u64 page__frame(__u32 vm, __u64 page, bool *other)
{
	struct page_words p;
	__u64 head, mapping;
	int region;

	*other = false;
	if (page_words__read(&p, page))
		return PE_FRAME_NONE;
	head = page_words__head(&p);
	if (!head)
		head = page;
	else if (page_words__read(&p, head))
		return PE_FRAME_NONE;
	mapping = page_words__mapping(&p);
	if ((mapping & MAPPING_FLAGS) == MAPPING_ANON)
		return page__index(&p, head, page, false) & HV_INDEX_MASK;
	if (!mapping || mapping & MAPPING_FLAGS) {
		*other = page_words__swapbacked(&p); /* swap-in: not mapped yet */
		return PE_FRAME_NONE;
	}
	region = file__region(vm, mapping);
	if (region >= HV_REGION_OTHER) {
		*other = region == HV_REGION_OTHER;
		return PE_FRAME_NONE;
	}
	/* Only hugetlbfs can need scaling; its pages are compound, so look only then. */
	struct hv_file *f = hugetlb_index_scaled ? file__find(mapping) : NULL;

	return (__u64)region << PE_FRAME_REGION_SHIFT |
	       (page__index(&p, head, page, f && f->hugetlb) & HV_INDEX_MASK);
}

#endif
