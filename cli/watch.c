// SPDX-License-Identifier: GPL-2.0
#include "watch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* The last of that name. */
static const struct vm_check *ended_check(const struct watch_list *l, const char *name)
{
	for (size_t i = l->nr; i > 0; i--)
		if (l->vms[i - 1]->ended && !strcmp(l->vms[i - 1]->name, name))
			return l->vms[i - 1]->check;
	return NULL;
}

struct watch *watch_list__add(struct watch_list *l, const struct tracer_vm *vm,
			      const struct engine *e)
{
	struct watch **vms = realloc(l->vms, (l->nr + 1) * sizeof(*vms));
	struct watch *w;

	if (!vms)
		return NULL;
	l->vms = vms;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->generation = vm->generation;
	w->id = vm->id;
	w->pid = vm->pid;
	snprintf(w->name, sizeof(w->name), "%s", vm->name);
	snprintf(w->vmm, sizeof(w->vmm), "%s", vm->vmm);
	w->since = cli__now();
	w->check = vm_check__new(e, w->id);
	if (!w->check) {
		free(w);
		return NULL;
	}
	if (ended_check(l, w->name))
		vm_check__follows(w->check, ended_check(l, w->name));
	l->vms[l->nr++] = w;
	return w;
}

/* The end of one may be noticed when the next one has begun. */
void watch_list__ended(const struct watch_list *l, const struct watch *w)
{
	for (size_t i = 0; i < l->nr; i++) {
		const struct watch *next = l->vms[i];

		if (!next->ended && next->generation > w->generation &&
		    !strcmp(next->name, w->name))
			vm_check__follows(next->check, w->check);
	}
}

struct watch *watch_list__find(const struct watch_list *l, __u64 generation)
{
	/* The newest are the ones asked for. */
	for (size_t i = l->nr; i > 0; i--)
		if (l->vms[i - 1]->generation == generation)
			return l->vms[i - 1];
	return NULL;
}

void watch_list__free(struct watch_list *l)
{
	for (size_t i = 0; i < l->nr; i++) {
		vm_report__free(l->vms[i]->report);
		vm_check__free(l->vms[i]->check);
		free(l->vms[i]);
	}
	free(l->vms);
	l->vms = NULL;
	l->nr = 0;
}

const char *watch_list__label(const struct watch_list *l, const struct watch *w,
			      char buf[WATCH_LABEL])
{
	bool alone = true;

	for (size_t i = 0; i < l->nr; i++)
		alone &= l->vms[i] == w || strcmp(l->vms[i]->name, w->name);
	if (alone)
		snprintf(buf, WATCH_LABEL, "%s", w->name);
	else
		snprintf(buf, WATCH_LABEL, "%s:%d", w->name, (int)w->pid);
	return buf;
}

void watch__account(struct watch *w, const struct tracer_vm *vm, const struct vm_counters *c,
		    __u64 one_in)
{
	w->evictions += (double)(c->evictions - w->now.evictions) * one_in;
	w->now = *c;
	w->kvm = vm->kvm;
	w->mem_pages = vm->mem_pages;
}

int watch__check(struct watch *w, double time)
{
	int changed = vm_check__tell(w->check, time, w->pid, w->mem_pages, &w->now);

	w->mem_pages = vm_check__memory(w->check);
	return changed;
}

static __u64 refaults(const struct watch *w, const struct engine *e)
{
	struct engine_counts counts;
	__u64 sum = 0;

	for (int space = 0; space < PAGE_SPACES; space++)
		if (engine__counts(e, w->id, space, &counts))
			sum += counts.refaults;
	return sum;
}

/* Growth is counted from the guest's memory. A process without KVM shows none: what it was seen
 * to hold stands in for it. NAN: nothing to count from. */
static void row_memory(const struct watch *w, const struct engine *e, __u64 one_in,
		       struct table_row *row)
{
	struct engine_counts counts;

	row->mem_pages = NAN;
	row->mem_estimated = !w->mem_pages && !w->kvm;
	if (w->mem_pages)
		row->mem_pages = w->mem_pages;
	else if (!w->kvm && engine__counts(e, w->id, SPACE_DISK, &counts) &&
		 counts.tracked > counts.ghosts)
		row->mem_pages = (double)(counts.tracked - counts.ghosts) * one_in;
}

static __u64 now_ns(void)
{
	return cli__now() * 1e9;
}

/* The curve of the recent past: all its n points, which the caller frees. -ENOENT: nothing seen;
 * -ENOMEM. */
static int recent_curve(const struct watch *w, enum page_space space, struct curve_point **curve,
			size_t *n)
{
	int err = -ENOMEM;

	*n = vm_recent__opts(w->recent)->nr_sizes;
	*curve = calloc(*n, sizeof(**curve));
	if (*curve)
		err = vm_recent__curve(w->recent, w->id, space, now_ns(), *curve);
	if (err) {
		free(*curve);
		*curve = NULL;
	}
	return err;
}

