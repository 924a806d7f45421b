// SPDX-License-Identifier: GPL-2.0
/* The sources: which programs this kernel can have, loaded and attached. */
#include "tracer_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "hvtrace.skel.h"

#define DEFAULT_FRAMES (1ULL << 20)
#define DEFAULT_RING (8u << 20)
#define CHECK_KVM_NS 500000000ULL

/* A tracepoint and the programs for it. One of a source's `either` will do. */
static const struct program {
	enum tracer_source source;
	const char *tracepoint;
	const char *btf; /* NULL: raw only */
	const char *raw;
	bool either;
} programs[] = {
	{TRACER_BLOCK, "block_bio_queue", "bio_queue", "bio_queue_raw", true},
	{TRACER_BLOCK, "block_bio_complete", NULL, "bio_complete", false},
	{TRACER_BLOCK, "block_rq_complete", NULL, "rq_complete", false},
	{TRACER_KVM, "kvm_mmu_spte_requested", "kvm_map", "kvm_map_raw", true},
	{TRACER_KVM, "kvm_page_fault", "kvm_fault", "kvm_fault_raw", true},
	{TRACER_KVM, "kvm_unmap_hva_range", "kvm_unmap", "kvm_unmap_raw", false},
	{TRACER_PAGING, "mm_vmscan_write_folio", "write_folio", "write_folio_raw", true},
	{TRACER_PAGING, "mm_vmscan_writepage", "writepage", "write_folio_raw", true},
	{TRACER_CACHE, "mm_filemap_add_to_page_cache", "cache_add", "cache_add_raw", true},
	{TRACER_CACHE, "mm_filemap_delete_from_page_cache", "cache_drop", "cache_drop_raw", true},
};

#define NR_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static const char *const source_names[TRACER_SOURCES] = {
	[TRACER_BLOCK] = "block",
	[TRACER_KVM] = "kvm",
	[TRACER_PAGING] = "paging",
	[TRACER_CACHE] = "cache",
};

const char *tracer__source_name(enum tracer_source s)
{
	return source_names[s];
}

enum tracer_source_state tracer__source(const struct tracer *t, enum tracer_source s)
{
	return t->state[s];
}

const char *tracer__source_reason(const struct tracer *t, enum tracer_source s)
{
	return t->reason[s];
}

static void set_state(struct tracer *t, enum tracer_source s, enum tracer_source_state state,
		      const char *reason)
{
	t->state[s] = state;
	snprintf(t->reason[s], sizeof(t->reason[s]), "%s", reason);
}

/* ------------------------------------------------------------------ BTF */

struct kernel_btf {
	struct btf *vmlinux;
	struct btf *kvm;
};

static void kernel_btf__open(struct kernel_btf *b)
{
	b->vmlinux = btf__load_vmlinux_btf();
	b->kvm = b->vmlinux ? btf__load_module_btf("kvm", b->vmlinux) : NULL;
}

static void kernel_btf__close(struct kernel_btf *b)
{
	btf__free(b->kvm);
	btf__free(b->vmlinux);
}

/* A tracepoint has a typedef of its name in BTF; no need for tracefs. */
static bool kernel_btf__has(const struct kernel_btf *b, const char *tracepoint)
{
	char name[96];

	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	return (b->vmlinux && btf__find_by_name_kind(b->vmlinux, name, BTF_KIND_TYPEDEF) > 0) ||
	       (b->kvm && btf__find_by_name_kind(b->kvm, name, BTF_KIND_TYPEDEF) > 0);
}

/* ----------------------------------------------------------------- load */

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (getenv("HVTRACE_LIBBPF_DEBUG"))
		return vfprintf(stderr, fmt, args);
	return 0;
}

/* Which sources this kernel has; what it lacks is said, and costs that source only. */
static void judge_sources(struct tracer *t, const struct kernel_btf *b)
{
	for (int s = 0; s < TRACER_SOURCES; s++) {
		char reason[128] = "";
		bool any = false;

		if (t->opts.off[s]) {
			set_state(t, s, SOURCE_OFF, "switched off");
			continue;
		}
		for (size_t i = 0; i < NR_PROGRAMS; i++) {
			if ((int)programs[i].source != s || !programs[i].either)
				continue;
			any |= kernel_btf__has(b, programs[i].tracepoint);
			if (!reason[0])
				snprintf(reason, sizeof(reason), "this kernel has no tracepoint %s",
					 programs[i].tracepoint);
		}
		if (any)
			set_state(t, s, SOURCE_WAITING, "not attached yet");
		else if (s == TRACER_KVM)
			set_state(t, s, SOURCE_WAITING, "kvm is not loaded; attaches when it is");
		else
			set_state(t, s, SOURCE_MISSING, reason);
	}
}

