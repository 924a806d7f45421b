// SPDX-License-Identifier: GPL-2.0
/* A plan of balance: what each VM was seen to lose becomes a leaf, the budget is the root. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../analysis/plan/planner.h"
#include "../analysis/size.h"
#include "../cache/minmax.h"
#include "balance.h"

#define NS_PER_MS 1e6

/* In misses a second, for promises. */
static struct losses_price price_of_misses(const struct balance *b, const struct balance_vm *v)
{
	return (struct losses_price){
		.miss = 1,
		.trial = b->o->trial * NS_PER_MS / balance_vm__latency(v),
		.step = b->step,
	};
}

/* In milliseconds a second by the VM's weight, for plans. */
static struct losses_price price_of_time(const struct balance *b, const struct balance_vm *v)
{
	return (struct losses_price){
		.miss = balance_vm__latency(v) / NS_PER_MS * v->spec->weight,
		.trial = b->o->trial * v->spec->weight,
		.step = b->step,
	};
}

/* What it may lose with any memory: what it lost at first, at least, and what it may lose more. */
static double most_misses(const struct balance_vm *v)
{
	struct appetite_loss at_first;

	if (v->spec->loss < 0 || !v->appetite)
		return INFINITY;
	appetite__at(v->appetite, v->baseline, &at_first);
	return (at_first.known ? at_first.misses.lower : balance_vm__rate(v)) +
	       v->spec->loss * NS_PER_MS / balance_vm__latency(v);
}

/* What it misses now, and what having less adds, as far as is known; the price of a trial at least.
 */
double balance__promise(void *ctx, size_t vm, __u64 pages)
{
	const struct balance *b = ctx;
	const struct balance_vm *v = &b->vms[vm];
	struct losses_price price = price_of_misses(b, v);
	__u64 now = v->state.now;
	double more = losses__cost(v->losses, pages, now, &price, b->looked) -
		      losses__cost(v->losses, now, now, &price, b->looked);
	struct stepper_vm seen;

	stepper__vm(b->stepper, vm, b->looked, &seen);
	return fmin(fmin(balance_vm__rate(v), seen.observed) + fmax(more, price.trial),
		    most_misses(v));
}

double balance__lost(const struct balance *b, size_t vm, __u64 pages, double time)
{
	const struct balance_vm *v = &b->vms[vm];
	struct losses_price price = price_of_time(b, v);

	return losses__cost(v->losses, pages, v->state.now, &price, time) / v->spec->weight;
}

/* --- leaves --- */

/* A bound on what it may lose asks for memory where the curve tells; below that it is a promise. */
static __u64 assured_from(const struct balance_vm *v)
{
	const struct assurance bound = {v->baseline, -1, v->spec->loss};
	struct appetite_slower slower;

	if (v->spec->loss < 0 || !v->appetite || v->state.now >= v->baseline)
		return 0;
	appetite__slower(v->appetite, v->baseline, v->state.now, &slower);
	return slower.lost > v->spec->loss ? appetite__assured_from(v->appetite, &bound) : 0;
}

/* Sizes are whole granules from what it is to have today, so that staying is one of them. */
static void round_bounds(const struct balance *b, __u64 today, __u64 *least, __u64 *most)
{
	if (*least < today)
		*least += (today - *least) % b->granule;
	if (*most < *least)
		*most = *least;
}

static int make_leaf(struct balance *b, size_t i, double time, struct plan_node *leaf)
{
	struct balance_vm *v = &b->vms[i];
	struct losses_price price = price_of_time(b, v);
	struct plan_step *steps;
	struct stepper_vm now;
	int err;

	stepper__vm(b->stepper, i, time, &now);
	stepper__bounds(b->stepper, i, time, &leaf->least, &leaf->most);
	if (!balance_vm__seen(v, b->o->interval))
		leaf->least = leaf->most = now.target;
	else if (leaf->least < leaf->most && assured_from(v) > leaf->least)
		leaf->least = smaller(assured_from(v), leaf->most);
	round_bounds(b, now.target, &leaf->least, &leaf->most);
	err = losses__steps(v->losses, leaf->least, leaf->most, now.target, &price, time, &steps,
			    &leaf->nr_steps);
	leaf->steps = steps;
	return err;
}

static void free_nodes(struct plan_node *nodes, size_t n)
{
	for (size_t i = 0; i < n && nodes; i++)
		free((void *)nodes[i].steps);
	free(nodes);
}

/* VMs that were never reached have no part in it: they hold nothing that is known. */
static int make_nodes(struct balance *b, double time, struct plan_node *nodes)
{
	int err = 0;

	nodes[0] = (struct plan_node){.most = b->budget};
	for (size_t i = 0; i < b->n && !err; i++)
		err = make_leaf(b, i, time, &nodes[1 + i]);
	return err;
}

/* --- what comes of it --- */

static void say_clash(struct balance *b, const struct plan *p)
{
	char needs[SIZE_TEXT], most[SIZE_TEXT], why[BALANCE_WHY];

	snprintf(why, sizeof(why), "no plan: the VMs need %s at least, and there are %s",
		 size__format(p->clashes[0].needs, needs), size__format(p->clashes[0].most, most));
	balance_log__plan(b, false, why);
}

static void follow(struct balance *b, const struct plan *p, double time)
{
	char why[BALANCE_WHY];
	bool followed;

	b->cost = b->cost_now = 0;
	for (size_t i = 0; i < b->n; i++) {
		struct losses_price price = price_of_time(b, &b->vms[i]);
		struct stepper_vm now;

		stepper__vm(b->stepper, i, time, &now);
		b->planned[i] = p->sizes[1 + i].size;
		b->cost_now += losses__cost(b->vms[i].losses, now.target, now.target, &price, time);
		b->cost += losses__cost(b->vms[i].losses, b->planned[i], now.target, &price, time);
	}
	followed = stepper__aim(b->stepper, b->planned, b->cost, b->cost_now);
	snprintf(why, sizeof(why),
		 followed ? "saves %.3g of %.3g ms/s"
			  : "saves %.3g of %.3g ms/s: too little to move memory for",
		 b->cost_now - b->cost, b->cost_now);
	balance_log__plan(b, followed, why);
}

static int solve(struct balance *b, const struct plan_node *nodes, double time)
{
	struct planner_opts o = {
		.sz = sizeof(o), .nodes = nodes, .n = 1 + b->n, .granule = b->granule};
	struct plan *p;
	int err = planner__solve(&p, &o);

	if (err)
		return err;
	if (p->nr_clashes)
		say_clash(b, p);
	else
		follow(b, p, time);
	plan__free(p);
	return 0;
}

int balance__plan(struct balance *b, double time)
{
	struct plan_node *nodes = calloc(1 + b->n, sizeof(*nodes));
	int err = nodes ? 0 : -ENOMEM;

	for (size_t i = 0; i < b->n && !err; i++) {
		err = b->vms[i].reachable ? balance_vm__see(&b->vms[i], b->trace, time) : 0;
		if (err == -ENOENT)
			err = 0;
	}
	if (!err)
		err = make_nodes(b, time, nodes) ?: solve(b, nodes, time);
	free_nodes(nodes, 1 + b->n);
	return err;
}
