// SPDX-License-Identifier: GPL-2.0
/*
 * What all programs share: sampling, the tables of VMs and frames, and the way of
 * events to the ring buffer. And that each program loads, for itself.
 */
#define _GNU_SOURCE
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/skips.h"
#include "handlers.h"
#include "hvtrace.skel.h"

static __u64 anon(struct handlers *h, __u64 index, size_t n)
{
	return fake_pages(h->kernel, FAKE_ANON, index, n);
}

/* -------------------------------------------------------------- sampling */

/* The disk's id is part of what is hashed: let the disk be known, then sample 1/4. */
static void sample_a_quarter(struct handlers *h)
{
	handlers__transfer(h, OP_READ, 0, anon(h, 1, 1), 1);
	h->n = 0;
	h->shared->threshold = PE_SAMPLE_ALL / 4;
}

static bool is_sampled(const struct handlers *h, __u64 page)
{
	return pe_lot(pe_page(handlers__disk_id(h), page), SPACE_DISK) <= h->shared->threshold;
}

/* The first page from `page` on that is sampled, or is not. */
static __u64 find_page(const struct handlers *h, __u64 page, bool sampled)
{
	while (is_sampled(h, page) != sampled)
		page++;
	return page;
}

static void test_sampling(void **state)
{
	struct handlers *h = *state;
	struct page_event want[256];
	size_t n = 0;

	sample_a_quarter(h);
	handlers__transfer(h, OP_READ, 1000, anon(h, 5000, 256), 256);
	for (__u64 i = 0; i < 256; i++) {
		if (is_sampled(h, 1000 + i))
			want[n++] = event(PAGE_FILL, 1000 + i, 5000 + i);
	}
	assert_in_range(n, 30, 100);
	handlers__expect(h, want, n);
	/* Counts are not thinned. */
	expect_counters(h, .fills = 257, .ios = 2, .events = 1 + n);
	for (__u64 i = 0; i < 256; i++)
		assert_int_equal(handlers__held(h, VM, 5000 + i),
				 is_sampled(h, 1000 + i) ? 1000 + i : NOTHING);
}

/* Whoever takes the frame, a sampled page in it is evicted; of others nobody speaks. */
static void test_sampled_evictions(void **state)
{
	struct handlers *h = *state;
	__u64 memory = anon(h, 5000, 1), a, b, c;

	sample_a_quarter(h);
	a = find_page(h, 100, true);
	b = find_page(h, 100, false);
	c = find_page(h, a + 1, true);
	handlers__transfer(h, OP_READ, a, memory, 1);
	handlers__transfer(h, OP_READ, b, memory, 1);
	expect_events(h, event(PAGE_FILL, a, 5000), event(PAGE_EVICT, a, 5000));
	handlers__transfer(h, OP_READ, c, memory, 1);
	expect_events(h, event(PAGE_FILL, c, 5000));
	expect_counters(h, .fills = 4, .evictions = 1, .ios = 4, .events = 4);
}

/* The rate falls at run time: of a page that is no longer sampled nothing more is said. */
static void test_lower_rate(void **state)
{
	struct handlers *h = *state;
	__u64 stays, goes;

	sample_a_quarter(h);
	stays = find_page(h, 100, true);
	goes = find_page(h, 100, false);
	h->shared->threshold = PE_SAMPLE_ALL;
	handlers__transfer(h, OP_READ, stays, anon(h, 5000, 1), 1);
	handlers__transfer(h, OP_READ, goes, anon(h, 5001, 1), 1);
	h->n = 0;
	h->shared->threshold = PE_SAMPLE_ALL / 4;
	handlers__transfer(h, OP_READ, goes + 1000000, anon(h, 5001, 1), 1);
	handlers__transfer(h, OP_READ, goes, anon(h, 5000, 1), 1);
	for (size_t i = 0; i < h->n; i++)
		assert_true(pe_lot(h->events[i].page, SPACE_DISK) <= h->shared->threshold);
	assert_int_equal(h->events[h->n - 1].kind, PAGE_EVICT);
	assert_int_equal(h->events[h->n - 1].frame, 5000);
	assert_int_equal(handlers__counters(h, VM).evictions, 1);
}

