// SPDX-License-Identifier: GPL-2.0
#include "plan_case.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/size.h"
#include "plan_groups.h"

static bool has(const struct plan_vm *vm, enum plan_fact fact)
{
	return plan_facts__given(&vm->facts, fact);
}

/* --- what has to be known of a VM --- */

static int lacks(const struct plan_vm *vm, const char *what, const char *example, char *why,
		 size_t size)
{
	snprintf(why, size,
		 "'%s': %s is not known; say it with --vm '%s,%s', or for all with --default %s",
		 vm->name, what, vm->name, example, example);
	return -EINVAL;
}

/* Pages that it has now; false: not known. One that is only to come has none. */
static bool now_of(const struct plan_vm *vm, __u64 *now)
{
	*now = 0;
	if (vm->fresh)
		return true;
	if (has(vm, FACT_MEMORY))
		*now = vm->facts.memory;
	else if (vm->added && has(vm, FACT_DIRECT))
		*now = vm->facts.direct;
	else
		return false;
	return true;
}

/* Pages it had where the curve's size is 0. */
static bool direct_of(const struct plan_vm *vm, __u64 *direct)
{
	*direct = 0;
	if (!vm->added)
		return true;
	if (!has(vm, FACT_DIRECT) && !has(vm, FACT_MEMORY))
		return false;
	*direct = has(vm, FACT_DIRECT) ? vm->facts.direct : vm->facts.memory;
	return true;
}

static bool rate_of(const struct plan_vm *vm, double *rate)
{
	*rate = has(vm, FACT_RATE)   ? vm->facts.rate
		: has(vm, FACT_OVER) ? vm->points[0].accesses / vm->facts.over
				     : 0;
	return has(vm, FACT_RATE) || has(vm, FACT_OVER);
}

static int make_appetite(struct plan_seat *s, bool guess, char *why, size_t size)
{
	const struct plan_vm *vm = s->vm;
	struct appetite_opts o = {
		.sz = sizeof(o),
		.points = vm->points,
		.n = vm->n,
		.latency = vm->facts.latency,
		.weight = has(vm, FACT_WEIGHT) ? vm->facts.weight : 1,
		.guess = guess,
	};
	int err;

	if (!direct_of(vm, &o.direct))
		return lacks(vm, "the memory that its curve's sizes are added to", "memory=4GiB",
			     why, size);
	if (!rate_of(vm, &o.accesses))
		return lacks(vm, "how long its curve's accesses took", "over=1h", why, size);
	if (!has(vm, FACT_LATENCY))
		return lacks(vm, "the time that a miss takes", "latency=100us", why, size);
	err = appetite__new(&s->appetite, &o);
	if (err)
		snprintf(why, size, "'%s': %s", vm->name,
			 err == -ENOMEM ? "out of memory" : "its curve cannot be that of a VM");
	return err;
}

/* --- bounds --- */

static int find_assurance(struct plan_seat *s, char *why, size_t size)
{
	const struct plan_vm *vm = s->vm;
	struct assurance *a = &s->assurance;

	s->has_now = now_of(vm, &s->now);
	s->has_baseline = has(vm, FACT_BASELINE) || (s->has_now && !vm->fresh) ||
			  (vm->fresh && has(vm, FACT_MEMORY));
	a->baseline = has(vm, FACT_BASELINE) ? vm->facts.baseline
		      : vm->fresh	     ? vm->facts.memory
					     : s->now;
	a->max_ratio = has(vm, FACT_SLOWER_RATIO) ? vm->facts.slower_ratio : -1;
	a->max_lost = has(vm, FACT_SLOWER_TIME) ? vm->facts.slower_time : -1;
	s->assured = a->max_ratio >= 0 || a->max_lost >= 0;
	if (s->assured && !s->has_baseline)
		return lacks(vm, "the memory that it may get slower against", "baseline=4GiB", why,
			     size);
	return 0;
}

static void need(struct plan_seat *s, __u64 pages, enum plan_least why)
{
	if (pages <= s->least)
		return;
	s->least = pages;
	s->why = why;
}

/* What is assured is never guessed, and without a min nobody said how far to go. */
static void find_bounds(struct plan_seat *s, bool guess)
{
	const struct plan_vm *vm = s->vm;

	if (has(vm, FACT_MIN))
		need(s, vm->facts.min, LEAST_MIN);
	if (!guess || s->assured || !has(vm, FACT_MIN))
		need(s, appetite__known_from(s->appetite), LEAST_CURVE);
	if (s->assured)
		need(s, appetite__assured_from(s->appetite, &s->assurance), LEAST_ASSURED);
	s->most = has(vm, FACT_MAX) ? vm->facts.max : PLAN_NO_MOST;
}

