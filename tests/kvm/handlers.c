// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "handlers.h"
#include "hvtrace.skel.h"

static __attribute__((noreturn)) void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static __u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* ---------------------------------------------------------------- set-up */

/* Drops are counted per CPU, events batched per CPU. */
static int stay_on_one_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("staying on one CPU");
	return cpu;
}

static bool is_kvm(const struct bpf_program *p)
{
	return strstr(bpf_program__section_name(p), "/kvm_");
}

/* The raw programs of what this kernel has; kvm's structures may be in a module. */
static void choose_programs(struct handlers *h)
{
	struct bpf_program *p;

	h->has_kvm = fake_kernel__knows(h->kernel, "kvm_page_fault");
	bpf_object__for_each_program(p, h->skel->obj) {
		bool raw = !strncmp(bpf_program__section_name(p), "raw_tp", 6);

		bpf_program__set_autoload(p, raw && (h->has_kvm || !is_kvm(p)));
	}
}

static void load(struct handlers *h, const struct handlers_opts *opts)
{
	h->skel = hvtrace_bpf__open();
	if (!h->skel)
		die("the BPF programs");
	choose_programs(h);
	h->skel->rodata->only_pids = opts->only_pids;
	h->skel->rodata->hugetlb_index_scaled = opts->hugetlb_index_scaled;
	h->skel->rodata->wakeup_bytes = RING_BYTES / 4;
	h->nr_buckets = opts->nr_buckets ? opts->nr_buckets : NR_BUCKETS;
	if (bpf_map__set_max_entries(h->skel->maps.frames, h->nr_buckets) ||
	    bpf_map__set_max_entries(h->skel->maps.stages, h->nr_cpus) ||
	    bpf_map__set_max_entries(h->skel->maps.ring, RING_BYTES) || hvtrace_bpf__load(h->skel))
		die("loading the BPF programs");
	h->shared = &h->skel->bss->shared;
}

static int on_record(void *ctx, void *data, size_t size)
{
	const struct hv_record *r = data;
	struct handlers *h = ctx;

	if (r->cpu != (__u32)h->cpu || !r->n || h->n + r->n > MAX_EVENTS ||
	    size != sizeof(*r) + r->n * sizeof(r->events[0])) {
		errno = EPROTO;
		die("a record of the ring buffer");
	}
	memcpy(h->events + h->n, r->events, r->n * sizeof(r->events[0]));
	h->n += r->n;
	h->records++;
	return 0;
}

static size_t mapped_bytes(const struct bpf_map *map)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);

	return (bytes + page - 1) & -page;
}

static void *map_memory(const struct bpf_map *map)
{
	void *p = mmap(NULL, mapped_bytes(map), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(map), 0);

	if (p == MAP_FAILED)
		die(bpf_map__name(map));
	return p;
}

struct handlers *handlers__new(const struct handlers_opts *opts)
{
	struct handlers *h = calloc(1, sizeof(*h));

	if (geteuid()) {
		puts("needs root");
		exit(77);
	}
	if (!h)
		die("memory");
	h->cpu = stay_on_one_cpu();
	h->nr_cpus = libbpf_num_possible_cpus();
	h->kernel = fake_kernel__new();
	load(h, opts);
	h->frames = map_memory(h->skel->maps.frames);
	h->stages = map_memory(h->skel->maps.stages);
	h->ring = ring_buffer__new(bpf_map__fd(h->skel->maps.ring), on_record, h, NULL);
	if (!h->ring)
		die("the ring buffer");
	handlers__reset(h);
	return h;
}

void handlers__free(struct handlers *h)
{
	if (!h)
		return;
	ring_buffer__free(h->ring);
	munmap(h->frames, mapped_bytes(h->skel->maps.frames));
	munmap(h->stages, mapped_bytes(h->skel->maps.stages));
	hvtrace_bpf__destroy(h->skel);
	fake_kernel__free(h->kernel);
	free(h);
}

