// SPDX-License-Identifier: GPL-2.0
/* Whole plans from what is known of VMs: bounds, assurances, hosts, and what a socket answers. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/plan_case.h"
#include "random.h"

static char why[512];

/* --- VMs by hand: 100 misses a second of 10 ms each --- */

static const struct curve_point falling[] = {
	{0, 100, 100, 0}, {10, 60, 100, .02}, {20, 30, 100, .02}, {30, 10, 100, .02}};

static void add(struct plan_vms *v, const char *host, const char *name, bool added,
		const char *facts[][2])
{
	struct plan_vm vm = {.name = (char *)name,
			     .added = added,
			     .points = (struct curve_point *)falling,
			     .n = 4};

	plan_facts__know(&vm.facts, FACT_RATE, 100);
	plan_facts__know(&vm.facts, FACT_LATENCY, 1e7);
	for (; facts && (*facts)[0]; facts++)
		assert_int_equal(
			plan_facts__set(&vm.facts, (*facts)[0], (*facts)[1], why, sizeof(why)), 0);
	assert_int_equal(plan_vms__host(v, host, &vm.host), 0);
	assert_int_equal(plan_vms__add(v, &vm), 0);
}

#define FACTS(...)                                                                                 \
	(const char *[][2])                                                                        \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			NULL, NULL                                                                 \
		}                                                                                  \
	}

static void memory(struct plan_vms *v, size_t host, __u64 pages)
{
	v->hosts[host].given = true;
	v->hosts[host].memory = pages;
}

static struct plan_case make(const struct plan_vms *v)
{
	const struct plan_case_opts o = {.granule = 1};
	struct plan_case c;
	int err = plan_case__make(&c, v, &o, why, sizeof(why));

	if (err)
		fail_msg("%s", why);
	return c;
}

static __u64 size_of(const struct plan_case *c, size_t i)
{
	return c->plan->sizes[c->seats[i].node].size;
}

/* Sizes of added memory begin at what the VM has; it is not taken below. */
static void test_added(void **state)
{
	struct plan_vms v = {0};
	struct plan_case c;

	add(&v, NULL, "a", true, FACTS({"memory", "100p"}));
	add(&v, NULL, "b", true, FACTS({"memory", "50p"}));
	c = make(&v);
	assert_int_equal(plan_vms__memory(&v, 0), 150);
	assert_int_equal(size_of(&c, 0), 100);
	assert_int_equal(size_of(&c, 1), 50);
	assert_int_equal(c.seats[0].why, LEAST_CURVE);
	plan_case__free(&c);
	memory(&v, 0, 181);
	c = make(&v);
	assert_int_equal(size_of(&c, 0) + size_of(&c, 1), 180);
	assert_int_equal(c.plan->spare, 1);
	plan_case__free(&c);
	plan_vms__free(&v);
}

/* A served VM has its own memory, and some of the cache to lose. */
static void test_direct(void **state)
{
	struct plan_vms v = {0};
	struct plan_case c;

	add(&v, NULL, "a", true, FACTS({"memory", "130p"}, {"direct", "100p"}, {"weight", "0.1"}));
	add(&v, NULL, "b", true, FACTS({"memory", "100p"}, {"direct", "100p"}));
	c = make(&v);
	assert_int_equal(size_of(&c, 0), 100);
	assert_int_equal(size_of(&c, 1), 130);
	plan_case__free(&c);
	plan_vms__free(&v);
}

static void test_assured(void **state)
{
	struct plan_vms v = {0};
	struct plan_case c;

	/* From 30 pages (8 to 12 %) to 20 (up to 32 %): 24 % of its accesses more, 240 ms/s. */
	add(&v, NULL, "a", false,
	    FACTS({"memory", "30p"}, {"weight", "0.01"}, {"slower-ratio", "24.1%"}));
	add(&v, NULL, "b", false, FACTS({"memory", "10p"}, {"min", "3p"}));
	c = make(&v);
	assert_int_equal(size_of(&c, 0), 20);
	assert_int_equal(c.seats[0].why, LEAST_ASSURED);
	assert_int_equal(size_of(&c, 1), 20);
	plan_case__free(&c);
	v.vms[0].facts.slower_ratio = .239;
	c = make(&v);
	assert_int_equal(size_of(&c, 0), 30);
	assert_int_equal(size_of(&c, 1), 10);
	plan_case__free(&c);
	plan_facts__know(&v.vms[0].facts, FACT_SLOWER_TIME, 239);
	v.vms[0].facts.slower_ratio = 1;
	c = make(&v);
	assert_int_equal(size_of(&c, 0), 30);
	plan_case__free(&c);
	plan_vms__free(&v);
}