static void choose_programs(const struct tracer *t, struct hvtrace_bpf *skel,
			    const struct kernel_btf *b, bool kvm_only)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, false);
	if (!kvm_only)
		bpf_program__set_autoload(skel->progs.flush, true);
	for (size_t i = 0; i < NR_PROGRAMS; i++) {
		const struct program *g = &programs[i];
		const char *name = g->btf && !t->raw ? g->btf : g->raw;

		if (t->opts.off[g->source] || (kvm_only && g->source != TRACER_KVM) ||
		    !kernel_btf__has(b, g->tracepoint))
			continue;
		bpf_program__set_autoload(bpf_object__find_program_by_name(skel->obj, name), true);
	}
}

/* The change is in no BTF, hence the version (see core_fixes.bpf.h). */
static bool hugetlb_index_is_scaled(void)
{
	int major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return false;
	return major < 6 || (major == 6 && minor < 7);
}

/* 60 % full when all frames are there: see frame__swap() for what that loses. */
static size_t buckets_for(__u64 frames)
{
	return (frames * 5 / 3 / HV_FRAME_WAY + 16) & ~15ULL;
}

static int size_maps(struct tracer *t, struct hvtrace_bpf *skel)
{
	size_t ring = t->opts.ring_bytes ? t->opts.ring_bytes : DEFAULT_RING;

	t->nr_buckets = buckets_for(t->opts.max_frames ? t->opts.max_frames : DEFAULT_FRAMES);
	t->nr_cpus = libbpf_num_possible_cpus();
	if (t->nr_cpus <= 0)
		return -EINVAL;
	skel->rodata->only_pids = t->opts.only_pids;
	skel->rodata->wakeup_bytes = ring / 4;
	skel->rodata->hugetlb_index_scaled = hugetlb_index_is_scaled();
	t->thinned_for = t->opts.threshold;
	t->full_buckets = t->nr_buckets;
	skel->bss->shared.threshold = t->opts.threshold;
	t->opts.ring_bytes = ring;
	skel->bss->shared.frame_buckets = t->nr_buckets;
	if (bpf_map__set_max_entries(skel->maps.frames, t->nr_buckets) ||
	    bpf_map__set_max_entries(skel->maps.stages, t->nr_cpus) ||
	    bpf_map__set_max_entries(skel->maps.ring, ring))
		return -EINVAL;
	return 0;
}

static int load_main(struct tracer *t, const struct kernel_btf *b)
{
	int err;

	t->skel = hvtrace_bpf__open();
	if (!t->skel)
		return -errno;
	choose_programs(t, t->skel, b, false);
	err = size_maps(t, t->skel);
	if (!err)
		err = hvtrace_bpf__load(t->skel);
	if (!err)
		return 0;
	hvtrace_bpf__destroy(t->skel);
	t->skel = NULL;
	return err;
}

int tracer__open_sources(struct tracer *t)
{
	struct kernel_btf b;
	int err;

	libbpf_set_print(quiet);
	kernel_btf__open(&b);
	judge_sources(t, &b);
	err = load_main(t, &b);
	if (err && err != -EPERM && err != -ENOMEM) {
		t->raw = true; /* tp_btf refused */
		err = load_main(t, &b);
	}
	kernel_btf__close(&b);
	if (err) {
		tracer__warn(t,
			     "the BPF programs do not load: %s; `hvtrace doctor` tells what is "
			     "missing, HVTRACE_LIBBPF_DEBUG=1 shows the verifier's log",
			     strerror(-err));
		return err;
	}
	t->shared = &t->skel->bss->shared;
	t->flush_fd = bpf_program__fd(t->skel->progs.flush);
	return 0;
}

int tracer__map_fd(const struct tracer *t, const char *name)
{
	return bpf_object__find_map_fd_by_name(t->skel->obj, name);
}

/* --------------------------------------------------------------- attach */

static int attach_program(struct tracer *t, struct hvtrace_bpf *skel, const struct program *g)
{
	const char *name = g->btf && !t->raw ? g->btf : g->raw;
	struct bpf_program *p = bpf_object__find_program_by_name(skel->obj, name);
	struct bpf_link *link;

	if (!p || bpf_program__fd(p) < 0)
		return 0; /* the kernel lacks this one; the source does without */
	link = bpf_program__attach(p);
	if (!link)
		return -errno;
	t->links[t->nr_links++] = link;
	return 0;
}

static int attach_source(struct tracer *t, struct hvtrace_bpf *skel, enum tracer_source s)
{
	char reason[128];
	int err;

	for (size_t i = 0; i < NR_PROGRAMS; i++) {
		if (programs[i].source != s)
			continue;
		err = attach_program(t, skel, &programs[i]);
		if (!err)
			continue;
		snprintf(reason, sizeof(reason), "%s does not attach: %s", programs[i].tracepoint,
			 strerror(-err));
		set_state(t, s, SOURCE_MISSING, reason);
		return err;
	}
	set_state(t, s, SOURCE_ON, "");
	return 0;
}

