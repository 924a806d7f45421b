// SPDX-License-Identifier: GPL-2.0
/* The tracer's life, and its event stream: ring buffer -> merge -> caller. */
#include "tracer_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* A program takes its time stamp first and adds the event a little later; an
 * event older than this is surely in. */
#define SETTLE_NS 10000000ULL
#define FLUSH_TRIES 4

__u64 tracer__now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void tracer__warn(const struct tracer *t, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!t->opts.warn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	t->opts.warn(t->opts.warn_ctx, line);
}

struct tracer *tracer__new(const struct tracer_opts *opts)
{
	struct tracer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	memcpy(&t->opts, opts, opts->sz < sizeof(*opts) ? opts->sz : sizeof(*opts));
	t->flush_fd = -1;
	if (opts->nr_pids) {
		t->pids = calloc(opts->nr_pids, sizeof(*t->pids));
		if (!t->pids) {
			free(t);
			return NULL;
		}
		memcpy(t->pids, opts->pids, opts->nr_pids * sizeof(*t->pids));
		t->opts.pids = t->pids;
	}
	return t;
}

static int on_record(void *ctx, void *data, size_t size)
{
	const struct hv_record *r = data;
	struct tracer *t = ctx;

	if (size < sizeof(*r) || size < sizeof(*r) + r->n * sizeof(r->events[0]))
		return 0;
	if (merge__add(t->merge, r->cpu, r->events, r->n))
		t->lost_merge += r->n;
	return 0;
}

static void *map_memory(int fd, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, (bytes + page - 1) & ~(page - 1), PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int open_stream(struct tracer *t)
{
	t->merge = merge__new(t->nr_cpus);
	t->ring = ring_buffer__new(tracer__map_fd(t, "ring"), on_record, t, NULL);
	t->stages = map_memory(tracer__map_fd(t, "stages"), t->nr_cpus * sizeof(*t->stages));
	t->frames = map_memory(tracer__map_fd(t, "frames"), t->nr_buckets * sizeof(*t->frames));
	if (t->merge && t->ring && t->stages && t->frames)
		return 0;
	tracer__warn(t, "no memory for the event stream; free some, it takes about %zu MiB",
		     (t->nr_buckets * sizeof(*t->frames) + t->opts.ring_bytes) >> 20);
	return -ENOMEM;
}

int tracer__load(struct tracer *t)
{
	int err = tracer__open_sources(t);

	return err ? err : open_stream(t);
}

int tracer__attach(struct tracer *t)
{
	int err = tracer__enter_pids(t);

	if (!err)
		err = tracer__attach_sources(t);
	t->until = tracer__now();
	if (!err)
		tracer__scan_vms(t);
	return err;
}

void tracer__free(struct tracer *t)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!t)
		return;
	tracer__free_vms(t);
	ring_buffer__free(t->ring);
	if (t->stages)
		munmap(t->stages, (t->nr_cpus * sizeof(*t->stages) + page - 1) & ~(page - 1));
	if (t->frames)
		munmap(t->frames, (t->nr_buckets * sizeof(*t->frames) + page - 1) & ~(page - 1));
	tracer__close_sources(t);
	merge__free(t->merge);
	for (size_t i = 0; i < PE_MAX_DISKS; i++)
		free(t->disk_names[i]);
	free(t->pids);
	free(t);
}

/* --------------------------------------------------------------- stream */

/* The CPU is offline: nobody else writes there, so take its events from here. */
static void take_offline_stage(struct tracer *t, int cpu)
{
	struct hv_stage *s = &t->stages[cpu];
	__u32 n = s->n < HV_STAGE_EVENTS ? s->n : HV_STAGE_EVENTS;

	if (__atomic_exchange_n(&s->busy, 1, __ATOMIC_ACQUIRE))
		return;
	if (merge__add(t->merge, cpu, s->events, n))
		t->lost_merge += n;
	s->sent += n;
	s->n = 0;
	__atomic_store_n(&s->busy, 0, __ATOMIC_RELEASE);
}