/* The points at n sizes. */
static int recent_points(const struct watch *w, enum page_space space, const __u64 *sizes, size_t n,
			 struct curve_point *out)
{
	struct curve_point *curve;
	size_t points;
	int err = recent_curve(w, space, &curve, &points);

	for (size_t i = 0; i < n && !err; i++)
		out[i] = (struct curve_point){
			.size = sizes[i],
			.misses = curve_point__at(curve, points, sizes[i]).misses,
			.accesses = curve[0].accesses,
		};
	free(curve);
	return err;
}

static int points_of(const struct watch *w, const struct engine *e, enum page_space space,
		     const __u64 *sizes, size_t n, struct curve_point *out)
{
	return w->recent ? recent_points(w, space, sizes, n, out)
			 : engine__curve(e, w->id, space, sizes, n, out);
}

/* How the misses would change, from the curve since the start or of the recent past: of the disk,
 * or of host-paged memory for a VM that was seen to do nothing else. */
static void row_changes(const struct watch *w, const struct engine *e, struct table_row *row)
{
	struct curve_point points[1 + TABLE_GROWTHS];
	__u64 sizes[1 + TABLE_GROWTHS] = {0};

	for (int i = 0; i < TABLE_GROWTHS; i++) {
		row->change[i] = NAN;
		sizes[1 + i] = isnan(row->mem_pages) ? 0 : row->mem_pages * table_growth[i] / 100;
	}
	if (isnan(row->mem_pages) ||
	    (points_of(w, e, SPACE_DISK, sizes, 1 + TABLE_GROWTHS, points) &&
	     points_of(w, e, SPACE_MEM, sizes, 1 + TABLE_GROWTHS, points)))
		return;
	for (int i = 0; i < TABLE_GROWTHS && points[0].misses > 0; i++)
		row->change[i] = points[1 + i].misses / points[0].misses - 1;
}

/* KVM tells of a fault at its begin or when the frame is mapped; which of the two depends on the
 * host's way of paging, and both fire at once at some. */
static __u64 kvm_faults(const struct vm_counters *c)
{
	return c->kvm_faults > c->kvm_maps ? c->kvm_faults : c->kvm_maps;
}

static void row_rates(struct watch *w, const struct engine *e, double seconds,
		      struct table_row *row)
{
	const struct vm_counters *now = &w->now, *before = &w->before;
	__u64 refaults_now = refaults(w, e);

	row->fills = (now->fills - before->fills + now->page_ins - before->page_ins +
		      now->cache_adds - before->cache_adds) /
		     seconds;
	row->writebacks = (now->writebacks - before->writebacks) / seconds;
	row->evictions = (w->evictions - w->evictions_before + now->page_outs - before->page_outs +
			  now->cache_drops - before->cache_drops) /
			 seconds;
	/* An estimate may shrink when the sampling rate is lowered. */
	row->refaults = refaults_now > w->refaults_before
				? (refaults_now - w->refaults_before) / seconds
				: 0;
	row->faults = (kvm_faults(now) - kvm_faults(before)) / seconds;
	row->p50 = table__latency(now, before, 0.50);
	row->p99 = table__latency(now, before, 0.99);
	w->refaults_before = refaults_now;
	w->evictions_before = w->evictions;
}

void watch__row(struct watch *w, const struct engine *e, __u64 one_in, double seconds,
		struct table_row *row)
{
	row->name = w->name;
	row->pid = w->pid;
	row_rates(w, e, seconds, row);
	row_memory(w, e, one_in, row);
	row_changes(w, e, row);
	w->before = w->now;
}

static int tell_space(const struct watch *w, enum page_space space, struct space_report *r)
{
	struct curve_point *curve;
	size_t n;
	int err = recent_curve(w, space, &curve, &n);

	if (!err)
		err = space_report__tell_past(r, &vm_recent__opts(w->recent)->past, curve,
					      recent__until_flat(curve, n));
	free(curve);
	/* Without a fill there is no past, and no curve either. */
	return err == -ENOENT ? 0 : err;
}

static int tell_recent(const struct watch *w, struct vm_report *r)
{
	int err = 0;

	for (int space = 0; space < PAGE_SPACES && !err; space++)
		err = tell_space(w, space, &r->space[space]);
	return err;
}

struct vm_report *watch__report(const struct watch *w, const struct engine *e, const __u64 *sizes,
				size_t n)
{
	struct vm_report *r = vm_report__new(e, w->id, w->name, &w->now, sizes, n);

	/* Points of the past are at sizes of their own. */
	if (!r || !w->recent || !tell_recent(w, r))
		return r;
	vm_report__free(r);
	return NULL;
}

int watch__end(struct watch *w, const struct engine *e)
{
	int err;

	w->ended = true;
	w->seconds = cli__now() - w->since;
	w->report = watch__report(w, e, NULL, 0);
	if (!w->report)
		return -ENOMEM;
	err = vm_check__all(w->check, &w->report->checks, &w->report->nr_checks);
	return err ?: vm_check__end(w->check);
}
