// SPDX-License-Identifier: GPL-2.0
/* The tracing session of balance: the engine, and of each VM the recent past. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/size.h"
#include "balance_sight.h"
#include "cli.h"
#include "session.h"
#include "vm_recent.h"

/* Of the engine: 128 MiB of metadata at most. */
#define MAX_PAGES (2ULL << 20)
/* Sizes of curves: up to 1 TiB in steps of a sixteenth, some 4 MiB for each VM. */
#define PARTS 16
#define OCTAVES 28
#define NR_SIZES (2 + PARTS * OCTAVES)

struct balance_trace {
	struct trace_options opts;
	struct session *session;
	struct engine *engine;
	struct vm_recent *recent;
	__u64 sizes[NR_SIZES];
	size_t nr_sizes;
	bool out_of_memory, quiet;
};

/* --- what the session tells --- */

static int apply(void *ctx, const struct page_event *events, size_t n)
{
	return engine__apply(((struct balance_trace *)ctx)->engine, events, n);
}

static void on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct balance_trace *t = ctx;
	int err = vm_recent__apply(t->recent, events, n);

	if (err && !t->out_of_memory)
		cli__note("events are lost: %s; bound memory with --sample", strerror(-err));
	t->out_of_memory |= err != 0;
}

static void on_vm_new(void *ctx, const struct tracer_vm *vm)
{
}

static void on_vm_ended(void *ctx, const struct tracer_vm *vm)
{
	struct balance_trace *t = ctx;

	engine__forget(t->engine, vm->id);
	vm_recent__forget(t->recent, vm->id);
}

static void on_threshold(void *ctx, __u64 threshold)
{
	engine__set_threshold(((struct balance_trace *)ctx)->engine, threshold);
}

static __u64 tracked_of(const struct balance_trace *t, const struct tracer_vm *vm)
{
	struct engine_counts counts;
	__u64 pages = 0;

	for (int space = 0; space < PAGE_SPACES; space++)
		if (engine__counts(t->engine, vm->id, space, &counts))
			pages += counts.tracked;
	return pages;
}

static void on_tracked(void *ctx, __u64 *pages, __u64 *max)
{
	const struct balance_trace *t = ctx;
	const struct tracer *tracer = session__tracer(t->session);

	*pages = 0;
	for (size_t i = 0; i < tracer__nr_vms(tracer); i++)
		*pages += tracked_of(t, tracer__vm(tracer, i));
	*max = MAX_PAGES;
}

static const struct session_ops session_ops = {
	.events = on_events,
	.vm_new = on_vm_new,
	.vm_ended = on_vm_ended,
	.threshold = on_threshold,
	.tracked = on_tracked,
};

/* --- set-up --- */

static int set_up(struct balance_trace *t, double half_life)
{
	struct engine_opts opts = {.sz = sizeof(opts), .max_pages = MAX_PAGES};
	struct vm_recent_opts recent = {
		.past.half_life.n = half_life * 1e9,
		.sizes = t->sizes,
		.apply = apply,
		.ctx = t,
	};
	int status = session__open(&t->session, &t->opts, &session_ops, t);

	if (status)
		return status;
	opts.threshold = session__threshold(t->session);
	t->engine = engine__new(&opts);
	recent.nr_sizes = t->nr_sizes = size__grid(PARTS, OCTAVES, t->sizes);
	t->recent = t->engine ? vm_recent__new(&recent, t->engine) : NULL;
	return t->recent ? CLI_DONE : cli__failed("out of memory");
}

int balance_trace__open(struct balance_trace **out, const struct balance_options *o,
			const pid_t *pids, size_t n)
{
	struct balance_trace *t = calloc(1, sizeof(*t));
	int status;

	*out = NULL;
	if (!t)
		return cli__failed("out of memory");
	t->opts = (struct trace_options){
		.sample = o->sample,
		.quiet = o->quiet,
		.nr_pids = n,
		.pids = calloc(n + 1, sizeof(pid_t)),
	};
	if (t->opts.pids && n)
		memcpy(t->opts.pids, pids, n * sizeof(*pids));
	status = t->opts.pids ? set_up(t, o->half_life) : cli__failed("out of memory");
	if (status)
		balance_trace__close(t);
	else
		*out = t;
	return status;
}

void balance_trace__close(struct balance_trace *t)
{
	if (!t)
		return;
	session__close(t->session);
	vm_recent__free(t->recent);
	engine__free(t->engine);
	trace_options__free(&t->opts);
	free(t);
}

int balance_trace__poll(struct balance_trace *t)
{
	return session__poll(t->session);
}

/* --- what is known --- */

static const struct tracer_vm *find(const struct balance_trace *t, pid_t pid)
{
	const struct tracer *tracer = session__tracer(t->session);

	for (size_t i = 0; i < tracer__nr_vms(tracer); i++)
		if (tracer__vm(tracer, i)->pid == pid && !tracer__vm(tracer, i)->ended)
			return tracer__vm(tracer, i);
	return NULL;
}

/* Of reads, each counted in the middle of its bucket. */
static double time_read(const struct vm_counters *c)
{
	double ns = 0;

	for (__u32 b = 0; b < PE_LATENCY_BUCKETS; b++)
		ns += c->latency[0][b] * (pe_latency_low(b) + pe_latency_low(b + 1)) / 2.0;
	return ns;
}

bool balance_trace__counts(struct balance_trace *t, pid_t pid, bool mem, struct sight_counts *out)
{
	const struct tracer_vm *vm = find(t, pid);
	struct vm_counters c;

	if (!vm || tracer__counters(session__tracer(t->session), vm->id, &c))
		return false;
	out->misses = out->accesses = mem ? c.page_ins : c.fills + c.cache_adds;
	out->ns = time_read(&c);
	return true;
}

static __u64 now_ns(void)
{
	return cli__now() * 1e9;
}

int balance_trace__curve(struct balance_trace *t, pid_t pid, bool mem, struct curve_point **points,
			 size_t *n)
{
	enum page_space space = mem ? SPACE_MEM : SPACE_DISK;
	const struct tracer_vm *vm = find(t, pid);
	const char *order = vm ? engine__order(t->engine, vm->id, space) : NULL;
	int err;

	*points = NULL;
	/* In the order of accesses sizes are not what is added. */
	if (!order || strcmp(order, "eviction"))
		return -ENOENT;
	*points = calloc(t->nr_sizes, sizeof(**points));
	err = *points ? vm_recent__curve(t->recent, vm->id, space, now_ns(), *points) : -ENOMEM;
	*n = err ? 0 : recent__until_flat(*points, t->nr_sizes);
	if (!err)
		return 0;
	free(*points);
	*points = NULL;
	return err;
}
