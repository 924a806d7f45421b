// SPDX-License-Identifier: GPL-2.0
/* The curves of the VMs in a recording. */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/engine.h"
#include "../analysis/size.h"
#include "../loader/trace/trace.h"
#include "cli.h"
#include "mrc_result.h"
#include "progress.h"
#include "sampling.h"
#include "vm_recent.h"

/* Lines of the table of sizes when none are asked for. */
#define TABLE_SIZES 12
/* Events handed to the engine at once when they are ordered by access. */
#define BATCH 1024

/* A VM slot as of now. */
struct slot {
	bool seen, known;
	struct recording_vm vm;
	struct policy_set *policies[PAGE_SPACES]; /* NULL: no fill yet, or none wanted */
	__u64 first, last;			  /* times of its events */
};

/* On the way through a recording. */
struct reading {
	const struct mrc_options *o;
	struct mrc_source *source;
	struct trace *trace;
	struct engine *engine;
	struct vm_recent *recent; /* NULL: all of it, no intervals */
	struct progress progress;
	bool policies_off; /* pages are missing: no policy can be simulated */
	struct slot slots[PE_MAX_VMS];
};

static bool by_access(const struct reading *r)
{
	return r->o->order == ORDER_ACCESS;
}

/* --- intervals --- */

static const char *order_of(const struct reading *r, __u16 vm, enum page_space space)
{
	return by_access(r) ? "access" : engine__order(r->engine, vm, space);
}

/* What to call a VM before all are known: a name that another VM has now gets the pid to it, and
 * the trace's name if there are several. */
static char *name_now(const struct reading *r, __u16 id)
{
	const struct slot *slot = &r->slots[id];
	bool alone = true;
	char pid[16] = "", *name;
	int n;

	for (int k = 0; k < PE_MAX_VMS && slot->known; k++)
		alone &= k == id || !r->slots[k].known ||
			 strcmp(r->slots[k].vm.name, slot->vm.name) != 0;
	if (!alone)
		snprintf(pid, sizeof(pid), ":%u", slot->vm.pid);
	if (slot->known)
		n = asprintf(&name, "%s%s%s%s", slot->vm.name, pid, r->source->alone ? "" : "@",
			     r->source->alone ? "" : r->source->name);
	else
		n = asprintf(&name, "vm-%u", id);
	return n < 0 ? NULL : name;
}

static int on_interval(void *ctx, __u16 vm, enum page_space space, const struct interval *i)
{
	struct reading *r = ctx;
	char *name = name_now(r, vm);
	const struct mrc_every_of of = {
		.trace = r->source->name,
		.vm = name,
		.space = space,
		.order = order_of(r, vm, space),
	};
	int err = -ENOMEM;

	progress__end(&r->progress);
	if (name)
		err = mrc_every__tell(r->source->every, &of, i);
	free(name);
	return err;
}

static int apply_events(void *ctx, const struct page_event *events, size_t n);

static int make_recent(struct reading *r)
{
	const struct vm_recent_opts opts = {
		.past = r->o->past,
		.every = r->o->every,
		.sizes = r->source->every->sizes.v,
		.nr_sizes = r->source->every->sizes.n,
		.apply = apply_events,
		.interval = on_interval,
		.ctx = r,
	};

	r->recent = vm_recent__new(&opts, r->engine);
	return r->recent ? 0 : -ENOMEM;
}

/* --- events --- */

static int make_engine(struct reading *r)
{
	struct engine_opts opts = {
		.sz = sizeof(opts),
		.max_pages = r->o->max_pages,
		.threshold = r->source->threshold,
	};

	r->engine = engine__new(&opts);
	if (!r->engine)
		return -errno;
	return mrc_options__in_time(r->o) ? make_recent(r) : 0;
}

static int on_threshold(void *ctx, __u64 threshold)
{
	struct reading *r = ctx;
	int err;

	r->source->threshold = threshold;
	if (threshold != PE_SAMPLE_ALL && r->o->nr_policies) {
		r->policies_off = true;
		return -ECANCELED;
	}
	err = r->engine ? engine__set_threshold(r->engine, threshold) : make_engine(r);
	if (r->recent)
		vm_recent__set_weight(r->recent, sampling__one_in(threshold));
	return err;
}

static void dump_event(const struct page_event *e)
{
	static const char *const kinds[] = {"fill", "writeback", "evict", "discard"};

	printf("%llu %u %s %s ", e->time, e->vm, kinds[e->kind], page_space__name(e->space));
	if (e->space == SPACE_DISK)
		printf("%llu %llu", e->page >> PE_DISK_SHIFT,
		       e->page & ((1ULL << PE_DISK_SHIFT) - 1));
	else
		printf("- %llu", e->page);
	if (e->frame == PE_FRAME_NONE)
		fputs(" -", stdout);
	else
		printf(" %llu", e->frame);
	printf(" %s%s%s%s %u\n", e->flags & PE_UNCAPTURED ? "u" : "",
	       e->flags & PE_PARTIAL ? "p" : "", e->flags & PE_HOST_CACHE ? "c" : "",
	       e->flags ? "" : "-", e->count);
}