/* A bio is timed for its first page, remembered for any. */
static void test_sampled_latency(void **state)
{
	struct handlers *h = *state;
	struct vm_counters c;
	__u64 bio, first;

	sample_a_quarter(h);
	for (first = 100; is_sampled(h, first) || !is_sampled(h, first + 1); first++)
		;
	bio = handlers__transfer(h, OP_READ, first, anon(h, 5000, 2), 2);
	expect_events(h, event(PAGE_FILL, first + 1, 5001));
	assert_int_equal(handlers__waiting(h), 2);
	fake_kernel__set(h->kernel, bio, "bio", "bi_status", 10);
	handlers__run(h, "bio_complete", 0, bio, 0);
	handlers__collect(h);
	expect_events(h, discarded(first, 2));
	c = handlers__counters(h, VM);
	for (int i = 0; i < PE_LATENCY_BUCKETS; i++)
		assert_int_equal(c.latency[0][i], 0);
	assert_int_equal(handlers__waiting(h), 1);
}

static void test_unsampled_bio(void **state)
{
	struct handlers *h = *state;

	sample_a_quarter(h);
	handlers__transfer(h, OP_READ, find_page(h, 100, false), anon(h, 5000, 1), 1);
	expect_no_event(h);
	expect_counters(h, .fills = 2, .ios = 2, .events = 1);
	assert_int_equal(handlers__waiting(h), 1);
}

/* ------------------------------------------------------------- frame map */

static size_t nr_held(const struct handlers *h)
{
	size_t n = 0;

	for (size_t i = 0; i < MAX_FRAMES; i++)
		n += !!handlers__slot(h, i)->page;
	return n;
}

/* Fill frames [from, from + n) with pages of the same numbers, as many events come. */
static void fill_frames(struct handlers *h, __u64 from, size_t n)
{
	const size_t step = 512;
	__u64 memory = fake_huge_page(h->kernel, FAKE_ANON, from, step);

	for (size_t i = 0; i < n; i += step) {
		fake_page__set_index(h->kernel, memory, from + i);
		handlers__transfer(h, OP_READ, from + i, memory, step);
	}
	assert_int_equal(h->n, n);
	h->n = 0;
}

static void test_frame_map(void **state)
{
	struct handlers *h = *state;

	/* Half full: next to nothing is lost. */
	fill_frames(h, 0x10000, MAX_FRAMES / 2);
	assert_in_range(h->shared->lost_frames, 0, MAX_FRAMES / 1000);
	assert_int_equal(nr_held(h) + h->shared->lost_frames, MAX_FRAMES / 2);
	/* What is too much pushes out others, one by one. */
	fill_frames(h, 0x20000, MAX_FRAMES * 3 / 4);
	assert_in_range(h->shared->lost_frames, MAX_FRAMES / 4, MAX_FRAMES / 2);
	assert_int_equal(nr_held(h) + h->shared->lost_frames, MAX_FRAMES * 5 / 4);
	assert_int_equal(handlers__counters(h, VM).evictions, 0);
}

/* A map as of a real guest, half full of frames that follow on: next to none is pushed out. */
static void test_large_frame_map(void **state)
{
	const struct handlers_opts opts = {.nr_buckets = 1 << 16};
	const size_t frames = opts.nr_buckets * HV_FRAME_WAY / 2;
	struct handlers *h = handlers__new(&opts);

	for (size_t i = 0; i < frames; i += MAX_EVENTS) {
		fill_frames(h, 0x7f1234000 + i, MAX_EVENTS);
		fake_kernel__clear(h->kernel);
		h->disk = fake_disk(h->kernel, DISK_MAJOR, DISK_MINOR);
	}
	assert_in_range(h->shared->lost_frames, 0, frames / 1000);
	handlers__free(h);
}

/* Of a frame that was pushed out no eviction is seen; of the others each is. */
static void test_lost_frames(void **state)
{
	const size_t n = MAX_FRAMES * 5 / 4;
	struct handlers *h = *state;
	__u64 memory, lost = 0x10000, known = 0x10000;

	fill_frames(h, 0x10000, n);
	while (handlers__held(h, VM, lost) != NOTHING)
		lost++;
	while (handlers__held(h, VM, known) == NOTHING)
		known++;
	assert_in_range(lost, 0x10000, 0x10000 + n - 1);
	memory = anon(h, known, 1);
	handlers__transfer(h, OP_READ, 7, memory, 1);
	expect_events(h, event(PAGE_EVICT, known, known), event(PAGE_FILL, 7, known));
	fake_page__set_index(h->kernel, memory, lost);
	handlers__transfer(h, OP_READ, 8, memory, 1);
	expect_events(h, event(PAGE_FILL, 8, lost));
}