static int make_seat(struct plan_seat *s, const struct plan_vm *vm, bool guess, char *why,
		     size_t size)
{
	int err;

	s->vm = vm;
	err = make_appetite(s, guess, why, size) ?: find_assurance(s, why, size);
	if (!err)
		find_bounds(s, guess);
	return err;
}

static int make_seats(struct plan_case *c, bool guess, char *why, size_t size)
{
	const struct plan_vms *v = c->vms;
	int err = 0;

	c->seats = calloc(v->nr + 1, sizeof(*c->seats));
	if (!c->seats)
		return -ENOMEM;
	for (size_t i = 0; i < v->nr && !err; i++)
		if (!v->vms[i].gone)
			err = make_seat(&c->seats[c->nr++], &v->vms[i], guess, why, size);
	if (!err && !c->nr) {
		snprintf(why, size, "no VM is left to plan for: --without has taken all away");
		err = -EINVAL;
	}
	return err;
}

/* --- the tree: all, or the one host; hosts; VMs --- */

__u64 plan_vms__memory(const struct plan_vms *v, size_t host)
{
	__u64 pages = v->hosts[host].unused, now;

	if (v->hosts[host].given)
		return v->hosts[host].memory;
	for (size_t i = 0; i < v->nr; i++)
		if (v->vms[i].host == host && now_of(&v->vms[i], &now))
			pages += now;
	return pages;
}

size_t plan_case__host_node(const struct plan_case *c, size_t host)
{
	return c->vms->nr_hosts > 1 ? 1 + host : 0;
}

static void add_hosts(struct plan_case *c)
{
	const struct plan_vms *v = c->vms;
	bool several = v->nr_hosts > 1;

	if (several)
		c->names[c->nr_nodes++] = "all hosts";
	for (size_t i = 0; i < v->nr_hosts; i++) {
		__u64 memory = plan_vms__memory(v, i);

		if (several)
			c->nodes[0].most += memory;
		c->names[c->nr_nodes] = v->hosts[i].name;
		c->nodes[c->nr_nodes++].most = memory;
	}
}

static int add_leaf(struct plan_case *c, struct plan_seat *s)
{
	struct plan_node *leaf = &c->nodes[c->nr_nodes];

	s->node = c->nr_nodes;
	*leaf = (struct plan_node){
		.parent = plan_groups__parent(c, s), .least = s->least, .most = s->most};
	if (appetite__steps(s->appetite, s->least, s->most, &s->steps, &leaf->nr_steps))
		return -ENOMEM;
	leaf->steps = s->steps;
	c->names[c->nr_nodes++] = s->vm->name;
	return 0;
}

static int make_tree(struct plan_case *c, unsigned int tax, char *why, size_t size)
{
	size_t room = 1 + c->vms->nr_hosts + plan_groups__count(c->vms) + c->nr;
	int err;

	c->nodes = calloc(room, sizeof(*c->nodes));
	c->names = calloc(room, sizeof(*c->names));
	if (!c->nodes || !c->names)
		return -ENOMEM;
	add_hosts(c);
	err = plan_groups__make(c, tax, why, size);
	for (size_t i = 0; i < c->nr && !err; i++)
		err = add_leaf(c, &c->seats[i]);
	return err;
}

/* Without a size of their own, hosts have what their VMs have. */
static int check_memory(const struct plan_case *c, char *why, size_t size)
{
	for (size_t i = 0; i < c->nr; i++) {
		const struct plan_seat *s = &c->seats[i];
		const struct plan_host *h = &c->vms->hosts[s->vm->host];

		if (s->has_now || h->given)
			continue;
		snprintf(why, size,
			 "the memory of '%s' is not known, nor what '%s' has now; say it with "
			 "--memory %sSIZE",
			 h->name, s->vm->name, c->vms->nr_hosts > 1 ? "HOST=" : "");
		return -EINVAL;
	}
	return 0;
}

static int solve(struct plan_case *c, const struct plan_case_opts *o, char *why, size_t size)
{
	struct planner_opts opts = {
		.sz = sizeof(opts),
		.nodes = c->nodes,
		.n = c->nr_nodes,
		.granule = o->granule,
		.greedy = o->greedy,
		.either = true,
	};
	int err = planner__solve(&c->plan, &opts);
	char text[SIZE_TEXT];

	if (err == -E2BIG)
		snprintf(why, size,
			 "a granule of %s is too small, a plan has at most %u of them; leave it "
			 "out for one that fits",
			 size__format(o->granule, text), PLAN_MAX_GRANULES);
	return err;
}

