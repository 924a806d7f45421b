// SPDX-License-Identifier: GPL-2.0
/*
 * A probe: direct memory of a VM becomes part of its cache, step by step, so that its curve can be
 * seen below the memory it has today. What its storage is read for should not change by that; if it
 * is read more than promised, or when enough was seen, all goes back.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/export.h"
#include "../analysis/size.h"
#include "balance.h"
#include "cli.h"

/* Seconds without an end of its own: some half-lives of curve. */
#define HALF_LIVES 6
/* What a step takes may be read from storage again, once and a little more: a balloon's pages are
 * gone before anybody could copy them. */
#define REFILL 1.25

enum phase { SHRINKING, WATCHING, RETURNING, ENDED };

struct probe {
	struct balance *b;
	struct balance_vm *v;
	enum phase phase;
	__u64 from, to, cache; /* pages: direct memory before and at the end; cache before */
	__u64 told;	       /* ... direct memory as of the last order */
	double told_at, stepped_at, watched_from;
	double rate, promised;	/* misses a second: before, and at most */
	double misses, seconds; /* of the window */
	double credit;		/* misses beyond what was promised that steps explain */
	bool early;		/* it ended before enough was seen */
};

static void say(struct probe *p, const char *action, __u64 direct, const char *reason)
{
	char size[SIZE_TEXT];

	if (!p->b->o->quiet && !p->b->o->json)
		cli__note("%s: %s, direct memory %s: %s", p->v->spec->name, action,
			  size__format(direct, size), reason);
	balance_log__line(p->b, json_pack("{s:s,s:s,s:s,s:I,s:I,s:s,s:f}", "type", "probe", "vm",
					  p->v->spec->name, "action", action, "direct_bytes",
					  (json_int_t)(direct * PAGE_BYTES), "cache_bytes",
					  (json_int_t)((p->cache + p->from - direct) * PAGE_BYTES),
					  "reason", reason, "observed_misses_per_s",
					  p->seconds > 0 ? p->misses / p->seconds : 0));
}

static int order(struct probe *p, __u64 direct, double time)
{
	struct balance_vm *v = p->v;
	int err = actuator__set(v->knob, direct, v->fault, sizeof(v->fault));

	if (err)
		return cli__failed("%s: %s", v->spec->name, v->fault);
	p->told = direct;
	p->told_at = time;
	return CLI_DONE;
}

/* The cache has what the VM was seen to give. */
static int fill_cache(struct probe *p)
{
	__u64 given = p->v->state.now < p->from ? p->from - p->v->state.now : 0;
	int err = actuator__set(p->v->cache, p->cache + given, p->v->fault, sizeof(p->v->fault));

	return err ? cli__failed("%s: %s", p->v->spec->name, p->v->fault) : CLI_DONE;
}

static bool follows(const struct probe *p)
{
	__u64 now = p->v->state.now, slack = p->b->step / 8;

	return now <= p->told + slack && now + slack >= p->told;
}

static void turn_back(struct probe *p, const char *why)
{
	p->phase = RETURNING;
	say(p, "return", p->from, why);
}

static void break_off(struct probe *p, const char *why)
{
	p->early = true;
	turn_back(p, why);
}

/* Of a second or more. */
static void guard(struct probe *p)
{
	double expected;

	if (p->phase >= RETURNING)
		return;
	p->misses += p->v->misses;
	p->seconds += p->v->seconds;
	if (p->seconds < 1)
		return;
	expected = p->promised * p->seconds * (1 + p->b->o->slack);
	expected += 3 * sqrt(expected) + 16;
	if (p->misses > expected)
		p->credit -= p->misses - expected;
	if (p->credit < 0)
		break_off(p, "storage is read more than promised");
	p->misses = p->seconds = 0;
}

static int shrink(struct probe *p, double time)
{
	__u64 step = p->b->step, next = p->told > p->to + step ? p->told - step : p->to;

	if (!follows(p)) {
		if (time - p->told_at >= p->b->o->patience)
			break_off(p, "its guest does not follow its balloon");
		return CLI_DONE;
	}
	if (p->told <= p->to) {
		p->phase = WATCHING;
		p->watched_from = time;
		say(p, "watch", p->to, "all of it is in the cache");
		return CLI_DONE;
	}
	/* The guest has its part of each step back in the cache before the next one. */
	if (time - p->stepped_at < p->b->o->interval)
		return CLI_DONE;
	if (next < p->v->state.least) {
		break_off(p, "its guest has no more to spare");
		return CLI_DONE;
	}
	p->stepped_at = time;
	p->credit += (p->told - next) * REFILL;
	say(p, "shrink", next, "a step of the probe");
	return order(p, next, time);
}

/* At once: memory first, then the cache. */
static int come_back(struct probe *p, double time)
{
	if (p->told != p->from)
		return order(p, p->from, time);
	if (!follows(p) && time - p->told_at < p->b->o->patience)
		return CLI_DONE;
	p->phase = ENDED;
	return CLI_DONE;
}