/* Frames from here and there: they crowd some buckets and leave room in others. */
static __u64 scattered(__u64 i)
{
	return i * 2654435761 & 0xffffffff;
}

/* Fill the scattered frames [from, from + n). */
static void fill_scattered(struct handlers *h, __u64 from, size_t n)
{
	const size_t step = 512;
	__u64 memory = anon(h, 0, step);

	for (size_t i = 0; i < n; i += step) {
		for (size_t j = 0; j < step; j++)
			fake_page__set_index(h->kernel, fake_page(h->kernel, memory, j),
					     scattered(from + i + j));
		handlers__transfer(h, OP_READ, from + i, memory, step);
	}
	h->n = 0;
}

/* The frame's next fill finds what is in its entry. */
static void check_entry(struct handlers *h, const struct hv_frame_slot *slot, __u64 memory)
{
	__u64 frame = slot->key & HV_FRAME_MASK, page = handlers__held(h, VM, frame);

	fake_page__set_index(h->kernel, memory, frame);
	handlers__transfer(h, OP_READ, 1000000, memory, 1);
	expect_events(h, event(PAGE_EVICT, page, frame), event(PAGE_FILL, 1000000, frame));
}

/* In both of its buckets an entry is found, whatever came and went beside it. */
static void test_entries_are_found(void **state)
{
	struct handlers *h = *state;

	fill_scattered(h, 0, MAX_FRAMES * 3 / 4);
	/* A quarter is filled with pages that are not sampled: those entries are free then. */
	h->shared->threshold = 0;
	fill_scattered(h, 0, MAX_FRAMES / 4);
	h->shared->threshold = PE_SAMPLE_ALL;
	assert_in_range(nr_held(h), MAX_FRAMES * 3 / 8, MAX_FRAMES / 2);
	fill_scattered(h, MAX_FRAMES, MAX_FRAMES / 2);
	assert_in_range(h->shared->lost_frames, 1, MAX_FRAMES / 4);
	for (size_t i = 0; i < MAX_FRAMES; i++) {
		const struct hv_frame_slot *slot = handlers__slot(h, i);

		if (!slot->page)
			continue;
		fake_kernel__clear(h->kernel);
		h->disk = fake_disk(h->kernel, DISK_MAJOR, DISK_MINOR);
		check_entry(h, slot, anon(h, 0, 1));
	}
}

/* The tracer uses less of the map when less is sampled. */
static void test_smaller_frame_map(void **state)
{
	struct handlers *h = *state;

	h->shared->frame_buckets = 32;
	handlers__transfer(h, OP_READ, 10, anon(h, 500, 20), 20);
	handlers__transfer(h, OP_READ, 40, anon(h, 500, 1), 1);
	assert_int_equal(h->n, 22);
	assert_int_equal(h->events[20].kind, PAGE_EVICT);
	for (size_t i = 32 * HV_FRAME_WAY; i < MAX_FRAMES; i++)
		assert_int_equal(handlers__slot(h, i)->page, 0);
}

/* -------------------------------------------------------------- VM table */

static void forget_vm(struct handlers *h)
{
	memset(h->shared->index, 0, sizeof(h->shared->index));
	memset(h->shared->vms, 0, sizeof(h->shared->vms));
}

static struct hv_vm_index *index_entry(struct handlers *h, size_t i)
{
	return &h->shared->index[(handlers__index_of(getpid()) + i) % HV_VM_INDEX];
}

static void test_unknown_process(void **state)
{
	struct handlers *h = *state;

	forget_vm(h);
	handlers__enter(h, OTHER_TGID, 0, VM);
	handlers__transfer(h, OP_READ, 10, anon(h, 500, 1), 1);
	expect_no_event(h);
	expect_counters(h, .fills = 0);
	for (size_t i = 0; i < PE_MAX_DISKS; i++)
		assert_int_equal(h->shared->disks[i].key, 0);
}

/* Entered by pid: the first process that is seen with it is the one that was meant. */
static void test_start_time(void **state)
{
	struct handlers *h = *state;
	struct hv_vm_index *entry = index_entry(h, 0);

	assert_int_equal(entry->start, 0);
	handlers__transfer(h, OP_READ, 10, anon(h, 500, 1), 1);
	expect_events(h, event(PAGE_FILL, 10, 500));
	assert_in_range(entry->start, 1, h->since);
	/* A process before this one had its pid. */
	entry->start--;
	handlers__transfer(h, OP_READ, 10, anon(h, 500, 1), 1);
	expect_no_event(h);
	expect_counters(h, .fills = 1, .ios = 1, .events = 1);
}

