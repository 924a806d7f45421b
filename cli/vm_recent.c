// SPDX-License-Identifier: GPL-2.0
#include "vm_recent.h"

#include <errno.h>
#include <stdlib.h>

/* Of one VM and space. */
struct one {
	struct vm_recent *all;
	__u16 vm;
	enum page_space space;
	struct recent *recent;
	__u64 fills;
};

struct vm_recent {
	struct vm_recent_opts o;
	const struct engine *engine;
	bool by_refs;
	bool begun;
	__u64 start, last; /* times of the first event, and of the last */
	__u64 next;	   /* time at which something is due */
	__u64 weight;
	struct one *of[PE_MAX_VMS][PAGE_SPACES];
};

struct vm_recent *vm_recent__new(const struct vm_recent_opts *opts, const struct engine *e)
{
	struct vm_recent *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->o = *opts;
	v->engine = e;
	v->by_refs = past__limited(&opts->past) ? past__span(&opts->past)->refs : opts->every.refs;
	v->next = ~0ULL;
	v->weight = 1;
	return v;
}

void vm_recent__free(struct vm_recent *v)
{
	for (int vm = 0; v && vm < PE_MAX_VMS; vm++)
		vm_recent__forget(v, vm);
	free(v);
}

void vm_recent__forget(struct vm_recent *v, __u16 vm)
{
	for (int space = 0; space < PAGE_SPACES; space++) {
		struct one **one = &v->of[vm][space];

		if (*one)
			recent__free((*one)->recent);
		free(*one);
		*one = NULL;
	}
}

void vm_recent__set_weight(struct vm_recent *v, __u64 fills)
{
	v->weight = fills;
}

const struct vm_recent_opts *vm_recent__opts(const struct vm_recent *v)
{
	return &v->o;
}

/* --- one VM and space --- */

static int take_sums(void *ctx, struct curve_sums *out)
{
	const struct one *one = ctx;
	int err = engine__sums(one->all->engine, one->vm, one->space, out);

	if (err != -ENOENT)
		return err;
	/* No page of it is in the sample, or found room, so far. */
	curve_sums__add(out, out, -1);
	return 0;
}

static int on_interval(void *ctx, const struct interval *i)
{
	const struct one *one = ctx;

	return one->all->o.interval(one->all->o.ctx, one->vm, one->space, i);
}

/* Of several CPUs, events may come a little late. */
static __u64 now_at(const struct vm_recent *v, const struct page_event *e)
{
	return e->time > v->last ? e->time : v->last;
}

/* Intervals are those of the first event of all, so that VMs can be compared. */
static struct recent *make_recent(struct one *one, __u64 first)
{
	const struct vm_recent *v = one->all;
	struct recent_opts opts = {
		.past = v->o.past,
		.every = v->o.every,
		.start.ns = v->start,
		.first.ns = first,
		.sizes = v->o.sizes,
		.nr_sizes = v->o.nr_sizes,
		.sums = take_sums,
		.interval = on_interval,
		.ctx = one,
	};

	return recent__new(&opts);
}

static struct one *make_one(struct vm_recent *v, const struct page_event *e)
{
	struct one *one = calloc(1, sizeof(*one));

	if (!one)
		return NULL;
	one->all = v;
	one->vm = e->vm;
	one->space = e->space;
	one->recent = make_recent(one, now_at(v, e));
	if (!one->recent) {
		free(one);
		return NULL;
	}
	return v->of[e->vm][e->space] = one;
}

static struct moment moment(const struct one *one, __u64 ns)
{
	return (struct moment){.ns = ns, .refs = one->fills};
}

/* --- events --- */

/* Now is the time of the first event that is not applied yet. */
static int pass_all(struct vm_recent *v, __u64 now)
{
	int err = 0;

	v->next = ~0ULL;
	for (int i = 0; i < PE_MAX_VMS * PAGE_SPACES; i++) {
		struct one *one = v->of[i / PAGE_SPACES][i % PAGE_SPACES];
		int failed = one ? recent__pass(one->recent, moment(one, now)) : 0;

		if (one && recent__due(one->recent) < v->next)
			v->next = recent__due(one->recent);
		err = err ?: failed;
	}
	return err;
}

/* Something is due before this event: all before it has to be applied first. */
static bool is_due(const struct vm_recent *v, const struct page_event *e)
{
	const struct one *one = v->of[e->vm][e->space];

	if (!v->by_refs)
		return e->time >= v->next;
	return one && e->kind == PAGE_FILL && recent__due(one->recent) <= one->fills;
}

static int pass(struct vm_recent *v, const struct page_event *e)
{
	struct one *one = v->of[e->vm][e->space];

	return v->by_refs ? recent__pass(one->recent, moment(one, now_at(v, e)))
			  : pass_all(v, now_at(v, e));
}

/* A VM's first fill in a space. What is due there may be the next of all. */
static struct one *begin(struct vm_recent *v, const struct page_event *e)
{
	struct one *one;

	if (!v->begun)
		v->start = now_at(v, e);
	v->begun = true;
	one = make_one(v, e);
	if (one && !v->by_refs)
		v->next = 0;
	return one;
}

static int count(struct vm_recent *v, const struct page_event *e)
{
	struct one *one = v->of[e->vm][e->space];

	if (e->kind != PAGE_FILL)
		return 0;
	if (!one)
		one = begin(v, e);
	if (!one)
		return -ENOMEM;
	one->fills += v->weight;
	return 0;
}

int vm_recent__apply(struct vm_recent *v, const struct page_event *events, size_t n)
{
	size_t from = 0;
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		int failed = 0;

		if (is_due(v, &events[i])) {
			if (i > from)
				failed = v->o.apply(v->o.ctx, events + from, i - from);
			from = i;
			failed = failed ?: pass(v, &events[i]);
		}
		failed = failed ?: count(v, &events[i]);
		v->last = now_at(v, &events[i]);
		err = err ?: failed;
	}
	return (n > from ? v->o.apply(v->o.ctx, events + from, n - from) : 0) ?: err;
}

/* --- asking --- */

int vm_recent__end(struct vm_recent *v, __u16 vm)
{
	int err = 0;

	for (int space = 0; space < PAGE_SPACES && !err; space++) {
		struct one *one = v->of[vm][space];

		if (one)
			err = recent__end(one->recent, moment(one, v->last));
	}
	return err;
}

int vm_recent__curve(const struct vm_recent *v, __u16 vm, enum page_space space, __u64 now,
		     struct curve_point *out)
{
	const struct one *one = v->of[vm][space];

	if (!one)
		return -ENOENT;
	return recent__curve(one->recent, moment(one, now > v->last ? now : v->last), out);
}
