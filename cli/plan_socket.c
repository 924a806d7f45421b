// SPDX-License-Identifier: GPL-2.0
/* VMs of a plan from a running hvtrace, through its control socket. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/size.h"
#include "cli.h"
#include "control_client.h"
#include "plan_vms.h"

/* Larger numbers are none of bytes or accesses. */
#define MAX_FIGURE 1e18

/* --- the parts of an answer --- */

/* NAN: not there, null, or no number of 0 or more. */
static double figure_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	double v = json_is_number(value) ? json_number_value(value) : NAN;

	return v >= 0 && v <= MAX_FIGURE ? v : NAN;
}

/* [size, misses, accesses, ratio, error], sizes ascending. */
static bool take_point(const json_t *row, const struct curve_point *before, struct curve_point *out)
{
	double v[5];

	for (size_t i = 0; i < 5; i++) {
		const json_t *value = json_array_get(row, i);

		v[i] = json_is_number(value) ? json_number_value(value) : NAN;
		if (!(v[i] >= 0 && v[i] <= MAX_FIGURE))
			return false;
	}
	if (v[0] > SIZE_MAX_PAGES || v[4] > 1 || v[1] > v[2])
		return false;
	*out = (struct curve_point){v[0], v[1], v[2], v[4]};
	return !before || out->size > before->size;
}

static int take_points(const json_t *curve, struct plan_curve *out)
{
	const json_t *rows = json_object_get(curve, "points");
	size_t n = json_array_size(rows);
	struct curve_point *points = calloc(n + 1, sizeof(*points));
	bool fine = points;

	for (size_t i = 0; i < n && fine; i++)
		fine = take_point(json_array_get(rows, i), i ? &points[i - 1] : NULL, &points[i]);
	out->points = points;
	out->n = n;
	return fine ? 0 : points ? -EINVAL : -ENOMEM;
}

/* --- what is known of a VM --- */

/* Disks of one guest: its memory counts once, for the first of them. */
static bool shares_memory(const json_t *stats, const json_t *vm)
{
	const json_t *vms = json_object_get(stats, "vms");
	double pid = figure_of(vm, "pid");

	for (size_t i = 0; pid > 0 && i < json_array_size(vms); i++) {
		const json_t *other = json_array_get(vms, i);

		if (other == vm)
			return false;
		if (figure_of(other, "pid") == pid)
			return true;
	}
	return false;
}

/* Of the curve's accesses, which may be those of the recent past only. */
static double rate_of(const json_t *vm, const json_t *curve, const struct plan_curve *c)
{
	double rate = figure_of(curve, "accesses_per_s"), seconds = figure_of(vm, "seconds");

	if (isnan(rate) && seconds > 0 && c->n)
		rate = c->points[0].accesses / seconds;
	return rate;
}

static void take_facts(const json_t *stats, const json_t *vm, const json_t *curve,
		       struct plan_curve *c)
{
	double own = figure_of(vm, "memory_bytes") / PAGE_BYTES;
	double served = figure_of(vm, "target_bytes") / PAGE_BYTES;
	double min = figure_of(vm, "min_bytes") / PAGE_BYTES;
	double max = figure_of(vm, "max_bytes") / PAGE_BYTES;

	if (shares_memory(stats, vm))
		own = 0;
	plan_facts__know(&c->facts, FACT_DIRECT, own);
	plan_facts__know(&c->facts, FACT_MEMORY, isnan(served) ? own : own + served);
	if (min > 0)
		plan_facts__know(&c->facts, FACT_MIN, own + min);
	if (max > 0)
		plan_facts__know(&c->facts, FACT_MAX, own + max);
	plan_facts__know(&c->facts, FACT_RATE, rate_of(vm, curve, c));
	if (c->space == SPACE_DISK)
		plan_facts__know(&c->facts, FACT_LATENCY, figure_of(vm, "miss_page_ns"));
}

/* What the cache has beside what its disks are to have. */
static __u64 unused_pages(const json_t *stats)
{
	const json_t *vms = json_object_get(stats, "vms");
	double left = figure_of(json_object_get(stats, "cache"), "capacity_bytes");

	for (size_t i = 0; i < json_array_size(vms); i++)
		left -= figure_of(json_array_get(vms, i), "target_bytes");
	return left > 0 ? left / PAGE_BYTES : 0;
}

static int take_curve(const json_t *stats, const json_t *curve, struct plan_curve *out, char *why,
		      size_t size)
{
	const char *name = json_string_value(json_object_get(curve, "vm"));
	const char *space = json_string_value(json_object_get(curve, "space")) ?: "";
	const char *order = json_string_value(json_object_get(curve, "order")) ?: "";
	const json_t *vm = name ? control_client__vm(stats, name) : NULL;
	int err = take_points(curve, out);

	if (!err && (!name || (strcmp(space, "disk") && strcmp(space, "mem"))))
		err = -EINVAL;
	if (err) {
		snprintf(why, size, "%s",
			 err == -ENOMEM
				 ? "out of memory"
				 : "its answer is no curve as hvtrace of this version has it");
		return err;
	}
	out->vm = name;
	out->space = strcmp(space, "mem") ? SPACE_DISK : SPACE_MEM;
	out->added = strcmp(order, "access");
	if (vm)
		take_facts(stats, vm, curve, out);
	return 0;
}

int plan_socket__take(struct plan_vms *v, const struct plan_source *s, const json_t *stats,
		      const json_t *curves, char *why, size_t size)
{
	const json_t *list = json_object_get(curves, "curves");
	size_t n = json_array_size(list), host;
	struct plan_curve *all = calloc(n + 1, sizeof(*all));
	int err = all ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !err; i++)
		err = take_curve(stats, json_array_get(list, i), &all[i], why, size);
	if (!err)
		err = plan_source__take(s, v, all, n, why, size);
	if (!err)
		err = plan_vms__host(v, s->host, &host);
	if (!err)
		v->hosts[host].unused += unused_pages(stats);
	for (size_t i = 0; i < n && all; i++)
		free((void *)all[i].points);
	free(all);
	return err;
}

/* --- the conversation --- */

static int ask(const char *path, const char *command, json_t **answer, char *why, size_t size)
{
	return control_client__ask(path, json_pack("{s:s}", "cmd", command), INFINITY, answer, why,
				   size);
}

int plan_socket__read(struct plan_vms *v, const struct plan_source *s)
{
	json_t *stats = NULL, *curves = NULL;
	char why[1024] = "";
	int err = ask(s->path, "stats", &stats, why, sizeof(why))
			  ?: ask(s->path, "curve", &curves, why, sizeof(why));
	bool answered = !err || err == -EREMOTEIO;

	if (!err)
		err = plan_socket__take(v, s, stats, curves, why, sizeof(why));
	json_decref(stats);
	json_decref(curves);
	if (!err)
		return CLI_DONE;
	if (answered)
		return cli__failed("'%s': %s", s->path, why[0] ? why : strerror(-err));
	return cli__failed("%s", why);
}
