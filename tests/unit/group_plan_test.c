// SPDX-License-Identifier: GPL-2.0
/* Plans of VMs in groups: bounds kept, refusals told, and more memory never makes one worse. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/group_plan.h"
#include "random.h"

#define GIB (1ULL << 18)
#define MAX_VMS 6
#define MAX_GROUPS 5
#define MAX_NODES (1 + MAX_GROUPS + MAX_VMS)
#define STEPS 5

static char why[256];

static int add(struct group_list *l, int parent, const char *name, struct group_spec spec)
{
	int entry = group_list__add(l, parent, name, &spec);

	assert_true(entry >= 0);
	return entry;
}

static struct group_spec group(__u64 reservation, __u64 limit, bool expandable)
{
	return (struct group_spec){
		.reservation = reservation, .limit = limit, .expandable = expandable};
}

static struct group_spec member(__u64 reservation, __u64 limit)
{
	return (struct group_spec){.vm = true, .reservation = reservation, .limit = limit};
}

static void check_vm(const struct group_plan *p, size_t vm, int group, __u64 least, __u64 most)
{
	int node = group_plan__vm(p, vm), parent = groups__parent(p->groups, node);
	const struct group_spec *s = groups__spec(p->groups, node);

	if (group < 0)
		assert_int_equal(parent, 0);
	else
		assert_string_equal(group_plan__name(p, parent), p->list->entry[group].name);
	assert_true(s->vm);
	assert_int_equal(s->reservation, least);
	assert_int_equal(s->limit, most);
}

static __u64 active_of(const struct group_plan *p, size_t vm)
{
	return groups__spec(p->groups, group_plan__vm(p, vm))->active;
}

/* A VM's minimum and its group's reservation for it: the larger one counts; of limits the smaller.
 */
static void test_bounds(void **state)
{
	const struct group_vm vms[] = {{"web", 2 * GIB, 8 * GIB, 3 * GIB, 0},
				       {"db", 4 * GIB, 6 * GIB, GIB, 2 * GIB},
				       {"own", 0, GIB, 0, 0}};
	struct group_list l = {0};
	struct group_plan p;
	struct plan_node nodes[2];
	int acme = add(&l, -1, "acme", group(10 * GIB, 12 * GIB, true)), inner;

	add(&l, acme, "db", member(0, GROUPS_NO_LIMIT));
	inner = add(&l, acme, "inner", group(0, GROUPS_NO_LIMIT, true));
	add(&l, inner, "web", member(3 * GIB, 5 * GIB));
	l.entry[3].has_active = true;
	l.entry[3].spec.active = 2 * GIB;
	l.entry[3].spec.shares = 7;
	assert_int_equal(group_plan__new(&p, &l, vms, 3, 16 * GIB, why, sizeof(why)), 0);
	assert_int_equal(groups__count(p.groups), 6);
	assert_int_equal(group_plan__admit(&p, why, sizeof(why)), 0);
	/* Among the planner's nodes from 5 on, below the host, which is its 3. */
	group_plan__nodes(&p, 5, 3, nodes);
	assert_int_equal(nodes[0].parent, 3);
	assert_int_equal(nodes[0].least, 10 * GIB);
	assert_int_equal(nodes[0].most, 12 * GIB);
	assert_int_equal(nodes[1].parent, 5);
	assert_int_equal(nodes[1].least, 0);
	assert_true(nodes[1].most == PLAN_NO_MOST);
	check_vm(&p, 0, inner, 3 * GIB, 5 * GIB);
	check_vm(&p, 1, acme, 4 * GIB, 6 * GIB);
	check_vm(&p, 2, -1, 0, GIB);
	/* In use and shares: as its group says; else as the VM has it, 10 for each MiB. */
	assert_int_equal(active_of(&p, 0), 2 * GIB);
	assert_int_equal(active_of(&p, 1), GIB);
	assert_int_equal(groups__shares(p.groups, group_plan__vm(&p, 0)), 7);
	assert_int_equal(groups__shares(p.groups, group_plan__vm(&p, 1)), 20480);
	assert_int_equal(groups__shares(p.groups, group_plan__vm(&p, 2)), 10240);
	assert_string_equal(group_plan__name(&p, 1), "acme");
	assert_string_equal(group_plan__name(&p, 2), "acme/inner");
	assert_string_equal(group_plan__name(&p, group_plan__vm(&p, 1)), "db");
	group_plan__free(&p);
	group_list__free(&l);
}

static void test_refusals(void **state)
{
	struct group_vm vms[] = {{"web", 2 * GIB, 8 * GIB, 0, 0}, {"db", 4 * GIB, 8 * GIB, 0, 0}};
	struct group_list l = {0};
	struct group_plan p;
	int acme = add(&l, -1, "acme", group(5 * GIB, 12 * GIB, false));

	add(&l, acme, "web", member(0, GROUPS_NO_LIMIT));
	add(&l, acme, "db", member(0, GROUPS_NO_LIMIT));
	assert_int_equal(group_plan__new(&p, &l, vms, 2, 16 * GIB, why, sizeof(why)), 0);
	assert_int_equal(group_plan__admit(&p, why, sizeof(why)), -ENOSPC);
	assert_string_equal(why,
			    "group 'acme' has a reservation of 5GiB and is not expandable, 6GiB "
			    "are reserved in it: 1GiB too much");
	group_plan__free(&p);

	/* What limits and the host refuse is for the planner to tell. */
	l.entry[acme].spec.expandable = true;
	l.entry[acme].spec.limit = 5 * GIB;
	assert_int_equal(group_plan__new(&p, &l, vms, 2, 4 * GIB, why, sizeof(why)), 0);
	assert_int_equal(group_plan__admit(&p, why, sizeof(why)), 0);
	group_plan__free(&p);

	l.entry[1].spec.limit = GIB;
	assert_int_equal(group_plan__new(&p, &l, vms, 2, 4 * GIB, why, sizeof(why)), -EINVAL);
	assert_string_equal(why,
			    "VM 'web' needs 2GiB at least, and may have 1GiB at most: 1GiB less");
	group_list__free(&l);
}