static int dump(const struct page_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dump_event(&events[i]);
	return cli__flush() ? -ECANCELED : 0;
}

/*
 * The same event for a stack ordered by access. Without a frame a disk page goes on top as soon as
 * it is filled; in the mem space a page is its own frame, so its eviction has to follow. Returns
 * how many events it makes.
 */
static size_t as_access(const struct page_event *e, struct page_event out[2])
{
	if (e->kind == PAGE_EVICT)
		return 0;
	out[0] = *e;
	out[0].frame = PE_FRAME_NONE;
	if (e->space != SPACE_MEM || e->kind == PAGE_DISCARD)
		return 1;
	out[1] = out[0];
	out[1].kind = PAGE_EVICT;
	return 2;
}

static int apply_as_accesses(struct reading *r, const struct page_event *events, size_t n)
{
	struct page_event batch[BATCH];
	size_t filled = 0;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		filled += as_access(&events[i], batch + filled);
		if (filled + 2 <= BATCH && i + 1 < n)
			continue;
		err = engine__apply(r->engine, batch, filled);
		filled = 0;
	}
	return err;
}

static int apply_events(void *ctx, const struct page_event *events, size_t n)
{
	struct reading *r = ctx;

	return by_access(r) ? apply_as_accesses(r, events, n) : engine__apply(r->engine, events, n);
}

static int feed_policies(struct reading *r, const struct page_event *e)
{
	struct policy_set **set = &r->slots[e->vm].policies[e->space];

	if (e->kind != PAGE_FILL)
		return 0;
	if (!*set)
		*set = policy_set__new(r->o);
	return *set ? policy_set__access(*set, (__u64[]){e->page}, 1) : -ENOMEM;
}

static void note_event(struct slot *slot, __u64 time)
{
	if (!slot->seen || time < slot->first)
		slot->first = time;
	if (!slot->seen || time > slot->last)
		slot->last = time;
	slot->seen = true;
}

static int on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct reading *r = ctx;
	int err = 0;

	r->source->events += n;
	for (size_t i = 0; i < n && !err; i++) {
		note_event(&r->slots[events[i].vm], events[i].time);
		if (r->o->nr_policies && !r->o->dump)
			err = feed_policies(r, &events[i]);
	}
	if (r->o->dump)
		return dump(events, n);
	if (!err)
		err = r->recent ? vm_recent__apply(r->recent, events, n)
				: apply_events(r, events, n);
	progress__show(&r->progress, trace__bytes_done(r->trace), trace__bytes_total(r->trace),
		       r->source->events);
	return err;
}

/* --- VMs --- */

/* What was done to have the order of access is not told of as if it had been seen. */
static void mend_order(struct vm_report *report)
{
	for (int space = 0; report && space < PAGE_SPACES; space++) {
		struct space_report *s = &report->space[space];

		s->order = "access";
		s->counts.evictions = s->counts.stale = 0;
	}
}

static int take_policies(struct slot *slot, struct mrc_result *result)
{
	for (int space = 0; space < PAGE_SPACES; space++) {
		if (!slot->policies[space])
			continue;
		result->policies[space] = policy_set__curves(slot->policies[space]);
		if (!result->policies[space])
			return -ENOMEM;
	}
	return 0;
}

/* Instead of the whole recording's curve, that of the past. */
static int tell_past(const struct reading *r, struct mrc_result *result)
{
	size_t n = r->source->every->sizes.n;
	struct curve_point *curve = calloc(n, sizeof(*curve));
	int err = curve ? 0 : -ENOMEM;

	for (int space = 0; space < PAGE_SPACES && !err; space++) {
		if (!result->report->space[space].seen)
			continue;
		err = vm_recent__curve(r->recent, result->vm.id, space, 0, curve);
		if (!err)
			err = mrc_past__tell(r->o, curve, n, false, &result->report->space[space])
				      ?: mrc_past__tell(r->o, curve, n, true,
							&result->at->space[space]);
		/* It has had no fill. */
		if (err == -ENOENT)
			err = 0;
	}
	free(curve);
	return err;
}

static int add_result(struct reading *r, struct slot *slot, const struct vm_counters *c)
{
	const struct recording_vm *vm = &slot->vm;
	struct mrc_result *result = mrc_source__add(r->source);
	__u64 *sizes;
	size_t n;

	if (!result)
		return -ENOMEM;
	result->vm = *vm;
	result->span = slot->last - slot->first;
	sizes = mrc_options__sizes(r->o, engine__max_distance(r->engine, vm->id, SPACE_DISK),
				   TABLE_SIZES, &n);
	if (sizes)
		result->at = vm_report__new(r->engine, vm->id, vm->name, c, sizes, n);
	free(sizes);
	result->report = vm_report__new(r->engine, vm->id, vm->name, c, NULL, 0);
	if (by_access(r)) {
		mend_order(result->report);
		mend_order(result->at);
	}
	if (!result->report || !result->at)
		return -ENOMEM;
	return (past__limited(&r->o->past) ? tell_past(r, result) : 0)
		       ?: take_policies(slot, result);
}