/* Entries that were given up are passed over; a free one ends the search. */
static void test_tombstones(void **state)
{
	struct handlers *h = *state;

	*index_entry(h, 2) = *index_entry(h, 0);
	index_entry(h, 0)->tgid = HV_TOMBSTONE;
	index_entry(h, 1)->tgid = OTHER_TGID;
	handlers__transfer(h, OP_READ, 10, anon(h, 500, 1), 1);
	expect_events(h, event(PAGE_FILL, 10, 500));
	index_entry(h, 1)->tgid = 0;
	handlers__transfer(h, OP_READ, 10, anon(h, 500, 1), 1);
	expect_no_event(h);
}

static void fault(struct handlers *h)
{
	if (!h->has_kvm)
		because("kvm is not loaded");
	handlers__run(h, "kvm_fault_raw", 0, 0, 0);
}

/* KVM's events make a process a VM, in the first place that is free. */
static void test_noticed(void **state)
{
	struct handlers *h = *state;

	forget_vm(h);
	index_entry(h, 0)->tgid = OTHER_TGID;
	index_entry(h, 1)->tgid = HV_TOMBSTONE;
	h->shared->vms[0].used = 1;
	fault(h);
	fault(h);
	assert_int_equal(index_entry(h, 1)->tgid, getpid());
	assert_int_equal(index_entry(h, 1)->vm, 1);
	assert_in_range(index_entry(h, 1)->start, 1, h->since);
	assert_int_equal(index_entry(h, 2)->tgid, 0);
	assert_int_equal(h->shared->vms[1].kvm, 1);
	assert_int_equal(h->shared->vms[2].used, 0);
	handlers__expect_counters(h, 1, &(struct vm_counters){.kvm_faults = 2});
}

static void test_reused_pid(void **state)
{
	struct handlers *h = *state;

	index_entry(h, 0)->start = 1;
	fault(h);
	assert_int_equal(index_entry(h, 1)->tgid, getpid());
	assert_int_equal(index_entry(h, 1)->vm, 0);
	expect_counters(h, .kvm_faults = 0);
	handlers__expect_counters(h, 0, &(struct vm_counters){.kvm_faults = 1});
}

static void test_vms_full(void **state)
{
	struct handlers *h = *state;

	forget_vm(h);
	for (size_t i = 0; i < PE_MAX_VMS; i++)
		h->shared->vms[i].used = 1;
	fault(h);
	assert_int_equal(h->shared->lost_vms, 1);
	assert_int_equal(index_entry(h, 0)->tgid, 0);
}

/* ------------------------------------------------------------ the stream */

static struct hv_stage *stage(struct handlers *h)
{
	return &h->stages[h->cpu];
}

static __u64 bio_of(struct handlers *h, __u64 page, __u64 memory)
{
	const struct fake_vec vec = {memory, 0, PAGE_BYTES};

	return fake_bio(h->kernel, h->disk, OP_READ, page * SECTORS_PER_PAGE, &vec, 1);
}

/* n pages are read; what is full is fetched, the rest still waits. */
static void read_pages(struct handlers *h, size_t n)
{
	const struct fake_vec vec = {anon(h, 5000, n), 0, n * PAGE_BYTES};

	handlers__run(h, "bio_queue_raw", fake_bio(h->kernel, h->disk, OP_READ, 0, &vec, 1), 0, 0);
	handlers__consume(h);
}

static void test_batches(void **state)
{
	struct handlers *h = *state;

	read_pages(h, HV_STAGE_EVENTS - 1);
	assert_int_equal(h->records, 0);
	assert_int_equal(stage(h)->n, HV_STAGE_EVENTS - 1);
	read_pages(h, 1);
	assert_int_equal(h->records, 1);
	assert_int_equal(h->n, HV_STAGE_EVENTS);
	read_pages(h, 2 * HV_STAGE_EVENTS + 5);
	assert_int_equal(h->records, 3);
	assert_int_equal(stage(h)->n, 5);
	assert_int_equal(stage(h)->sent, 3 * HV_STAGE_EVENTS);

	handlers__collect(h);
	assert_int_equal(h->records, 4);
	assert_int_equal(h->n, 3 * HV_STAGE_EVENTS + 5);
	for (size_t i = 1; i < h->n; i++)
		assert_true(h->events[i].time >= h->events[i - 1].time);
	/* Nothing waits: no record. */
	handlers__collect(h);
	assert_int_equal(h->records, 4);
	assert_int_equal(stage(h)->busy, 0);
	assert_int_equal(stage(h)->sent, 3 * HV_STAGE_EVENTS + 5);
	assert_int_equal(stage(h)->dropped, 0);
}