/* --- random plans --- */

struct scene {
	struct group_list list;
	struct group_vm vms[MAX_VMS];
	char name[MAX_VMS][24];
	struct plan_step steps[MAX_VMS][STEPS];
	size_t nr_vms;
};

static void make_steps(struct random *r, struct plan_step *s, __u64 least)
{
	double cost = 100;

	for (size_t i = 0; i < STEPS; i++) {
		s[i] = (struct plan_step){.size = least, .cost = cost};
		least += 1 + random__below(r, 12);
		cost -= 1 + random__below(r, 18);
	}
}

static void make_scene(struct random *r, struct scene *s)
{
	size_t groups = random__below(r, MAX_GROUPS + 1);

	*s = (struct scene){.nr_vms = 1 + random__below(r, MAX_VMS)};
	for (size_t i = 0; i < groups; i++) {
		__u64 reservation = random__one_in(r, 2) ? 0 : random__below(r, 30);
		char name[24];

		snprintf(name, sizeof(name), "g%zu", i);
		add(&s->list, (int)random__below(r, s->list.n + 1) - 1, name,
		    group(reservation,
			  random__one_in(r, 2) ? GROUPS_NO_LIMIT
					       : reservation + random__below(r, 40),
			  random__one_in(r, 3)));
	}
	for (size_t i = 0; i < s->nr_vms; i++) {
		__u64 least = random__below(r, 10);

		snprintf(s->name[i], sizeof(s->name[i]), "v%zu", i);
		s->vms[i] =
			(struct group_vm){s->name[i], least, least + random__below(r, 50), 0, 0};
		make_steps(r, s->steps[i], least);
		if (groups && !random__one_in(r, 4))
			add(&s->list, random__below(r, groups), s->name[i],
			    member(0, GROUPS_NO_LIMIT));
	}
}

/* The host, its groups, its VMs: as many as groups__count(). */
static void make_nodes(const struct scene *s, const struct group_plan *p, __u64 memory,
		       struct plan_node *nodes)
{
	nodes[0] = (struct plan_node){.most = memory};
	group_plan__nodes(p, 1, 0, &nodes[1]);
	for (size_t i = 0; i < s->nr_vms; i++) {
		int node = group_plan__vm(p, i);
		const struct group_spec *spec = groups__spec(p->groups, node);

		nodes[node] = (struct plan_node){
			.parent = groups__parent(p->groups, node),
			.least = spec->reservation,
			.most = spec->limit,
			.steps = s->steps[i],
			.nr_steps = STEPS,
		};
	}
}

/* Each group's VMs together, and each VM, between their bounds. */
static void check_plan(const struct plan *got, const struct plan_node *nodes)
{
	__u64 sum[MAX_NODES] = {0};

	for (size_t i = got->nr_sizes; i-- > 0;) {
		if (nodes[i].steps) {
			sum[i] = got->sizes[i].size;
			assert_true(sum[i] >= nodes[i].least);
		}
		assert_true(sum[i] <= nodes[i].most);
		/* What is reserved for a group is nobody else's. */
		if (i)
			sum[nodes[i].parent] += sum[i] > nodes[i].least ? sum[i] : nodes[i].least;
	}
}

/* NULL: refused, by a group or by the planner. */
static struct plan *plan(const struct scene *s, __u64 memory)
{
	struct plan_node nodes[MAX_NODES];
	struct planner_opts o = {.sz = sizeof(o), .nodes = nodes, .granule = 1};
	struct groups_refusal refusal;
	struct plan *got = NULL;
	struct group_plan p;
	bool admitted;

	assert_int_equal(group_plan__new(&p, &s->list, s->vms, s->nr_vms, memory, why, sizeof(why)),
			 0);
	make_nodes(s, &p, memory, nodes);
	o.n = groups__count(p.groups);
	assert_int_equal(planner__solve(&got, &o), 0);
	admitted = !group_plan__admit(&p, why, sizeof(why)) && !got->nr_clashes;
	/* Whoever is let in has room, and nobody else. */
	assert_int_equal(admitted, !groups__check(p.groups, &refusal));
	if (admitted)
		check_plan(got, nodes);
	group_plan__free(&p);
	if (admitted)
		return got;
	plan__free(got);
	return NULL;
}

static void test_more_memory(void **state)
{
	struct random r = {random__seed()};
	int plans = 0;

	for (int round = 0; round < 2000; round++) {
		__u64 memory = random__below(&r, 150), more = random__below(&r, 40);
		struct scene s;
		struct plan *was, *is;

		make_scene(&r, &s);
		was = plan(&s, memory);
		is = plan(&s, memory + more);
		if (was) {
			plans++;
			assert_non_null(is);
			assert_true(is->cost <= was->cost + 1e-9);
		}
		plan__free(was);
		plan__free(is);
		group_list__free(&s.list);
	}
	assert_true(plans > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_more_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