static void test_clashes(void **state)
{
	struct plan_vms v = {0};
	struct plan_case c;
	char text[PLAN_CLASH];

	add(&v, NULL, "a", false, FACTS({"memory", "30p"}, {"slower-time", "0"}, {"max", "25p"}));
	add(&v, NULL, "b", false, FACTS({"memory", "10p"}, {"min", "8p"}));
	memory(&v, 0, 32);
	c = make(&v);
	assert_int_equal(c.plan->nr_clashes, 2);
	assert_int_equal(c.plan->clashes[0].node, 0);
	assert_int_equal(c.plan->clashes[0].needs, 33);
	plan_case__tell_clash(&c, &c.plan->clashes[0], text);
	assert_string_equal(text,
			    "the VMs of 'host' need 132KiB, its memory is 128KiB: 4096 bytes less: "
			    "a 120KiB (to be no slower than it may), b 32KiB (its min)");
	plan_case__tell_clash(&c, &c.plan->clashes[1], text);
	assert_string_equal(text, "'a' needs 120KiB (to be no slower than it may), its max is "
				  "100KiB: 20480 bytes less");
	plan_case__free(&c);
	plan_vms__free(&v);
}

/* Memory of one host is none of another. */
static void test_hosts(void **state)
{
	struct plan_vms v = {0};
	struct plan_case c;

	add(&v, "x", "a", false, FACTS({"memory", "10p"}));
	add(&v, "y", "a", false, FACTS({"memory", "30p"}));
	assert_true(plan_vms__is(&v, &v.vms[1], "a@y") && !plan_vms__is(&v, &v.vms[0], "a@y"));
	assert_true(plan_vms__is(&v, &v.vms[0], "a") && plan_vms__is(&v, &v.vms[1], "a"));
	c = make(&v);
	assert_int_equal(size_of(&c, 0), 10);
	assert_int_equal(size_of(&c, 1), 30);
	plan_case__free(&c);
	v.vms[1].gone = true;
	c = make(&v);
	assert_int_equal(c.nr, 1);
	assert_int_equal(size_of(&c, 0), 10);
	plan_case__free(&c);
	plan_vms__free(&v);
}

static void refuse(struct plan_vms *v, const char *reason)
{
	const struct plan_case_opts o = {0};
	struct plan_case c;

	assert_int_equal(plan_case__make(&c, v, &o, why, sizeof(why)), -EINVAL);
	if (!strstr(why, reason))
		assert_string_equal(why, reason);
	plan_vms__free(v);
}

static void test_unknown(void **state)
{
	struct plan_vms v = {0};

	add(&v, NULL, "a", true, NULL);
	refuse(&v, "--vm 'a,memory=4GiB'");
	add(&v, NULL, "a", false, NULL);
	refuse(&v, "the memory of 'host' is not known");
	add(&v, NULL, "a", false, FACTS({"slower-ratio", "0"}));
	refuse(&v, "baseline=4GiB");
	add(&v, NULL, "a", false, FACTS({"memory", "1p"}));
	v.vms[0].facts.given &= ~(1U << FACT_RATE);
	refuse(&v, "over=1h");
	add(&v, NULL, "a", false, FACTS({"memory", "1p"}));
	v.vms[0].facts.given &= ~(1U << FACT_LATENCY);
	refuse(&v, "latency=100us");
	add(&v, NULL, "a", false, FACTS({"memory", "1p"}));
	v.vms[0].gone = true;
	refuse(&v, "no VM is left");
}