static void clear_counters(struct handlers *h)
{
	struct vm_counters *zero = calloc(h->nr_cpus, sizeof(*zero));

	for (__u32 vm = 0; vm < PE_MAX_VMS; vm++) {
		if (!zero || bpf_map_update_elem(bpf_map__fd(h->skel->maps.counters), &vm, zero, 0))
			die("the counters");
	}
	free(zero);
}

static void clear_images(struct handlers *h)
{
	int fd = bpf_map__fd(h->skel->maps.images);
	struct hv_image_key key;

	while (!bpf_map_get_next_key(fd, NULL, &key))
		bpf_map_delete_elem(fd, &key);
}

void handlers__reset(struct handlers *h)
{
	memset(h->shared, 0, sizeof(*h->shared));
	memset(h->frames, 0, mapped_bytes(h->skel->maps.frames));
	memset(h->stages, 0, mapped_bytes(h->skel->maps.stages));
	clear_counters(h);
	clear_images(h);
	ring_buffer__consume(h->ring);
	fake_kernel__clear(h->kernel);
	h->disk = fake_disk(h->kernel, DISK_MAJOR, DISK_MINOR);
	h->shared->threshold = PE_SAMPLE_ALL;
	h->shared->frame_buckets = h->nr_buckets;
	handlers__enter(h, getpid(), 0, VM);
	h->since = now();
	h->n = h->records = 0;
}

int handlers__up(void **state)
{
	const struct handlers_opts opts = {0};

	*state = handlers__new(&opts);
	return 0;
}

int handlers__down(void **state)
{
	handlers__free(*state);
	return 0;
}

int handlers__again(void **state)
{
	handlers__reset(*state);
	return 0;
}

__u32 handlers__index_of(__u32 tgid)
{
	return hv_hash32(tgid) % HV_VM_INDEX;
}

void handlers__enter(struct handlers *h, __u32 tgid, __u64 start, __u16 vm)
{
	__u32 at = handlers__index_of(tgid);

	while (h->shared->index[at].tgid)
		at = (at + 1) % HV_VM_INDEX;
	h->shared->vms[vm].used = 1;
	h->shared->index[at] = (struct hv_vm_index){.tgid = tgid, .vm = vm, .start = start};
}

/* ------------------------------------------------------------------- run */

int handlers__run(struct handlers *h, const char *program, __u64 a, __u64 b, __u64 c)
{
	__u64 args[] = {a, b, c};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	struct bpf_program *p = bpf_object__find_program_by_name(h->skel->obj, program);

	if (!p || bpf_program__fd(p) < 0 || bpf_prog_test_run_opts(bpf_program__fd(p), &opts))
		die(program);
	return opts.retval;
}

void handlers__consume(struct handlers *h)
{
	if (ring_buffer__consume(h->ring) < 0)
		die("the ring buffer");
}

void handlers__collect(struct handlers *h)
{
	assert_int_equal(handlers__run(h, "flush", 0, 0, 0), 0);
	handlers__consume(h);
}

void handlers__queue(struct handlers *h, __u64 bio)
{
	assert_int_equal(handlers__run(h, "bio_queue_raw", bio, 0, 0), 0);
	handlers__collect(h);
}

__u64 handlers__transfer(struct handlers *h, __u32 op, __u64 page, __u64 memory, size_t n)
{
	const struct fake_vec vec = {memory, 0, n * PAGE_BYTES};
	__u64 bio = fake_bio(h->kernel, h->disk, op, page * SECTORS_PER_PAGE, &vec, 1);

	handlers__queue(h, bio);
	return bio;
}

/* ---------------------------------------------------------- expectations */

#define NUMBER_MASK ((1ULL << PE_DISK_SHIFT) - 1)
#define DISK_KEY (HV_DISK_USED | (__u64)DISK_MAJOR << 20 | DISK_MINOR)

__u64 handlers__disk_id(const struct handlers *h)
{
	for (__u64 id = 0; id < PE_MAX_DISKS; id++) {
		if (h->shared->disks[id].key == DISK_KEY)
			return id;
	}
	fail_msg("the disk is not in the disk table");
	return 0;
}

__u64 handlers__waiting(const struct handlers *h)
{
	__u64 n = 0;

	for (size_t i = 0; i < HV_WAITING; i++)
		n += h->shared->waiting[i].bios;
	return n;
}