static bool kvm_is_loaded_now(const struct hvtrace_bpf *skel, bool raw)
{
	return bpf_program__fd(raw ? skel->progs.kvm_map_raw : skel->progs.kvm_map) >= 0 ||
	       bpf_program__fd(raw ? skel->progs.kvm_fault_raw : skel->progs.kvm_fault) >= 0;
}

int tracer__attach_sources(struct tracer *t)
{
	size_t on = 0;

	for (int s = 0; s < TRACER_SOURCES; s++) {
		if (t->state[s] != SOURCE_WAITING)
			continue;
		if (s == TRACER_CACHE) {
			set_state(t, s, SOURCE_WAITING, "no VM has a buffered image");
			continue;
		}
		if (s == TRACER_KVM && !kvm_is_loaded_now(t->skel, t->raw)) {
			on++;
			continue;
		}
		on += !attach_source(t, t->skel, s);
	}
	for (int s = 0; s < TRACER_SOURCES; s++) {
		if (t->state[s] == SOURCE_MISSING)
			tracer__warn(t, "no %s events: %s", source_names[s], t->reason[s]);
	}
	if (on)
		return 0;
	tracer__warn(t, "no source is left to trace; switch one on, or see `hvtrace doctor`");
	return -ENODEV;
}

int tracer__attach_cache(struct tracer *t)
{
	int err;

	if (t->state[TRACER_CACHE] != SOURCE_WAITING)
		return 0;
	err = attach_source(t, t->skel, TRACER_CACHE);
	if (err)
		tracer__warn(t, "no %s events: %s", source_names[TRACER_CACHE],
			     t->reason[TRACER_CACHE]);
	return err;
}

/* The same object once more for KVM's programs, on the maps that are there. */
static int load_late_kvm(struct tracer *t, const struct kernel_btf *b)
{
	struct hvtrace_bpf *skel = hvtrace_bpf__open();
	struct bpf_map *map, *ours;
	int err = 0;

	if (!skel)
		return -errno;
	choose_programs(t, skel, b, true);
	bpf_object__for_each_map(map, skel->obj) {
		ours = bpf_object__find_map_by_name(t->skel->obj, bpf_map__name(map));
		if (!err)
			err = bpf_map__reuse_fd(map, bpf_map__fd(ours));
	}
	if (!err)
		err = hvtrace_bpf__load(skel);
	if (err) {
		hvtrace_bpf__destroy(skel);
		return err;
	}
	t->late_kvm = skel;
	return attach_source(t, skel, TRACER_KVM);
}

void tracer__check_waiting(struct tracer *t)
{
	__u64 now = tracer__now();
	struct kernel_btf b;
	char reason[128];
	int err;

	if (t->state[TRACER_KVM] != SOURCE_WAITING || now - t->checked_kvm < CHECK_KVM_NS)
		return;
	t->checked_kvm = now;
	if (access("/sys/kernel/btf/kvm", R_OK))
		return;
	kernel_btf__open(&b);
	err = load_late_kvm(t, &b);
	kernel_btf__close(&b);
	if (!err)
		return;
	snprintf(reason, sizeof(reason), "kvm came, but its programs do not load: %s",
		 strerror(-err));
	set_state(t, TRACER_KVM, SOURCE_MISSING, reason);
	tracer__warn(t, "no kvm events: %s", reason);
}

void tracer__close_sources(struct tracer *t)
{
	while (t->nr_links)
		bpf_link__destroy(t->links[--t->nr_links]);
	hvtrace_bpf__destroy(t->late_kvm);
	hvtrace_bpf__destroy(t->skel);
}

/* ---------------------------------------------------------------- costs */

static void add_run_time(const struct bpf_program *p, __u64 *run_ns, __u64 *runs)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	if (!p || bpf_program__fd(p) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
		return;
	*run_ns += info.run_time_ns;
	*runs += info.run_cnt;
}

int tracer__bpf_time(const struct tracer *t, enum tracer_source s, __u64 *run_ns, __u64 *runs)
{
	const struct hvtrace_bpf *skel = s == TRACER_KVM && t->late_kvm ? t->late_kvm : t->skel;

	*run_ns = *runs = 0;
	for (size_t i = 0; i < NR_PROGRAMS; i++) {
		const struct program *g = &programs[i];

		if (g->source == s)
			add_run_time(bpf_object__find_program_by_name(
					     skel->obj, g->btf && !t->raw ? g->btf : g->raw),
				     run_ns, runs);
	}
	return 0;
}

/* The kernel's own figure for a map, from the descriptor's fdinfo. */
static size_t map_bytes(int fd)
{
	char path[64], line[128];
	size_t bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memlock: %zu", &bytes) == 1)
			break;
	}
	fclose(f);
	return bytes;
}

size_t tracer__kernel_bytes(const struct tracer *t)
{
	struct bpf_map *map;
	size_t bytes = 0;

	bpf_object__for_each_map(map, t->skel->obj)
		bytes += map_bytes(bpf_map__fd(map));
	return bytes;
}