static void empty_slot(struct slot *slot)
{
	for (int space = 0; space < PAGE_SPACES; space++)
		policy_set__free(slot->policies[space]);
	*slot = (struct slot){0};
}

/* A slot's VM is done: keep what is known, make room for the next. */
static int end_slot(struct reading *r, __u16 id, const struct vm_counters *c)
{
	struct slot *slot = &r->slots[id];
	int err = 0;

	if (!slot->known) {
		slot->vm = (struct recording_vm){.id = id};
		snprintf(slot->vm.name, sizeof(slot->vm.name), "vm-%u", id);
	}
	if (r->recent)
		err = vm_recent__end(r->recent, id);
	if (!err && !r->o->dump && r->engine)
		err = add_result(r, slot, c);
	if (r->recent)
		vm_recent__forget(r->recent, id);
	if (r->engine)
		engine__forget(r->engine, id);
	empty_slot(slot);
	return err;
}

/* Comes when a VM is noticed, and again before its counters. */
static int on_vm(void *ctx, const struct recording_vm *vm)
{
	struct reading *r = ctx;
	struct slot *slot = &r->slots[vm->id];
	int err = 0;

	if (slot->known && slot->vm.generation != vm->generation)
		err = end_slot(r, vm->id, NULL);
	slot->known = true;
	slot->vm = *vm;
	return err;
}

/* The last that is said of a VM. */
static int on_counters(void *ctx, __u16 vm, const struct vm_counters *c)
{
	return end_slot(ctx, vm, c);
}

static int on_disk(void *ctx, __u16 disk, const char *name)
{
	struct reading *r = ctx;

	if (r->o->dump)
		printf("# disk %u is %s\n", disk, name);
	return 0;
}

static int on_loss(void *ctx, const struct recording_loss *loss)
{
	struct reading *r = ctx;

	r->source->loss = *loss;
	return 0;
}

static const struct recording_handlers handlers = {
	.events = on_events,
	.vm = on_vm,
	.disk = on_disk,
	.counters = on_counters,
	.threshold = on_threshold,
	.loss = on_loss,
};

/* VMs whose end is not in the recording: it was cut off. */
static int end_rest(struct reading *r)
{
	int err = 0;

	for (int id = 0; id < PE_MAX_VMS && !err; id++)
		if (r->slots[id].seen || r->slots[id].known)
			err = end_slot(r, id, NULL);
	return err;
}

/* --- the whole --- */

/* Nothing of it is of use. */
static int fatal(const struct reading *r, int err, const struct recording_fault *fault)
{
	const char *path = r->source->path;

	if (r->policies_off)
		return cli__failed("'%s' holds a sample of the pages, and policies need all: make "
				   "one with hvtrace record --sample 1/1",
				   path);
	if (err == -ECANCELED)
		return CLI_FAILED;
	if (fault->reason[0])
		return cli__failed("'%s': %s; hvtrace record makes them", path, fault->reason);
	return cli__failed("cannot analyse '%s': %s; bound memory with --max-pages", path,
			   strerror(-err));
}

static int read_events(struct reading *r, struct recording_fault *fault)
{
	int err;

	if (r->o->dump)
		puts("# time_ns vm kind space disk page frame flags count");
	progress__begin(&r->progress, r->o->quiet || r->o->dump);
	err = recording__read(trace__recording(r->trace), &handlers, r, fault);
	progress__end(&r->progress);
	return err;
}

static int read_recording(struct reading *r)
{
	struct recording_fault fault = {0};
	int err = read_events(r, &fault), rest;

	if (err && (!fault.reason[0] || err == -EINVAL))
		return fatal(r, err, &fault);
	rest = end_rest(r);
	if (rest)
		return rest == -ECANCELED ? CLI_FAILED : cli__failed("out of memory");
	r->source->done = r->engine;
	if (!err)
		return CLI_DONE;
	/* Damage of what it is packed in. */
	if (trace__fault(r->trace)->reason[0])
		return cli__failed("'%s': %s; what was read before is used", r->source->path,
				   trace__fault(r->trace)->reason);
	return cli__failed("'%s' is damaged at byte %llu: %s; what was read before is used",
			   r->source->path, fault.offset, fault.reason);
}

int mrc_recording__read(struct mrc_source *s, const struct mrc_options *o, struct trace *t)
{
	struct reading *r = calloc(1, sizeof(*r));
	int status = mrc_options__fit_recording(o, s->path);

	if (!r)
		return cli__failed("out of memory");
	r->o = o;
	r->source = s;
	r->trace = t;
	if (!status)
		status = read_recording(r);
	for (int id = 0; id < PE_MAX_VMS; id++)
		empty_slot(&r->slots[id]);
	vm_recent__free(r->recent);
	engine__free(r->engine);
	free(r);
	return status;
}
