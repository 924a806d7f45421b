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

/* A VM's minimum and its group's reservation for it: the larger one counts; of limits the smaller.
 */
static void test_bounds(void **state)
{
	const struct group_vm vms[] = {{"web", 2 * GIB, 8 * GIB, 3 * GIB, 0},
				       {"db", 4 * GIB, 6 * GIB, GIB, 0},
				       {"own", 0, GIB, 0, 0}};
	struct group_list l = {0};
	struct group_plan p;
	struct plan_node nodes[5];
	int acme = add(&l, -1, "acme", group(10 * GIB, 12 * GIB, true));

	add(&l, acme, "web", member(3 * GIB, 5 * GIB));
	add(&l, acme, "db", member(0, GROUPS_NO_LIMIT));
	assert_int_equal(group_plan__new(&p, &l, vms, 3, 16 * GIB, why, sizeof(why)), 0);
	assert_int_equal(groups__count(p.groups), 5);
	assert_int_equal(group_plan__admit(&p, why, sizeof(why)), 0);
	group_plan__nodes(&p, nodes);
	assert_int_equal(nodes[0].least, 0);
	assert_int_equal(nodes[0].most, 16 * GIB);
	assert_int_equal(nodes[1].parent, 0);
	assert_int_equal(nodes[1].least, 10 * GIB);
	assert_int_equal(nodes[1].most, 12 * GIB);
	assert_int_equal(nodes[2].parent, 1);
	assert_int_equal(nodes[2].least, 3 * GIB);
	assert_int_equal(nodes[2].most, 5 * GIB);
	assert_int_equal(nodes[3].least, 4 * GIB);
	assert_int_equal(nodes[3].most, 6 * GIB);
	assert_int_equal(nodes[4].parent, 0);
	assert_int_equal(nodes[4].most, GIB);
	assert_int_equal(group_plan__group(&p, acme), 1);
	assert_string_equal(group_plan__name(&p, 1), "acme");
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

	l.entry[acme].spec.expandable = true;
	l.entry[acme].spec.limit = 5 * GIB;
	assert_int_equal(group_plan__new(&p, &l, vms, 2, 16 * GIB, why, sizeof(why)), 0);
	assert_int_equal(group_plan__admit(&p, why, sizeof(why)), -ENOSPC);
	assert_string_equal(why,
			    "group 'acme' has a limit of 5GiB, 6GiB are reserved in it: 1GiB too "
			    "much");
	group_plan__free(&p);

	l.entry[acme].spec.limit = 8 * GIB;
	assert_int_equal(group_plan__new(&p, &l, vms, 2, 4 * GIB, why, sizeof(why)), 0);
	assert_int_equal(group_plan__admit(&p, why, sizeof(why)), -ENOSPC);
	assert_string_equal(why, "the host has 4GiB, 6GiB are reserved: 2GiB too much");
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

/* NULL: refused. */
static struct plan *plan(const struct scene *s, __u64 memory)
{
	struct plan_node nodes[MAX_NODES];
	struct planner_opts o = {.sz = sizeof(o), .nodes = nodes, .granule = 1};
	struct plan *got = NULL;
	struct group_plan p;
	bool admitted;

	assert_int_equal(group_plan__new(&p, &s->list, s->vms, s->nr_vms, memory, why, sizeof(why)),
			 0);
	admitted = !group_plan__admit(&p, why, sizeof(why));
	group_plan__nodes(&p, nodes);
	for (size_t i = 0; i < s->nr_vms; i++) {
		nodes[group_plan__vm(&p, i)].steps = s->steps[i];
		nodes[group_plan__vm(&p, i)].nr_steps = STEPS;
	}
	/* Of a group that has nobody in it a plan need not know. */
	o.n = groups__count(p.groups);
	assert_int_equal(planner__solve(&got, &o), 0);
	/* Admission never lets in what a plan has no room for. */
	if (admitted)
		assert_int_equal(got->nr_clashes, 0);
	group_plan__free(&p);
	if (admitted)
		return got;
	plan__free(got);
	return NULL;
}

/* Each group's VMs together, and each VM, between their bounds. */
static void check_plan(const struct scene *s, const struct plan *got, __u64 memory)
{
	struct plan_node nodes[MAX_NODES];
	__u64 sum[MAX_NODES] = {0};
	struct group_plan p;
	size_t n;

	assert_int_equal(group_plan__new(&p, &s->list, s->vms, s->nr_vms, memory, why, sizeof(why)),
			 0);
	group_plan__nodes(&p, nodes);
	n = groups__count(p.groups);
	for (size_t i = n; i-- > 0;) {
		if (i > p.nr_groups) {
			sum[i] = got->sizes[i].size;
			assert_true(sum[i] >= nodes[i].least);
		}
		assert_true(sum[i] <= nodes[i].most);
		/* What is reserved for a group is nobody else's. */
		if (i)
			sum[nodes[i].parent] += sum[i] > nodes[i].least ? sum[i] : nodes[i].least;
	}
	assert_true(sum[0] <= memory);
	group_plan__free(&p);
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
			check_plan(&s, was, memory);
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
