/* SPDX-License-Identifier: GPL-2.0 */
/* The host's paging: guest memory that is written out to swap. */
#ifndef HVTRACE_PAGING_BPF_H
#define HVTRACE_PAGING_BPF_H

enum { MAX_FOLIO_PAGES = 1 << 18 };

/* The VM that an anonymous page belongs to: page -> anon_vma -> a VMA -> its
 * process. The first VMA of the tree will do: a VMM does not share guest memory by fork. */
static __always_inline int anon__vm(__u64 mapping)
{
	struct anon_vma *av = (struct anon_vma *)(mapping & ~(__u64)MAPPING_FLAGS);
	struct rb_node *node = BPF_CORE_READ(av, rb_root.rb_root.rb_node);
	struct anon_vma_chain *avc;
	struct task_struct *owner;

	if (!node)
		return -1;
	avc = (void *)node - bpf_core_field_offset(struct anon_vma_chain, rb);
	owner = BPF_CORE_READ(avc, vma, vm_mm, owner);
	if (!owner)
		return -1;
	return vm__find(BPF_CORE_READ(owner, tgid), BPF_CORE_READ(owner, group_leader, start_time));
}

struct page_out {
	__u64 frame;
	__u64 time;
	__u32 vm;
	__u32 events;
};

static long page_out__frame(__u32 i, void *ctx)
{
	struct page_out *o = ctx;
	__u64 frame = o->frame + i;

	if (!sampled(frame, SPACE_MEM))
		return 0;
	frame__swap(frame_key(o->vm, frame) | HV_KEY_MEM, 1);
	o->events++;
	event__send(&(struct page_event){
		.time = o->time,
		.page = frame,
		.frame = frame,
		.count = 1,
		.vm = o->vm,
		.kind = PAGE_EVICT,
		.space = SPACE_MEM,
	});
	return 0;
}

static __always_inline int paging__write(__u64 folio)
{
	struct page_out o = {};
	struct vm_counters *c;
	struct page_words p;
	struct hv_file *f;
	__u64 mapping, n;
	int vm;

	if (page_words__read(&p, folio))
		return 0;
	mapping = page_words__mapping(&p);
	o.frame = page_words__index(&p) & HV_INDEX_MASK;
	if ((mapping & MAPPING_FLAGS) == MAPPING_ANON) {
		vm = anon__vm(mapping);
	} else {
		f = file__find(mapping);
		if (!f || f->region >= HV_REGION_OTHER)
			return 0;
		vm = f->vm;
		o.frame |= (__u64)f->region << PE_FRAME_REGION_SHIFT;
	}
	if (vm < 0)
		return 0;
	c = vm_counters__of(vm);
	if (!c)
		return 0;
	n = folio__nr_pages(folio, &p);
	o.vm = vm;
	o.time = bpf_ktime_get_ns();
	bpf_loop(n < MAX_FOLIO_PAGES ? n : MAX_FOLIO_PAGES, page_out__frame, &o, 0);
	c->page_outs += n;
	c->events += o.events;
	return 0;
}

#endif