/* An interrupt comes while a program writes: its events go alone, past those that wait. */
static void test_busy(void **state)
{
	struct handlers *h = *state;

	read_pages(h, 2);
	stage(h)->busy = 1;
	read_pages(h, 1);
	assert_int_equal(h->records, 1);
	assert_int_equal(h->n, 1);
	assert_int_equal(stage(h)->n, 2);
	assert_int_equal(handlers__run(h, "flush", 0, 0, 0), 1);
	handlers__consume(h);
	assert_int_equal(h->records, 1);
	assert_int_equal(stage(h)->busy, 1);

	stage(h)->busy = 0;
	handlers__collect(h);
	assert_int_equal(h->n, 3);
	assert_int_equal(stage(h)->sent, 3);
}

/* An eviction and the fill behind it, too. */
static void test_busy_pair(void **state)
{
	struct handlers *h = *state;
	__u64 memory = anon(h, 500, 1);

	handlers__transfer(h, OP_READ, 10, memory, 1);
	h->n = 0;
	stage(h)->busy = 1;
	handlers__run(h, "bio_queue_raw", bio_of(h, 11, memory), 0, 0);
	stage(h)->busy = 0;
	handlers__collect(h);
	assert_int_equal(h->records, 3);
	expect_events(h, event(PAGE_EVICT, 10, 500), event(PAGE_FILL, 11, 500));
	assert_int_equal(stage(h)->sent, 3);
}

/* Nobody fetches: what does not fit is counted, on its CPU, and no event is half there. */
static void test_ring_full(void **state)
{
	const size_t records = RING_BYTES / (8 + sizeof(struct hv_record) +
					     HV_STAGE_EVENTS * sizeof(struct page_event));
	struct handlers *h = *state;
	struct fake_vec vec = {0, 0, HV_STAGE_EVENTS * PAGE_BYTES};
	__u64 bio;

	vec.page = anon(h, 5000, HV_STAGE_EVENTS);
	bio = fake_bio(h->kernel, h->disk, OP_READ, 0, &vec, 1);
	for (size_t i = 0; i < records + 7; i++)
		handlers__run(h, "bio_queue_raw", bio, 0, 0);
	assert_int_equal(stage(h)->sent, records * HV_STAGE_EVENTS);
	assert_int_equal(stage(h)->dropped, 7 * HV_STAGE_EVENTS);
	for (int cpu = 0; cpu < h->nr_cpus; cpu++)
		assert_true(cpu == h->cpu || !h->stages[cpu].dropped);
	handlers__consume(h);
	assert_int_equal(h->records, records);
	assert_int_equal(h->n, records * HV_STAGE_EVENTS);
	/* Events that were dropped are counted as sent by the VM all the same. */
	expect_counters(h, .fills = (records + 7) * HV_STAGE_EVENTS, .ios = records + 7,
			.events = (records + 7) * HV_STAGE_EVENTS);

	h->n = 0;
	handlers__transfer(h, OP_READ, 500, anon(h, 9000, 1), 1);
	expect_events(h, event(PAGE_FILL, 500, 9000));
	assert_int_equal(stage(h)->dropped, 7 * HV_STAGE_EVENTS);
}

/* The same for events that go alone. */
static void test_ring_full_and_busy(void **state)
{
	struct handlers *h = *state;
	const size_t fit = RING_BYTES / (8 + sizeof(struct hv_record) + sizeof(struct page_event));
	size_t n = fit + 100;
	struct fake_vec vec = {fake_huge_page(h->kernel, FAKE_ANON, 5000, n), 0, n * PAGE_BYTES};

	stage(h)->busy = 1;
	handlers__run(h, "bio_queue_raw", fake_bio(h->kernel, h->disk, OP_READ, 0, &vec, 1), 0, 0);
	assert_int_equal(stage(h)->sent + stage(h)->dropped, n);
	assert_in_range(stage(h)->dropped, 100, 101);
	handlers__consume(h);
	assert_int_equal(h->n, stage(h)->sent);
}

/* ------------------------------------------------------ other settings */

