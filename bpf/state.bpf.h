/* SPDX-License-Identifier: GPL-2.0 */
/* Maps, and the three things every source needs: find the VM, follow a frame, send an event. */
#ifndef HVTRACE_STATE_BPF_H
#define HVTRACE_STATE_BPF_H

/* Set by the loader. */
const volatile bool only_pids = false; /* do not notice VMs by their KVM events */
const volatile __u32 wakeup_bytes = 0; /* wake userspace when so much waits */

struct hv_shared shared;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set by the loader: frame_buckets */
	__type(key, __u32);
	__type(value, struct hv_frame_bucket);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set by the loader: possible CPUs */
	__type(key, __u32);
	__type(value, struct hv_stage);
} stages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PE_MAX_VMS);
	__type(key, __u32);
	__type(value, struct vm_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PE_MAX_DISKS);
	__type(key, struct hv_image_key);
	__type(value, struct hv_image);
} images SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set by the loader */
} ring SEC(".maps");

/* A global function: the verifier checks it once, for any arguments, and not at
 * each place that calls it. Pointers may be NULL to it. */
#define __global __attribute__((noinline))

#define lost(what) __sync_fetch_and_add(&shared.what, 1)

static __always_inline bool sampled(__u64 page, __u64 space)
{
	return pe_hash(page, space) <= *(volatile __u64 *)&shared.threshold;
}

static __always_inline struct vm_counters *vm_counters__of(__u32 vm)
{
	return bpf_map_lookup_elem(&counters, &vm);
}

/* ------------------------------------------------------------------ VMs */

/* Slot of a process in the index, or a negative value. A start of 0 in the
 * slot means "asked for by pid": it becomes that of the process now seen. */
__global int vm__find(__u32 tgid, __u64 start)
{
	__u32 at = hv_hash32(tgid);

	for (int i = 0; i < HV_PROBES; i++) {
		struct hv_vm_index *slot = &shared.index[(at + i) % HV_VM_INDEX];

		if (!slot->tgid)
			return -1;
		if (slot->tgid != tgid)
			continue;
		if (!slot->start)
			slot->start = start;
		if (slot->start == start)
			return slot->vm & (PE_MAX_VMS - 1);
	}
	return -1;
}

static __always_inline int vm__current(struct task_struct *task)
{
	return vm__find(task->tgid, task->group_leader->start_time);
}

static __always_inline int vm__take_id(void)
{
	for (int i = 0; i < PE_MAX_VMS; i++) {
		if (!__sync_val_compare_and_swap(&shared.vms[i].used, 0, 1))
			return i;
	}
	return -1;
}

/* Enter a process: the slow path, once a VM. */
__global int vm__enter(__u32 tgid, __u64 start)
{
	__u32 at = hv_hash32(tgid);
	int vm = vm__take_id();
	bool full = true;

	if (vm < 0) {
		lost(lost_vms);
		return -1;
	}
	for (int i = 0; i < HV_PROBES; i++) {
		struct hv_vm_index *slot = &shared.index[(at + i) % HV_VM_INDEX];
		__u32 was = slot->tgid;

		if (was && was != HV_TOMBSTONE)
			continue;
		/* A busy mark first: nobody may match the slot before vm and start are there. */
		full = __sync_val_compare_and_swap(&slot->tgid, was, HV_TOMBSTONE - 1) == was;
		if (!full)
			break; /* another CPU enters somebody, perhaps this one: next event again */
		slot->vm = vm;
		slot->start = start;
		__sync_lock_test_and_set(&slot->tgid, tgid);
		return vm;
	}
	if (full)
		lost(lost_vms);
	__sync_lock_test_and_set(&shared.vms[vm & (PE_MAX_VMS - 1)].used, 0);
	return -1;
}

/* The VM of a task that uses KVM, entered if need be. */
static __always_inline int vm__noticed(struct task_struct *task)
{
	int vm = vm__current(task);

	if (vm < 0 && !only_pids)
		vm = vm__enter(task->tgid, task->group_leader->start_time);
	if (vm >= 0 && !shared.vms[vm & (PE_MAX_VMS - 1)].kvm)
		shared.vms[vm & (PE_MAX_VMS - 1)].kvm = 1;
	return vm;
}

/* ------------------------------------------------------------ frame map */

static __always_inline struct hv_frame_bucket *frame_bucket(__u32 hash)
{
	__u32 i = hv_bucket(hash, *(volatile __u64 *)&shared.frame_buckets);

	return bpf_map_lookup_elem(&frames, &i);
}

/* Puts value (1 + page; 0 to forget) into the entry if it is in the bucket. */
static __always_inline bool bucket__swap(struct hv_frame_bucket *b, __u64 key, __u64 value,
					 __u64 *old)
{
	for (int i = 0; i < HV_FRAME_WAY; i++) {
		if ((b->slot[i].key & ~HV_KEY_SPILLED) != key)
			continue;
		*old = b->slot[i].page;
		if (*old != value)
			*old = __sync_lock_test_and_set(&b->slot[i].page, value);
		return true;
	}
	return false;
}

static __always_inline int bucket__free(const struct hv_frame_bucket *b)
{
	int n = 0;

	for (int i = 0; i < HV_FRAME_WAY; i++)
		n += !b->slot[i].page;
	return n;
}

