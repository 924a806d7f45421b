/* SPDX-License-Identifier: GPL-2.0 */
/* KVM: who is a VM, what memory it has, which frames come and go. */
#ifndef HVTRACE_KVM_BPF_H
#define HVTRACE_KVM_BPF_H

enum {
	PF_MEMALLOC_FLAG = 0x800,  /* sched.h: reclaim or compaction is at work */
	MAX_UNMAP_PAGES = 1 << 23, /* bpf_loop's bound: 32 GiB a call */
};

struct vma_backing {
	__u64 mapping;
	__u64 pgoff; /* of vm_start, pages */
	__u64 start; /* page */
};

static long vma__look(struct task_struct *task, struct vm_area_struct *vma, void *ctx)
{
	struct vma_backing *b = ctx;

	b->mapping = (__u64)BPF_CORE_READ(vma, vm_file, f_mapping);
	b->pgoff = BPF_CORE_READ(vma, vm_pgoff);
	b->start = BPF_CORE_READ(vma, vm_start) >> PAGE_SHIFT_4K;
	return 0;
}

/* Frame number of the page at hva: what the block source would call it. */
static __always_inline __u64 hva__frame(__u32 vm, __u64 hva)
{
	struct vma_backing b = {};
	__u64 page = hva >> PAGE_SHIFT_4K;
	int region;

	if (bpf_find_vma(bpf_get_current_task_btf(), hva, vma__look, &b, 0) || !b.mapping)
		return page & HV_INDEX_MASK;
	region = file__region(vm, b.mapping);
	if (region >= HV_REGION_OTHER)
		return page & HV_INDEX_MASK; /* private mapping of a file: copies are anonymous */
	return (__u64)region << PE_FRAME_REGION_SHIFT |
	       ((page - b.start + b.pgoff) & HV_INDEX_MASK);
}

static __always_inline bool kvm_slot__is(const struct hv_kvm_slot *s, __u64 base, __u64 npages,
					 __u64 hva)
{
	return s->hva == hva && s->base_gfn == base && s->npages == npages;
}

static __always_inline bool kvm_slot__overlaps(const struct hv_kvm_slot *s, __u64 base,
					       __u64 npages)
{
	return s->hva && s->base_gfn < base + npages && base < s->base_gfn + s->npages;
}

/* Enter a memory slot; what it overlaps has been replaced by it. */
__global int kvm_slot__enter(__u32 vm, __u64 base, __u64 npages, __u64 hva)
{
	struct hv_vm *v = &shared.vms[vm & (PE_MAX_VMS - 1)];
	__u64 frame = hva__frame(vm, hva);
	int at = -1;

	for (int i = 0; i < PE_VM_SLOTS; i++) {
		if (kvm_slot__overlaps(&v->slots[i], base, npages))
			v->slots[i].hva = 0;
		if (!v->slots[i].hva && at < 0)
			at = i;
	}
	if (at < 0)
		return -1;
	at &= PE_VM_SLOTS - 1;
	v->slots[at].base_gfn = base;
	v->slots[at].npages = npages;
	v->slots[at].frame = frame;
	v->slots[at].hva = hva;
	return at;
}

static __always_inline int kvm_slot__find(__u32 vm, __u64 base, __u64 npages, __u64 hva)
{
	struct hv_vm *v = &shared.vms[vm & (PE_MAX_VMS - 1)];

	for (int i = 0; i < PE_VM_SLOTS; i++) {
		if (kvm_slot__is(&v->slots[i], base, npages, hva))
			return i;
	}
	return kvm_slot__enter(vm, base, npages, hva);
}

static __always_inline int kvm__fault(void)
{
	int vm = vm__noticed(bpf_get_current_task_btf());
	struct vm_counters *c;

	if (vm < 0)
		return 0;
	c = vm_counters__of(vm);
	if (c)
		c->kvm_faults++;
	return 0;
}

/* A frame that the host had paged out is back: a fill in space mem. */
static __always_inline void mem__fill(__u32 vm, struct vm_counters *c, __u64 frame)
{
	if (!sampled(frame, SPACE_MEM) || !frame__swap(frame_key(vm, frame) | HV_KEY_MEM, 0))
		return;
	c->page_ins++;
	c->events++;
	event__send(
		&(struct page_event){
			.time = bpf_ktime_get_ns(),
			.page = frame,
			.frame = frame,
			.count = 1,
			.vm = vm,
			.kind = PAGE_FILL,
			.space = SPACE_MEM,
		},
		NULL);
}

