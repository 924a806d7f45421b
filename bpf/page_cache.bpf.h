/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's page cache, for images opened without O_DIRECT: an inclusive
 * second level below the guest. A page that enters it is a fill from storage,
 * one that leaves it an eviction.
 */
#ifndef HVTRACE_PAGE_CACHE_BPF_H
#define HVTRACE_PAGE_CACHE_BPF_H

#define BDEVFS_MAGIC 0x62646576

static __always_inline struct hv_image *image__of(__u64 mapping)
{
	struct hv_image_key key = {};
	struct inode *host;

	if (!mapping || mapping & MAPPING_FLAGS)
		return NULL;
	host = BPF_CORE_READ((struct address_space *)mapping, host);
	if (!host)
		return NULL;
	if (BPF_CORE_READ(host, i_sb, s_magic) == BDEVFS_MAGIC) {
		key.dev = BPF_CORE_READ(host, i_rdev);
	} else {
		key.dev = BPF_CORE_READ(host, i_sb, s_dev);
		key.ino = BPF_CORE_READ(host, i_ino);
	}
	return bpf_map_lookup_elem(&images, &key);
}

struct cache_walk {
	__u64 page;
	__u64 frame;
	__u64 time;
	__u32 vm;
	__u32 events;
	__u8 kind;
};

static long cache__page(__u32 i, void *ctx)
{
	struct cache_walk *w = ctx;

	if (!sampled(w->page + i, SPACE_DISK))
		return 0;
	w->events++;
	event__send(
		&(struct page_event){
			.time = w->time,
			.page = w->page + i,
			.frame = w->frame + i,
			.count = 1,
			.vm = w->vm,
			.kind = w->kind,
			.flags = PE_HOST_CACHE,
		},
		NULL);
	return 0;
}

static __always_inline int cache__change(__u64 folio, bool add)
{
	struct cache_walk w = {};
	struct vm_counters *c;
	struct hv_image *image;
	struct page_words p;
	__u64 n, index;

	if (page_words__read(&p, folio))
		return 0;
	image = image__of(page_words__mapping(&p));
	if (!image)
		return 0;
	c = vm_counters__of(image->vm);
	if (!c)
		return 0;
	n = folio__nr_pages(folio, &p);
	index = page_words__index(&p);
	w.page = pe_page(image->disk, index);
	w.frame = HV_REGION_IMAGE << PE_FRAME_REGION_SHIFT | (index & HV_INDEX_MASK);
	w.vm = image->vm;
	w.kind = add ? PAGE_FILL : PAGE_EVICT;
	w.time = bpf_ktime_get_ns();
	bpf_loop(n < MAX_FOLIO_PAGES ? n : MAX_FOLIO_PAGES, cache__page, &w, 0);
	if (add)
		c->cache_adds += n;
	else
		c->cache_drops += n;
	c->events += w.events;
	return 0;
}

#endif
