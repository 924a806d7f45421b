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

struct slot_search {
	__u64 page;  /* host virtual page */
	__u64 index; /* in its file: of the first of n pages, of which it is one */
	__u64 n;
	__u64 frame;
	int vm;
};

static long slot_search__vm(__u32 i, void *ctx)
{
	struct slot_search *s = ctx;
	struct hv_vm *v = &shared.vms[i & (PE_MAX_VMS - 1)];

	for (int at = 0; v->used && at < PE_VM_SLOTS; at++) {
		struct hv_kvm_slot *slot = &v->slots[at];
		__u64 offset = s->page - (slot->hva >> PAGE_SHIFT_4K);
		__u64 frame = slot->frame + offset;

		if (!slot->hva || offset >= slot->npages || !(frame >> PE_FRAME_REGION_SHIFT) ||
		    (frame & HV_INDEX_MASK) - s->index >= s->n)
			continue;
		s->frame = frame - ((frame & HV_INDEX_MASK) - s->index);
		s->vm = i;
		return 1;
	}
	return 0;
}

/*
 * A page of shared memory no longer knows its file when its write is told of:
 * shmem_writeout(), once shmem_writepage(), takes it from the file first.
 * But the same task unmapped it just before, and KVM was told the address: the
 * page of that slot must have the same index.
 */
static __always_inline int shmem__vm(__u64 index, __u64 n, __u64 *frame)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct hv_unmapped *u = unmapped__of(thread);
	struct slot_search s = {.page = u->page, .index = index, .n = n, .vm = -1};

	if (u->thread != thread)
		return -1;
	u->thread = 0;
	bpf_loop(PE_MAX_VMS, slot_search__vm, &s, 0);
	*frame = s.frame;
	return s.vm;
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
	event__send(
		&(struct page_event){
			.time = o->time,
			.page = frame,
			.frame = frame,
			.count = 1,
			.vm = o->vm,
			.kind = PAGE_EVICT,
			.space = SPACE_MEM,
		},
		NULL);
	return 0;
}

static __always_inline int paging__write(__u64 folio)
{
	struct page_out o = {};
	struct vm_counters *c;
	struct page_words p;
	__u64 mapping, n;
	int vm;

	if (page_words__read(&p, folio))
		return 0;
	mapping = page_words__mapping(&p);
	n = folio__nr_pages(folio, &p);
	o.frame = page_words__index(&p) & HV_INDEX_MASK;
	vm = (mapping & MAPPING_FLAGS) == MAPPING_ANON ? anon__vm(mapping)
						       : shmem__vm(o.frame, n, &o.frame);
	if (vm < 0)
		return 0;
	c = vm_counters__of(vm);
	if (!c)
		return 0;
	o.vm = vm;
	o.time = bpf_ktime_get_ns();
	bpf_loop(n < MAX_FOLIO_PAGES ? n : MAX_FOLIO_PAGES, page_out__frame, &o, 0);
	c->page_outs += n;
	c->events += o.events;
	return 0;
}

#endif