__u64 handlers__held(const struct handlers *h, __u16 vm, __u64 frame)
{
	for (size_t i = 0; i < h->nr_buckets * HV_FRAME_WAY; i++) {
		const struct hv_frame_slot *s = handlers__slot(h, i);

		if ((s->key & ~HV_KEY_SPILLED) == ((__u64)vm << 48 | frame) && s->page)
			return (s->page - 1) & NUMBER_MASK;
	}
	return NOTHING;
}

struct vm_counters handlers__counters(const struct handlers *h, __u16 vm)
{
	struct vm_counters *per_cpu = calloc(h->nr_cpus, sizeof(*per_cpu)), sum = {0};
	__u32 key = vm;

	if (!per_cpu || bpf_map_lookup_elem(bpf_map__fd(h->skel->maps.counters), &key, per_cpu))
		die("the counters");
	for (int cpu = 0; cpu < h->nr_cpus; cpu++) {
		for (size_t i = 0; i < sizeof(sum) / sizeof(__u64); i++)
			((__u64 *)&sum)[i] += ((__u64 *)&per_cpu[cpu])[i];
	}
	free(per_cpu);
	return sum;
}

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name, offsetof(struct vm_counters, name)                                          \
	}

void handlers__expect_counters(const struct handlers *h, __u16 vm, const struct vm_counters *want)
{
	static const struct {
		const char *name;
		size_t offset;
	} counter[] = {
		COUNTER(fills),	      COUNTER(writebacks), COUNTER(discards),
		COUNTER(evictions),   COUNTER(frameless),  COUNTER(partials),
		COUNTER(kvm_faults),  COUNTER(kvm_maps),   COUNTER(frame_discards),
		COUNTER(page_outs),   COUNTER(page_ins),   COUNTER(cache_adds),
		COUNTER(cache_drops), COUNTER(ios),	   COUNTER(io_errors),
		COUNTER(events),
	};
	const struct vm_counters have = handlers__counters(h, vm);

	_Static_assert(sizeof(counter) / sizeof(counter[0]) * sizeof(__u64) ==
			       offsetof(struct vm_counters, latency),
		       "all counters");
	for (size_t i = 0; i < sizeof(counter) / sizeof(counter[0]); i++) {
		__u64 is = *(const __u64 *)((const char *)&have + counter[i].offset);
		__u64 should = *(const __u64 *)((const char *)want + counter[i].offset);

		if (is != should)
			fail_msg("VM %u: %s is %llu, not %llu", vm, counter[i].name, is, should);
	}
}

static void print_event(const char *who, size_t i, const struct page_event *e)
{
	print_error("%s %zu: kind %u space %u flags %u page %#llx frame %#llx count %u vm %u\n",
		    who, i, e->kind, e->space, e->flags, e->page, e->frame, e->count, e->vm);
}

/* Is it the wanted event, on the disk (or in an image, which has no such key)? */
static bool is_event(const struct handlers *h, const struct page_event *e,
		     const struct page_event *want)
{
	__u64 page = e->page;

	if (e->space == SPACE_DISK) {
		page &= NUMBER_MASK;
		if (!(e->flags & PE_HOST_CACHE) && e->page >> PE_DISK_SHIFT != handlers__disk_id(h))
			return false;
	}
	return page == want->page && e->frame == want->frame && e->count == want->count &&
	       e->vm == want->vm && e->kind == want->kind && e->space == want->space &&
	       e->flags == want->flags;
}

void handlers__expect(struct handlers *h, const struct page_event *want, size_t n)
{
	__u64 last = h->since, end = now();

	for (size_t i = 0; i < h->n || i < n; i++) {
		if (i < n && i < h->n && is_event(h, &h->events[i], &want[i])) {
			assert_in_range(h->events[i].time, last, end);
			last = h->events[i].time;
			continue;
		}
		if (i < n)
			print_event("wanted", i, &want[i]);
		if (i < h->n)
			print_event("came", i, &h->events[i]);
		fail_msg("%zu events came, %zu were wanted", h->n, n);
	}
	h->n = h->records = 0;
}