/* Only what was asked for by pid. */
static void test_only_pids(void **state)
{
	const struct handlers_opts opts = {.only_pids = true};
	struct handlers *h = handlers__new(&opts);

	if (h->has_kvm) {
		handlers__run(h, "kvm_fault_raw", 0, 0, 0);
		expect_counters(h, .kvm_faults = 1);
		forget_vm(h);
		handlers__run(h, "kvm_fault_raw", 0, 0, 0);
		assert_int_equal(index_entry(h, 0)->tgid, 0);
		assert_int_equal(h->shared->vms[0].used, 0);
		assert_int_equal(h->shared->lost_vms, 0);
	}
	handlers__free(h);
}

/* Kernels before 6.7 count a hugetlb file's index in huge pages, but not a tmpfs file's. */
static void test_scaled_index(void **state)
{
	const struct handlers_opts opts = {.hugetlb_index_scaled = true};
	struct handlers *h = handlers__new(&opts);
	__u64 tmpfs = fake_file(h->kernel, TMPFS_MAGIC, 1, 100);
	__u64 hugetlb = fake_file(h->kernel, HUGETLB_MAGIC, 2, 100);
	__u64 memory = fake_huge_page(h->kernel, hugetlb, 3, 512);

	handlers__transfer(h, OP_READ, 10, fake_page(h->kernel, memory, 7), 1);
	memory = fake_huge_page(h->kernel, tmpfs, 1024, 512);
	handlers__transfer(h, OP_READ, 11, fake_page(h->kernel, memory, 7), 1);
	expect_events(h, event(PAGE_FILL, 10, file_frame(1, 3 * 512 + 7)),
		      event(PAGE_FILL, 11, file_frame(2, 1031)));
	handlers__free(h);
}

/* ---------------------------------------------------------------- loading */

/* "tp_btf/kvm_page_fault" has "kvm_page_fault" in BTF: of the kernel, or of kvm's module. */
static bool has_tracepoint(const struct btf *btf, const struct bpf_program *p)
{
	const char *section = bpf_program__section_name(p), *name = strchr(section, '/');
	char type[128];

	if (!name)
		return true;
	snprintf(type, sizeof(type), "btf_trace_%s", name + 1);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

/* Each for itself: the log names one that does not load. */
static int load_one(const char *name)
{
	struct hvtrace_bpf *skel = hvtrace_bpf__open();
	struct bpf_program *p;
	int err;

	assert_non_null(skel);
	bpf_object__for_each_program(p, skel->obj) {
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), name));
	}
	err = hvtrace_bpf__load(skel);
	hvtrace_bpf__destroy(skel);
	return err;
}

static void test_loads(void **state)
{
	struct btf *vmlinux = btf__load_vmlinux_btf(), *kvm = NULL;
	struct hvtrace_bpf *skel = hvtrace_bpf__open();
	struct bpf_program *p;
	size_t loaded = 0;

	if (!access("/sys/kernel/btf/kvm", R_OK))
		kvm = btf__load_module_btf("kvm", vmlinux);
	assert_non_null(skel);
	bpf_object__for_each_program(p, skel->obj) {
		if (!has_tracepoint(kvm ? kvm : vmlinux, p)) {
			print_message("no %s here\n", bpf_program__section_name(p));
			continue;
		}
		if (load_one(bpf_program__name(p)))
			fail_msg("%s does not load", bpf_program__name(p));
		loaded++;
	}
	assert_in_range(loaded, 9, 30); /* block, paging, page cache, and flush at the least */
	hvtrace_bpf__destroy(skel);
	btf__free(kvm);
	btf__free(vmlinux);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fresh(test_sampling),
		fresh(test_sampled_evictions),
		fresh(test_lower_rate),
		fresh(test_sampled_latency),
		fresh(test_unsampled_bio),
		fresh(test_frame_map),
		fresh(test_lost_frames),
		cmocka_unit_test(test_large_frame_map),
		fresh(test_entries_are_found),
		fresh(test_smaller_frame_map),
		fresh(test_unknown_process),
		fresh(test_start_time),
		fresh(test_tombstones),
		fresh(test_noticed),
		fresh(test_reused_pid),
		fresh(test_vms_full),
		fresh(test_batches),
		fresh(test_busy),
		fresh(test_busy_pair),
		fresh(test_ring_full),
		fresh(test_ring_full_and_busy),
		cmocka_unit_test(test_only_pids),
		cmocka_unit_test(test_scaled_index),
		cmocka_unit_test(test_loads),
	};

	return skips__status(cmocka_run_group_tests(tests, handlers__up, handlers__down));
}