/* A frame became mapped for the guest. */
static __always_inline int kvm__map(struct kvm_page_fault *fault)
{
	int at, vm = vm__noticed(bpf_get_current_task_btf());
	__u64 base, npages, gfn;
	struct kvm_memory_slot *slot;
	struct vm_counters *c;

	if (vm < 0)
		return 0;
	c = vm_counters__of(vm);
	if (!c)
		return 0;
	c->kvm_maps++;
	slot = BPF_CORE_READ(fault, slot);
	if (!slot)
		return 0;
	base = BPF_CORE_READ(slot, base_gfn);
	npages = BPF_CORE_READ(slot, npages);
	gfn = BPF_CORE_READ(fault, gfn);
	at = kvm_slot__find(vm, base, npages, BPF_CORE_READ(slot, userspace_addr));
	if (at < 0 || gfn - base >= npages)
		return 0;
	at &= PE_VM_SLOTS - 1;
	mem__fill(vm, c, shared.vms[vm & (PE_MAX_VMS - 1)].slots[at].frame + (gfn - base));
	return 0;
}

/* ---------------------------------------------------------------- unmap */

struct unmap {
	__u64 frame;
	__u64 time;
	__u32 vm;
	__u32 evictions;
};

/* A frame was dropped: its disk page is evicted, its bytes are gone. */
static long unmap__frame(__u32 i, void *ctx)
{
	struct unmap *u = ctx;
	__u64 frame = u->frame + i;
	__u64 old = frame__swap(frame_key(u->vm, frame), 0);

	frame__swap(frame_key(u->vm, frame) | HV_KEY_MEM, 0);
	if (!old || !sampled(old - 1, SPACE_DISK))
		return 0;
	u->evictions++;
	event__send(
		&(struct page_event){
			.time = u->time,
			.page = old - 1,
			.frame = frame,
			.count = 1,
			.vm = u->vm,
			.kind = PAGE_EVICT,
			.flags = PE_UNCAPTURED,
		},
		NULL);
	return 0;
}

static __always_inline void unmap__range(__u32 vm, struct vm_counters *c, __u64 frame, __u64 n)
{
	struct unmap u = {.frame = frame, .vm = vm, .time = bpf_ktime_get_ns()};

	if (n > MAX_UNMAP_PAGES) {
		n = MAX_UNMAP_PAGES;
		lost(truncated);
	}
	bpf_loop(n, unmap__frame, &u, 0);
	c->frame_discards += n;
	c->evictions += u.evictions;
	c->events += u.evictions + 1;
	event__send(
		&(struct page_event){
			.time = u.time,
			.page = frame,
			.frame = frame,
			.count = n,
			.vm = vm,
			.kind = PAGE_DISCARD,
			.space = SPACE_MEM,
		},
		NULL);
}

static __always_inline struct hv_unmapped *unmapped__of(__u64 thread)
{
	return &shared.unmapped[hv_hash32(thread) % HV_UNMAPPED];
}

/* Reclaim takes a page from the guest; if it then writes it, paging__write() asks whose it was. */
static __always_inline int unmapped__remember(__u64 hva)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct hv_unmapped *u = unmapped__of(thread);

	u->page = hva >> PAGE_SHIFT_4K;
	u->thread = thread;
	return 0;
}

/* Bytes [start, end) of host virtual memory are taken from the guest. Only what
 * the VMM itself drops is lost; reclaim, migration and the like keep it. */
static __always_inline int kvm__unmap(__u64 start, __u64 end)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct vm_counters *c;
	int vm;

	if (task->flags & PF_MEMALLOC_FLAG)
		return unmapped__remember(start);
	vm = vm__current(task);
	if (vm < 0 || !task__drops_memory(task))
		return 0;
	c = vm_counters__of(vm);
	if (!c)
		return 0;
	start >>= PAGE_SHIFT_4K;
	end = (end + PAGE_BYTES - 1) >> PAGE_SHIFT_4K;
	for (int i = 0; i < PE_VM_SLOTS; i++) {
		struct hv_kvm_slot *s = &shared.vms[vm & (PE_MAX_VMS - 1)].slots[i];
		__u64 first = s->hva >> PAGE_SHIFT_4K, from, to;

		if (!s->hva)
			continue;
		from = start > first ? start : first;
		to = end < first + s->npages ? end : first + s->npages;
		if (from < to)
			unmap__range(vm, c, s->frame + (from - first), to - from);
	}
	return 0;
}

#endif