/* Every error has its sentence. */
static int settle(struct plan_case *c, int err, char *why, size_t size)
{
	if (!err)
		return 0;
	if (!why[0])
		snprintf(why, size, "%s", err == -ENOMEM ? "out of memory" : strerror(-err));
	plan_case__free(c);
	return err;
}

int plan_case__seats(struct plan_case *c, const struct plan_vms *v, const struct plan_case_opts *o,
		     char *why, size_t size)
{
	*c = (struct plan_case){.vms = v};
	why[0] = 0;
	return settle(c, make_seats(c, o->guess, why, size), why, size);
}

int plan_case__make(struct plan_case *c, const struct plan_vms *v, const struct plan_case_opts *o,
		    char *why, size_t size)
{
	int err = plan_case__seats(c, v, o, why, size);

	if (err)
		return err;
	err = check_memory(c, why, size) ?: make_tree(c, o->tax, why, size);
	if (!err)
		err = solve(c, o, why, size);
	return settle(c, err, why, size);
}

void plan_case__free(struct plan_case *c)
{
	for (size_t i = 0; i < c->nr; i++) {
		appetite__free(c->seats[i].appetite);
		free(c->seats[i].steps);
	}
	plan_groups__free(c->groups, c->vms ? c->vms->nr_hosts : 0);
	free(c->seats);
	free(c->nodes);
	free(c->names);
	plan__free(c->plan);
	*c = (struct plan_case){0};
}

/* --- clashes --- */

const char *plan_least__name(enum plan_least why)
{
	static const char *const names[] = {"", "min", "curve", "assured", "group"};

	return names[why];
}

#define LEAST_TEXT 128

/* "1GiB (its min)" and the like. */
static const char *tell_least(const struct plan_seat *s, char text[LEAST_TEXT])
{
	static const char *const words[] = {"", "its min", "its curve begins there",
					    "to be no slower than it may", "reserved in its group"};
	char size[SIZE_TEXT];

	snprintf(text, LEAST_TEXT, "%s (%s)", size__format(s->least, size), words[s->why]);
	return text;
}

/* Appends; a text that is full stays as it is. */
__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + len, size - len, fmt, args);
	va_end(args);
}

static const struct plan_seat *seat_of(const struct plan_case *c, size_t node)
{
	for (size_t i = 0; i < c->nr; i++)
		if (c->seats[i].node == node)
			return &c->seats[i];
	return NULL;
}

/* The leaf with the largest least below `before`, so that calls list them all. */
static const struct plan_seat *next_largest(const struct plan_case *c, size_t group,
					    const struct plan_seat *before)
{
	const struct plan_seat *best = NULL;

	for (size_t i = 0; i < c->nr; i++) {
		const struct plan_seat *s = &c->seats[i];

		if (c->nodes[s->node].parent != group ||
		    (before &&
		     (s->least > before->least || (s->least == before->least && s <= before))))
			continue;
		if (!best || s->least > best->least)
			best = s;
	}
	return best;
}

#define TOLD_MEMBERS 4

static void tell_members(const struct plan_case *c, size_t group, char text[PLAN_CLASH])
{
	const struct plan_seat *s = NULL;
	char least[LEAST_TEXT];
	size_t n = 0, left = 0;

	while ((s = next_largest(c, group, s)) && s->least) {
		if (n < TOLD_MEMBERS)
			add(text, PLAN_CLASH, "%s%.64s %s", n ? ", " : ": ", s->vm->name,
			    tell_least(s, least));
		else
			left++;
		n++;
	}
	if (left)
		add(text, PLAN_CLASH, ", and %zu more", left);
}

void plan_case__tell_clash(const struct plan_case *c, const struct plan_clash *clash,
			   char text[PLAN_CLASH])
{
	const struct plan_seat *s = seat_of(c, clash->node);
	char needs[SIZE_TEXT], most[SIZE_TEXT], least[LEAST_TEXT];

	size__format(clash->needs, needs);
	size__format(clash->most, most);
	if (s) {
		snprintf(text, PLAN_CLASH, "'%.64s' needs %s, its max is %s: %llu bytes less",
			 s->vm->name, tell_least(s, least), most,
			 (clash->needs - clash->most) * PAGE_BYTES);
		return;
	}
	snprintf(text, PLAN_CLASH, "the VMs of '%.64s' need %s, its %s is %s: %llu bytes less",
		 c->names[clash->node], needs,
		 plan_groups__spec(c, clash->node) ? "limit" : "memory", most,
		 (clash->needs - clash->most) * PAGE_BYTES);
	tell_members(c, clash->node, text);
}