static int proceed(struct probe *p, double time)
{
	double enough = HALF_LIVES * p->b->o->half_life;

	guard(p);
	if (p->phase == WATCHING && time - p->watched_from >= enough)
		turn_back(p, "enough was seen");
	switch (p->phase) {
	case SHRINKING:
		return shrink(p, time) ?: fill_cache(p);
	case WATCHING:
		return fill_cache(p);
	case RETURNING:
		return come_back(p, time);
	case ENDED:
		break;
	}
	return CLI_DONE;
}

/* --- the curve --- */

/* Sizes are what is added to the memory of the probe, as everywhere: today's is SIZE above it. */
static int write_curve(struct probe *p, double time)
{
	struct balance_vm *v = p->v;
	struct vm_report *r = NULL;
	struct curve_point *points;
	FILE *out = stdout;
	size_t n;
	int err = balance_served__curve(v->served, time, &points, &n, v->fault, sizeof(v->fault));

	if (err == -ENOENT)
		cli__note("%s: nothing was read: there is no curve", v->spec->name);
	if (err)
		return err == -ENOENT ? CLI_DONE : cli__failed("%s: %s", v->spec->name, v->fault);
	r = vm_report__of_curve(v->spec->name, SPACE_DISK, "eviction", points, n);
	free(points);
	if (p->b->o->csv)
		out = fopen(p->b->o->csv, "we");
	if (!r || !out)
		err = cli__failed("cannot write '%s': %s", p->b->o->csv ?: "the curve",
				  strerror(errno));
	else
		export__curve_csv(out, &r, 1);
	if (out && out != stdout && fclose(out))
		err = cli__failed("cannot write '%s': %s", p->b->o->csv, strerror(errno));
	vm_report__free(r);
	return err;
}

/* --- all of it --- */

static struct balance_vm *find(struct balance *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (!strcmp(b->vms[i].spec->name, b->o->probe_vm))
			return &b->vms[i];
	return NULL;
}

/* What is lost in the VM's bounds, if it has one, is what it may lose meanwhile; else a trial. */
static void promise(struct probe *p)
{
	const struct balance_options *o = p->b->o;
	double lost = p->v->spec->loss >= 0 ? p->v->spec->loss : o->trial;

	p->rate = balance_vm__rate(p->v);
	p->promised = p->rate + lost * 1e6 / balance_vm__latency(p->v);
}

static int begin(struct probe *p, double time)
{
	struct balance_vm *v = p->v;
	struct actuator_state cache;

	if (actuator__read(v->cache, &cache, v->fault, sizeof(v->fault)))
		return cli__failed("%s: %s", v->spec->name, v->fault);
	p->from = p->told = v->state.now;
	p->cache = cache.now;
	if (p->from < v->min + p->b->o->probe)
		return cli__failed("%s: a probe would leave it less than its min; give it another, "
				   "or probe less",
				   v->spec->name);
	if (cache.most < p->cache + p->b->o->probe)
		return cli__failed("%s: the cache is too small to take that: 'hvtrace ctl resize' "
				   "makes it larger",
				   v->spec->name);
	p->to = p->from - p->b->o->probe;
	p->told_at = p->stepped_at = time;
	promise(p);
	return CLI_DONE;
}

static int look(struct probe *p, double time)
{
	struct balance_vm *v = p->v;
	struct curve_point *points = NULL;
	char why[BALANCE_WHY];
	size_t n;

	if (balance_vm__read(v))
		return cli__failed("%s: %s", v->spec->name, v->fault);
	balance_vm__count(v, NULL, time, p->b->o->half_life);
	/* So that the curve is of what was while it was watched. */
	if (p->phase == WATCHING)
		balance_served__curve(v->served, time, &points, &n, why, sizeof(why));
	free(points);
	return CLI_DONE;
}

/* How it goes without a probe is seen first. */
static int get_acquainted(struct probe *p)
{
	double end = cli__now() + p->b->o->half_life;
	int status = CLI_DONE;
	double now;

	while (!status && cli__now() < end && balance__wait(p->b, &now, &status))
		status = look(p, now);
	return status;
}

static int probe(struct probe *p)
{
	int status = CLI_DONE;
	double now;

	while (!status && p->phase != ENDED) {
		if (!balance__wait(p->b, &now, &status) && !status && p->phase < RETURNING)
			break_off(p, "told to end");
		if (!status)
			status = look(p, now) ?: proceed(p, now);
	}
	return status;
}

int balance__probe(struct balance *b)
{
	struct probe p = {.b = b, .v = find(b)};
	int status;

	if (!b->o->apply) {
		cli__note("a dry run: %s would have its memory moved; --apply does it",
			  b->o->probe_vm);
		return CLI_DONE;
	}
	status = get_acquainted(&p) ?: begin(&p, cli__now()) ?: probe(&p);
	if (!status)
		status = write_curve(&p, cli__now());
	if (!status && p.early)
		status = cli__failed("the probe ended early: its curve is of what was seen");
	return status;
}