/* --- what a socket answers --- */

static const char answer[] =
	"{\"cache\":{\"capacity_bytes\":409600},\"vms\":["
	"{\"vm\":\"a\",\"pid\":7,\"memory_bytes\":409600,\"min_bytes\":8192,\"max_bytes\":0,"
	"\"target_bytes\":81920,\"miss_page_ns\":90000,\"seconds\":10},"
	"{\"vm\":\"b\",\"pid\":7,\"memory_bytes\":409600,\"min_bytes\":0,\"max_bytes\":40960,"
	"\"target_bytes\":40960,\"miss_page_ns\":null,\"seconds\":10}],"
	"\"curves\":["
	"{\"vm\":\"a\",\"space\":\"disk\",\"order\":\"eviction\","
	"\"points\":[[0,100,100,1,0],[50,20,100,0.2,0.02]]},"
	"{\"vm\":\"b\",\"space\":\"disk\",\"order\":\"eviction\",\"points\":[[0,40,40,1,0]]}]}";

static void test_socket(void **state)
{
	const struct plan_source s = {.path = "s", .any_space = true};
	json_t *json = json_loads(answer, 0, NULL);
	struct plan_vms v = {0};
	const struct plan_facts *a, *b;

	assert_non_null(json);
	assert_int_equal(plan_socket__take(&v, &s, json, json, why, sizeof(why)), 0);
	assert_int_equal(v.nr, 2);
	a = &v.vms[0].facts;
	b = &v.vms[1].facts;
	assert_true(v.vms[0].added && v.vms[0].n == 2 && v.vms[0].points[1].error == .02);
	assert_int_equal(a->direct, 100);
	assert_int_equal(a->memory, 120);
	assert_int_equal(a->min, 102);
	assert_false(plan_facts__given(a, FACT_MAX));
	assert_true(a->rate == 10 && a->latency == 90000);
	/* The same guest's second disk: its memory is counted already. */
	assert_int_equal(b->direct, 0);
	assert_int_equal(b->memory, 10);
	assert_int_equal(b->max, 10);
	assert_false(plan_facts__given(b, FACT_LATENCY));
	/* 100 pages of cache, of which 30 are given out. */
	assert_int_equal(v.hosts[0].unused, 70);
	assert_int_equal(plan_vms__memory(&v, 0), 200);
	plan_vms__free(&v);
	json_decref(json);
}

static void test_wrong_answer(void **state)
{
	static const char *const wrong[] = {
		"{\"curves\":[{\"vm\":\"a\",\"space\":\"disk\",\"points\":[[0,1]]}]}",
		"{\"curves\":[{\"vm\":\"a\",\"space\":\"disk\",\"points\":[[0,2,1,2,0]]}]}",
		("{\"curves\":[{\"vm\":\"a\",\"space\":\"disk\",\"points\":[[1,1,1,1,0],"
		 "[1,1,1,1,0]]}]}"),
		"{\"curves\":[{\"vm\":\"a\",\"space\":\"tape\",\"points\":[[0,1,1,1,0]]}]}",
		"{\"curves\":[{\"space\":\"disk\",\"points\":[[0,1,1,1,0]]}]}",
		"{\"curves\":[7]}",
		"{\"curves\":[]}",
		"{}",
	};
	const struct plan_source s = {.path = "s", .any_space = true};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *json = json_loads(wrong[i], 0, NULL);
		struct plan_vms v = {0};

		assert_non_null(json);
		why[0] = 0;
		assert_int_equal(plan_socket__take(&v, &s, json, json, why, sizeof(why)), -EINVAL);
		assert_true(why[0]);
		plan_vms__free(&v);
		json_decref(json);
	}
}

/* --- at random: no bound is broken, and more memory is never worse --- */

#define POINTS 8