static __always_inline bool bucket__insert(struct hv_frame_bucket *b, __u64 key, __u64 value)
{
	for (int i = 0; i < HV_FRAME_WAY; i++) {
		__u64 was = b->slot[i].key, now = key | (was & HV_KEY_SPILLED);

		if (b->slot[i].page ||
		    __sync_val_compare_and_swap(&b->slot[i].key, was, now) != was)
			continue;
		b->slot[i].page = value;
		return true;
	}
	return false;
}

/* A new entry goes to its first bucket while that has room to spare, else to the emptier one. */
static __always_inline bool frame__insert(struct hv_frame_bucket *a, struct hv_frame_bucket *b,
					  __u64 key, __u64 value)
{
	int room = bucket__free(a);

	if ((room > 1 || room >= bucket__free(b)) && bucket__insert(a, key, value))
		return true;
	__sync_fetch_and_or(&a->slot[0].key, HV_KEY_SPILLED);
	return bucket__insert(b, key, value);
}

/*
 * The frame map: which page a frame holds. Two-choice hashing into buckets of
 * one cache line (Azar et al., "Balanced Allocations", 1994), leaning to the
 * first: most searches touch one line. Frames that follow on fill it to 80 %
 * without loss; of frames here and there, one in 500 is pushed out at 60 %.
 * Returns 1 + the page the frame held before, or 0.
 *
 * No lock: an entry belongs to its frame, and a guest has one I/O at a time
 * for a frame. Only when an entry is taken over by another frame at the very
 * instant its old owner writes to it, one eviction is told of a wrong page.
 */
__global __u64 frame__swap(__u64 key, __u64 value)
{
	__u32 h = hv_hash32(key);
	struct hv_frame_bucket *a = frame_bucket(h), *b;
	bool spilled;
	__u64 old = 0;

	if (!a || bucket__swap(a, key, value, &old))
		return old;
	spilled = a->slot[0].key & HV_KEY_SPILLED;
	if (!spilled && !value)
		return 0;
	b = frame_bucket(hv_hash_second(h));
	if (!b || (spilled && bucket__swap(b, key, value, &old)) || !value)
		return old;
	if (frame__insert(a, b, key, value))
		return 0;
	h >>= 30; /* which one: as good as at random */
	a->slot[h].key = key | (a->slot[h].key & HV_KEY_SPILLED);
	a->slot[h].page = value;
	lost(lost_frames);
	return 0;
}

/* ---------------------------------------------------------------- files */

#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6

__global int file__enter(__u32 vm, __u64 mapping)
{
	struct inode *host = BPF_CORE_READ((struct address_space *)mapping, host);
	__u64 magic = BPF_CORE_READ(host, i_sb, s_magic);
	__u32 at = hv_hash32(mapping);

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
		f->region = HV_REGION_OTHER;
		if (magic == HUGETLBFS_MAGIC || magic == TMPFS_MAGIC) {
			nr = __sync_fetch_and_add(&shared.vms[vm & (PE_MAX_VMS - 1)].nr_files, 1);
			f->region = nr < HV_REGION_MAX ? nr + 1 : HV_REGION_NONE;
		}
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

/* --------------------------------------------------------------- frames */

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

/* --------------------------------------------------------------- events */

static __always_inline __u64 stage__record_bytes(__u32 n)
{
	return sizeof(struct hv_record) + n * sizeof(struct page_event);
}

/* Send what waits on this CPU. */
static __always_inline void stage__flush(struct hv_stage *s)
{
	__u32 n = s->n;
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (!n || n > HV_STAGE_EVENTS)
		return;
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wakeup_bytes)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&ring, &s->cpu, stage__record_bytes(n), flags))
		s->dropped += n;
	else
		s->sent += n;
	s->n = 0;
}

/* An interrupt's program found the stage in use: its event goes alone. */
static __always_inline void event__send_alone(struct hv_stage *s, __u32 cpu,
					      const struct page_event *e)
{
	struct {
		__u32 cpu, n; /* struct hv_record */
		struct page_event event;
	} rec = {.cpu = cpu, .n = 1, .event = *e};

	if (bpf_ringbuf_output(&ring, &rec, sizeof(rec), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&s->dropped, 1);
	else
		__sync_fetch_and_add(&s->sent, 1);
}

static __always_inline void stage__add(struct hv_stage *s, const struct page_event *e)
{
	if (s->n < HV_STAGE_EVENTS)
		s->events[s->n++] = *e;
	if (s->n >= HV_STAGE_EVENTS)
		stage__flush(s);
}

/* Send an event, and another right behind it unless that is NULL. */
__global int event__send(const struct page_event *e, const struct page_event *next)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct hv_stage *s = bpf_map_lookup_elem(&stages, &cpu);

	if (!s || !e)
		return 0;
	if (__sync_lock_test_and_set(&s->busy, 1)) {
		event__send_alone(s, cpu, e);
		if (next)
			event__send_alone(s, cpu, next);
		return 0;
	}
	s->cpu = cpu;
	stage__add(s, e);
	if (next)
		stage__add(s, next);
	s->busy = 0;
	return 0;
}

#endif