/* Make a CPU send what waits on it. False: it is in the middle of writing. */
static bool flush_cpu(struct tracer *t, int cpu)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);

	for (int i = 0; i < FLUSH_TRIES; i++) {
		if (bpf_prog_test_run_opts(t->flush_fd, &opts)) {
			take_offline_stage(t, cpu);
			return true;
		}
		if (!opts.retval)
			return true;
	}
	return false;
}

static bool flush_all(struct tracer *t)
{
	bool all = true;

	for (int cpu = 0; cpu < t->nr_cpus; cpu++) {
		if (__atomic_load_n(&t->stages[cpu].n, __ATOMIC_RELAXED))
			all &= flush_cpu(t, cpu);
	}
	return all;
}

/* Wait until much waits in the ring buffer, a signal comes, or the time is up. */
static int wait_for_events(struct tracer *t, int timeout_ms)
{
	struct pollfd p = {.fd = ring_buffer__epoll_fd(t->ring), .events = POLLIN};

	if (!timeout_ms)
		return 0;
	return poll(&p, 1, timeout_ms) < 0 ? -errno : 0;
}

static int collect(struct tracer *t)
{
	__u64 start = tracer__now();
	bool all = flush_all(t);
	int err = ring_buffer__consume(t->ring);

	if (err < 0)
		return err;
	if (all && start - SETTLE_NS > t->until)
		t->until = start - SETTLE_NS;
	return 0;
}

int tracer__poll(struct tracer *t, int timeout_ms, tracer_event_fn fn, void *ctx)
{
	int err = wait_for_events(t, timeout_ms), got;

	got = collect(t);
	if (got < 0)
		return got;
	tracer__scan_vms(t);
	got = merge__take(t->merge, t->until, fn, ctx);
	tracer__end_vms(t);
	tracer__grow_frames(t);
	tracer__check_waiting(t);
	return err ? err : got;
}

int tracer__drain(struct tracer *t, tracer_event_fn fn, void *ctx)
{
	int err = collect(t);

	if (err < 0)
		return err;
	tracer__scan_vms(t);
	t->until = tracer__now();
	err = merge__take(t->merge, ~0ULL, fn, ctx);
	tracer__end_vms(t);
	return err;
}

void tracer__set_threshold(struct tracer *t, __u64 threshold)
{
	__atomic_store_n(&t->shared->threshold, threshold, __ATOMIC_RELAXED);
	tracer__thin_frames(t, threshold);
}

/* --------------------------------------------------------------- counts */

int tracer__counters(const struct tracer *t, __u16 vm, struct vm_counters *out)
{
	struct vm_counters *per_cpu = calloc(t->nr_cpus, sizeof(*per_cpu));
	__u32 key = vm;
	int err;

	if (!per_cpu)
		return -ENOMEM;
	memset(out, 0, sizeof(*out));
	err = bpf_map_lookup_elem(tracer__map_fd(t, "counters"), &key, per_cpu);
	for (int cpu = 0; !err && cpu < t->nr_cpus; cpu++) {
		const __u64 *from = (const __u64 *)&per_cpu[cpu];
		__u64 *to = (__u64 *)out;

		for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
			to[i] += from[i];
	}
	free(per_cpu);
	return err ? -errno : 0;
}

int tracer__loss(const struct tracer *t, struct tracer_loss *out)
{
	memset(out, 0, sizeof(*out));
	for (int cpu = 0; cpu < t->nr_cpus; cpu++) {
		out->events += t->stages[cpu].sent;
		out->dropped += t->stages[cpu].dropped;
	}
	out->dropped += t->lost_merge;
	out->frames = t->shared->lost_frames;
	out->latency = t->shared->lost_latency;
	out->vms = t->shared->lost_vms;
	out->truncated = t->shared->truncated;
	return 0;
}

int tracer__dropped_on(const struct tracer *t, int cpu, __u64 *out)
{
	if (cpu < 0 || cpu >= t->nr_cpus)
		return -ENOENT;
	*out = t->stages[cpu].dropped;
	return 0;
}

size_t tracer__nr_vms(const struct tracer *t)
{
	return t->nr_listed;
}

const struct tracer_vm *tracer__vm(const struct tracer *t, size_t i)
{
	return i < t->nr_listed ? t->listed[i] : NULL;
}
