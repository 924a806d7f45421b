// SPDX-License-Identifier: GPL-2.0
/* One VM of balance: read back, counted, its appetite. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"

/* A VM that nobody saw read has this latency: a fast disk's, ns. */
#define ANY_LATENCY 100e3

static struct actuator *knob_of(const struct balance_spec *s)
{
	if (s->qmp)
		return balloon__new(s->qmp, BALANCE_PATIENCE);
	if (s->cgroup)
		return memory_cgroup__new(s->cgroup);
	return cache_part__new(s->serve, s->disk, BALANCE_PATIENCE);
}

int balance_vm__init(struct balance_vm *v, const struct balance_spec *spec, double half_life)
{
	*v = (struct balance_vm){.spec = spec, .knob = knob_of(spec)};
	if (!v->knob)
		return -ENOMEM;
	if (!spec->serve)
		return 0;
	v->served = balance_served__new(spec->serve, spec->disk, half_life);
	if (spec->qmp)
		v->cache = cache_part__new(spec->serve, spec->disk, BALANCE_PATIENCE);
	return v->served && (v->cache || !spec->qmp) ? 0 : -ENOMEM;
}

void balance_vm__free(struct balance_vm *v)
{
	actuator__free(v->knob);
	actuator__free(v->cache);
	balance_served__free(v->served);
	losses__free(v->losses);
	appetite__free(v->appetite);
}

static void get_to_know(struct balance_vm *v)
{
	v->known = true;
	v->baseline = v->state.now;
	v->min = v->spec->min ?: v->state.now / 2;
	if (!v->min)
		v->min = 1;
}

int balance_vm__read(struct balance_vm *v)
{
	int err = actuator__read(v->knob, &v->state, v->fault, sizeof(v->fault));

	v->reachable = !err;
	if (err)
		return err;
	v->fault[0] = '\0';
	if (!v->known)
		get_to_know(v);
	v->max = v->state.most;
	if (v->spec->max && v->spec->max < v->max)
		v->max = v->spec->max;
	if (v->max < v->min)
		v->max = v->min;
	return 0;
}

/* --- counts --- */

pid_t balance_vm__pid(const struct balance_vm *v)
{
	return v->spec->pid ?: actuator__pid(v->knob);
}

/* What is reclaimed from a cgroup comes back from swap, not from the guest's disk. */
static bool is_paged(const struct balance_vm *v)
{
	return v->spec->cgroup;
}

static bool read_counts(struct balance_vm *v, struct balance_trace *t, struct sight_counts *out)
{
	if (!v->served)
		return balance_trace__counts(t, balance_vm__pid(v), is_paged(v), out);
	return !balance_served__counts(v->served, out, v->fault, sizeof(v->fault));
}

static void add(struct balance_vm *v, const struct sight_counts *now, double seconds,
		double half_life)
{
	double kept = exp2(-seconds / half_life);

	v->misses = now->misses - v->last.misses;
	v->seconds = seconds;
	v->recent.misses = v->recent.misses * kept + v->misses;
	v->recent.accesses = v->recent.accesses * kept + now->accesses - v->last.accesses;
	v->recent.ns = v->recent.ns * kept + now->ns - v->last.ns;
	v->recent_seconds = v->recent_seconds * kept + seconds;
}

void balance_vm__count(struct balance_vm *v, struct balance_trace *t, double time, double half_life)
{
	struct sight_counts now;
	bool seen = read_counts(v, t, &now);

	v->misses = v->seconds = 0;
	/* A process or server that was started again counts anew. */
	if (seen && v->counted && now.accesses >= v->last.accesses && now.ns >= v->last.ns)
		add(v, &now, time - v->last_time, half_life);
	v->counted = seen;
	if (!seen)
		return;
	v->last = now;
	v->last_time = time;
}

bool balance_vm__seen(const struct balance_vm *v, double interval)
{
	return v->counted && v->recent_seconds >= interval / 2;
}

double balance_vm__rate(const struct balance_vm *v)
{
	return v->recent_seconds > 0 ? v->recent.misses / v->recent_seconds : 0;
}

double balance_vm__latency(const struct balance_vm *v)
{
	if (v->recent.misses >= 1 && v->recent.ns > 0)
		return v->recent.ns / v->recent.misses;
	return v->last.misses >= 1 && v->last.ns > 0 ? v->last.ns / v->last.misses : ANY_LATENCY;
}

/* --- the curve --- */

/*
 * What the VM has where its curve's size is 0. A server's curve begins at a cache of nothing: if
 * the cache is what moves, so are sizes. If direct memory moves and the cache stays, then with so
 * much less direct memory than the cache has, misses are those that are hits today: the curve shows
 * that.
 */
static __u64 begin_of(const struct balance_vm *v, __u64 *skipped)
{
	__u64 cached;

	*skipped = 0;
	if (!v->served)
		return v->state.now;
	if (!v->cache)
		return 0;
	cached = balance_served__cached(v->served);
	if (cached <= v->state.now)
		return v->state.now - cached;
	*skipped = cached - v->state.now;
	return 0;
}

/* Points below are left out, the others move down by as much. */
static size_t skip_points(struct curve_point *points, size_t n, __u64 skipped)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		if (points[i].size < skipped)
			continue;
		points[left] = points[i];
		points[left++].size -= skipped;
	}
	return left;
}

static int curve_of(struct balance_vm *v, struct balance_trace *t, double time,
		    struct curve_point **points, size_t *n)
{
	char why[BALANCE_WHY];

	if (!v->served)
		return balance_trace__curve(t, balance_vm__pid(v), is_paged(v), points, n);
	return balance_served__curve(v->served, time, points, n, why, sizeof(why));
}

/* Without a curve what is missed now is missed with more memory, too, for all that is known. */
static int flat_curve(struct curve_point **points, size_t *n)
{
	*points = calloc(1, sizeof(**points));
	if (!*points)
		return -ENOMEM;
	(*points)[0] = (struct curve_point){.misses = 1, .accesses = 1};
	*n = 1;
	return 0;
}

static double upper_misses(void *ctx, __u64 pages)
{
	struct appetite_loss loss;

	appetite__at(ctx, pages, &loss);
	return loss.misses.upper;
}

static int take_appetite(struct balance_vm *v, const struct curve_point *points, size_t n,
			 __u64 begin)
{
	struct appetite_opts o = {
		.sz = sizeof(o),
		.points = points,
		.n = n,
		.direct = begin,
		.accesses = v->recent.accesses / v->recent_seconds,
		.latency = balance_vm__latency(v),
		.weight = v->spec->weight,
	};

	appetite__free(v->appetite);
	v->appetite = NULL;
	return appetite__new(&v->appetite, &o);
}

int balance_vm__see(struct balance_vm *v, struct balance_trace *t, double time)
{
	struct curve_point *points = NULL;
	__u64 skipped, begin = begin_of(v, &skipped);
	size_t n = 0;
	int err;

	if (!v->counted || !(v->recent_seconds > 0))
		return -ENOENT;
	err = curve_of(v, t, time, &points, &n);
	if (!err)
		n = skip_points(points, n, skipped);
	if (err == -ENOENT || (!err && !n)) {
		free(points);
		begin = v->state.now;
		err = flat_curve(&points, &n);
	}
	if (!err)
		err = take_appetite(v, points, n, begin);
	free(points);
	return err
		       ?: losses__see(v->losses, begin, v->max > begin ? v->max : begin,
				      upper_misses, v->appetite, time);
}