static void add_random(struct random *r, struct plan_vms *v, int i)
{
	struct curve_point p[POINTS];
	struct plan_vm vm = {.added = random__one_in(r, 2), .points = p};
	char name[8];
	__u64 size = 0;
	double misses = 100;

	snprintf(name, sizeof(name), "vm%d", i);
	vm.name = name;
	vm.n = 1 + random__below(r, POINTS);
	for (size_t k = 0; k < vm.n; k++) {
		p[k] = (struct curve_point){size, misses, 100, k ? random__unit(r) / 10 : 0};
		size += 1 + random__below(r, 9);
		misses *= random__unit(r);
	}
	plan_facts__know(&vm.facts, FACT_MEMORY, random__below(r, 40));
	plan_facts__know(&vm.facts, FACT_RATE, 1 + random__below(r, 100));
	plan_facts__know(&vm.facts, FACT_LATENCY, 1e6);
	if (random__one_in(r, 3))
		plan_facts__know(&vm.facts, FACT_MIN, random__below(r, 20));
	if (random__one_in(r, 3))
		plan_facts__know(&vm.facts, FACT_MAX, 10 + random__below(r, 60));
	if (random__one_in(r, 2))
		plan_facts__know(&vm.facts, FACT_SLOWER_RATIO, random__unit(r) / 2);
	if (random__one_in(r, 2))
		plan_facts__know(&vm.facts, FACT_SLOWER_TIME, random__unit(r) * 50);
	if (random__one_in(r, 4))
		plan_facts__know(&vm.facts, FACT_BASELINE, random__below(r, 40));
	assert_int_equal(plan_vms__host(v, random__one_in(r, 3) ? "x" : "y", &vm.host), 0);
	assert_int_equal(plan_vms__add(v, &vm), 0);
}

static void check_seat(const struct plan_case *c, size_t i)
{
	const struct plan_seat *s = &c->seats[i];
	const struct plan_facts *f = &s->vm->facts;
	__u64 size = size_of(c, i), direct = s->vm->added ? f->memory : 0;
	struct appetite_slower slower;

	assert_true(size >= direct + s->vm->points[0].size);
	assert_true(!plan_facts__given(f, FACT_MIN) || size >= f->min);
	assert_true(!plan_facts__given(f, FACT_MAX) || size <= f->max);
	appetite__slower(s->appetite, plan_facts__given(f, FACT_BASELINE) ? f->baseline : f->memory,
			 size, &slower);
	assert_true(!plan_facts__given(f, FACT_SLOWER_RATIO) || slower.ratio <= f->slower_ratio);
	assert_true(!plan_facts__given(f, FACT_SLOWER_TIME) || slower.lost <= f->slower_time);
}

static void check_hosts(const struct plan_vms *v, const struct plan_case *c)
{
	for (size_t h = 0; h < v->nr_hosts; h++) {
		__u64 given = 0;

		for (size_t i = 0; i < c->nr; i++)
			given += c->seats[i].vm->host == h ? size_of(c, i) : 0;
		assert_true(given <= plan_vms__memory(v, h));
	}
}

static void test_random(void **state)
{
	struct random r = {random__seed()};
	size_t plans = 0, none = 0;

	for (int n = 0; n < 2000; n++) {
		struct plan_vms v = {0};
		struct plan_case c;
		double before = INFINITY;

		for (int i = 0; i < 4; i++)
			add_random(&r, &v, i);
		for (size_t h = 0; h < v.nr_hosts; h++)
			memory(&v, h, random__below(&r, 80));
		for (int more = 0; more < 3; more++) {
			c = make(&v);
			if (c.plan->nr_clashes) {
				assert_true(isinf(before));
				none++;
			} else {
				for (size_t i = 0; i < c.nr; i++)
					check_seat(&c, i);
				check_hosts(&v, &c);
				assert_true(c.plan->cost <= before + 1e-9);
				before = c.plan->cost;
				plans++;
			}
			plan_case__free(&c);
			v.hosts[random__below(&r, v.nr_hosts)].memory += random__below(&r, 30);
		}
		plan_vms__free(&v);
	}
	assert_true(plans > 500 && none > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_added),	cmocka_unit_test(test_direct),
		cmocka_unit_test(test_assured), cmocka_unit_test(test_clashes),
		cmocka_unit_test(test_hosts),	cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_socket),	cmocka_unit_test(test_wrong_answer),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
