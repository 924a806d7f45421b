// SPDX-License-Identifier: GPL-2.0
/* What is said of VMs: facts by name, which of them win, and the file of a plan. */
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

#include "../../cli/plan_options.h"
#include "../../cli/vms_csv.h"

static char why[PLAN_WHY];

static void test_facts(void **state)
{
	static const struct {
		const char *name, *value;
		enum plan_fact fact;
		double is;
	} right[] = {
		{"memory", "4GiB", FACT_MEMORY, 1 << 20},
		{"direct", "0", FACT_DIRECT, 0},
		{"rate", "12.5", FACT_RATE, 12.5},
		{"over", "1h", FACT_OVER, 3600},
		{"over", "90", FACT_OVER, 90},
		{"latency", "150us", FACT_LATENCY, 150000},
		{"latency", "0", FACT_LATENCY, 0},
		{"weight", "0.5", FACT_WEIGHT, 0.5},
		{"min", "64MiB", FACT_MIN, 16384},
		{"max", "1000p", FACT_MAX, 1000},
		{"baseline", "1GiB", FACT_BASELINE, 262144},
		{"slower-ratio", "2%", FACT_SLOWER_RATIO, 0.02},
		{"slower-ratio", "0", FACT_SLOWER_RATIO, 0},
		{"slower-ratio", "1", FACT_SLOWER_RATIO, 1},
		{"slower-time", "5ms", FACT_SLOWER_TIME, 5},
		{"slower-time", "0", FACT_SLOWER_TIME, 0},
	};

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct plan_facts f = {0}, same = {0};

		assert_int_equal(
			plan_facts__set(&f, right[i].name, right[i].value, why, sizeof(why)), 0);
		assert_true(plan_facts__given(&f, right[i].fact));
		plan_facts__know(&same, right[i].fact, right[i].is);
		assert_memory_equal(&f, &same, sizeof(f));
		assert_int_equal(
			plan_facts__set(&f, right[i].name, right[i].value, why, sizeof(why)),
			-EEXIST);
	}
}

static void test_wrong_facts(void **state)
{
	static const char *const wrong[][2] = {
		{"memory", "4"},	{"memory", ""},		 {"memory", "-1p"},
		{"rate", "-1"},		{"rate", "1e3"},	 {"rate", "nan"},
		{"rate", ""},		{"over", "0"},		 {"over", "5x"},
		{"over", "100r"},	{"latency", "fast"},	 {"weight", "0"},
		{"weight", "inf"},	{"slower-ratio", "1.1"}, {"slower-ratio", "101%"},
		{"slower-ratio", "%"},	{"slower-ratio", "-1%"}, {"slower-time", "5x"},
		{"slower-time", "10r"},
	};
	struct plan_facts f = {0};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why[0] = 0;
		assert_int_equal(plan_facts__set(&f, wrong[i][0], wrong[i][1], why, sizeof(why)),
				 -EINVAL);
		assert_true(strstr(why, wrong[i][0]) == why);
		assert_int_equal(f.given, 0);
	}
	assert_int_equal(plan_facts__set(&f, "mem", "1GiB", why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "no 'mem'"));
}

static struct plan_facts facts_of(const char *name, const char *value, const char *name2,
				  const char *value2)
{
	struct plan_facts f = {0};

	assert_int_equal(plan_facts__set(&f, name, value, why, sizeof(why)), 0);
	assert_int_equal(plan_facts__set(&f, name2, value2, why, sizeof(why)), 0);
	return f;
}

/* What is there stays; a rate and how long the accesses took are the same thing. */
static void test_fill(void **state)
{
	struct plan_facts f = facts_of("rate", "10", "min", "1GiB");
	struct plan_facts more = facts_of("over", "1h", "min", "2GiB");
	struct plan_facts rest = facts_of("over", "2h", "latency", "1ms");

	plan_facts__fill(&f, &more);
	assert_false(plan_facts__given(&f, FACT_OVER));
	assert_int_equal(f.min, 262144);
	plan_facts__fill(&f, &rest);
	assert_false(plan_facts__given(&f, FACT_OVER));
	assert_true(f.latency == 1e6);
	plan_facts__fill(&more, &rest);
	assert_true(more.over == 3600);
	/* Both from one place: both are taken, the rate is used. */
	rest = facts_of("over", "2h", "rate", "7");
	f = (struct plan_facts){0};
	plan_facts__fill(&f, &rest);
	assert_true(f.over == 7200 && f.rate == 7);
}

/* --- words --- */

static void test_words(void **state)
{
	struct plan_options o = {0};

	assert_int_equal(plan_options__add_input(&o, "a=dir/x=y", false, why, sizeof(why)), 0);
	assert_string_equal(o.inputs[0].host, "a");
	assert_string_equal(o.inputs[0].path, "dir/x=y");
	assert_int_equal(plan_options__add_input(&o, "dir/x=y", true, why, sizeof(why)), 0);
	assert_null(o.inputs[1].host);
	assert_string_equal(o.inputs[1].path, "dir/x=y");
	assert_true(o.inputs[1].socket);
	assert_int_equal(plan_options__add_input(&o, "a=", false, why, sizeof(why)), -EINVAL);
	assert_int_equal(plan_options__add_memory(&o, "a=1GiB", why, sizeof(why)), 0);
	assert_int_equal(plan_options__add_memory(&o, "2GiB", why, sizeof(why)), 0);
	assert_int_equal(plan_options__add_memory(&o, "a=much", why, sizeof(why)), -EINVAL);
	assert_string_equal(o.memory[0].host, "a");
	assert_int_equal(o.memory[0].pages, 262144);
	assert_null(o.memory[1].host);
	assert_int_equal(
		plan_options__add_new(&o, "a,,b.csv,name=n,host=h,over=1h", why, sizeof(why)), 0);
	assert_string_equal(o.inputs[2].path, "a,b.csv");
	assert_string_equal(o.inputs[2].name, "n");
	assert_string_equal(o.inputs[2].host, "h");
	assert_true(o.inputs[2].fresh && o.inputs[2].facts.over == 3600);
	assert_int_equal(plan_options__add_vm(&o, "db,min=1GiB", why, sizeof(why)), 0);
	assert_string_equal(o.wishes[0].name, "db");
	assert_int_equal(plan_options__add_vm(&o, "min=1GiB", why, sizeof(why)), -EINVAL);
	assert_int_equal(plan_options__add_vm(&o, "db,min", why, sizeof(why)), -EINVAL);
	plan_options__free(&o);
}

/* --- the file --- */

static const char whole[] = "memory: 64GiB\n"
			    "granule: 16MiB\n"
			    "guess: yes\n"
			    "greedy: true\n"
			    "default: {latency: 100us, over: 1h}\n"
			    "hosts:\n"
			    "  - name: a\n"
			    "    memory: 32GiB\n"
			    "    inputs: [out-a, b/curve.csv]\n"
			    "    control: /c\n"
			    "vms:\n"
			    "  - {name: web, host: a, min: 1GiB}\n"
			    "  - {name: db, curve: db.csv, rate: 12.5}\n";

static void test_file(void **state)
{
	struct plan_options o = {0};

	assert_int_equal(plan_config__parse(&o, "f", whole, strlen(whole), why, sizeof(why)), 0);
	assert_int_equal(o.nr_memory, 2);
	assert_null(o.memory[0].host);
	assert_string_equal(o.memory[1].host, "a");
	assert_int_equal(o.granule, 4096);
	assert_true(o.guess && o.greedy && o.defaults.over == 3600);
	assert_int_equal(o.nr_inputs, 4);
	assert_string_equal(o.inputs[0].path, "out-a");
	assert_string_equal(o.inputs[1].host, "a");
	assert_true(o.inputs[2].socket && !strcmp(o.inputs[2].path, "/c"));
	assert_string_equal(o.inputs[3].name, "db");
	assert_true(o.inputs[3].facts.rate == 12.5);
	assert_int_equal(o.nr_wishes, 1);
	assert_string_equal(o.wishes[0].name, "web@a");
	plan_options__free(&o);
}

/* What options said stays. */
static void test_file_last(void **state)
{
	struct plan_options o = {.granule = 7};

	o.defaults = facts_of("latency", "1ms", "min", "1GiB");
	assert_int_equal(plan_config__parse(&o, "f", whole, strlen(whole), why, sizeof(why)), 0);
	assert_int_equal(o.granule, 7);
	assert_true(o.defaults.latency == 1e6 && o.defaults.over == 3600);
	plan_options__free(&o);
}

static void test_wrong_file(void **state)
{
	static const char *const wrong[][2] = {
		{"memory: much", "f:1: memory 'much' is not a size"},
		{"memory: [1GiB]", "f:1: memory is a list"},
		{"speed: 1", "f:1: a plan has no 'speed'"},
		{"vms:\n  - {min: 1GiB}", "f:2: a VM has no name"},
		{"vms:\n  - {name: a, mni: 1GiB}", "f:2: a VM has no 'mni'"},
		{"vms:\n  - name: a\n    min: x", "f:3: min 'x' is not a size"},
		{"vms:\n  - {name: ''}", "f:2: name is empty"},
		{"vms: x", "f:1: not a list"},
		{"hosts:\n  - {memory: 1GiB}", "f:2: a host has no name"},
		{"hosts:\n  - {name: a, size: 1GiB}", "f:2: a host has no 'size'"},
		{"hosts:\n  - {name: a, memory: 1}", "f:2: memory '1' is not a size"},
		{"guess: perhaps", "f:1: 'perhaps' is neither"},
		{"default: {min: 1GiB, min: 2GiB}", "f:1: min is there twice"},
		{"granule: 0", "f:1: granule '0' is not a size"},
		{"a: b: c", "f:1: not YAML"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct plan_options o = {0};

		why[0] = 0;
		assert_int_equal(plan_config__parse(&o, "f", wrong[i][0], strlen(wrong[i][0]), why,
						    sizeof(why)),
				 -EINVAL);
		if (strncmp(why, wrong[i][1], strlen(wrong[i][1])))
			assert_string_equal(why, wrong[i][1]);
		plan_options__free(&o);
	}
}

/* --- vms.csv --- */

static void test_vms_csv(void **state)
{
	char text[] = "vm,space,memory_bytes,direct_bytes,accesses_per_s,miss_latency_ns\n"
		      "a,disk,8192,4096,12.5,90000\r\n"
		      "\"b,\"\"c\",mem,,,,\n";
	char bad[] = "vm,space,memory_bytes,direct_bytes,accesses_per_s,miss_latency_ns\n"
		     "a,disk,8192,4096,12.5,90000\n"
		     "a,tape,,,,\n";
	struct csv_fault fault;
	struct vms_csv csv;

	assert_int_equal(vms_csv__parse(&csv, text, strlen(text), &fault), 0);
	assert_int_equal(csv.n, 2);
	assert_true(csv.rows[0].memory == 8192 && csv.rows[0].direct == 4096);
	assert_true(csv.rows[0].accesses == 12.5 && csv.rows[0].latency == 90000);
	assert_string_equal(csv.rows[1].vm, "b,\"c");
	assert_true(csv.rows[1].space == SPACE_MEM && isnan(csv.rows[1].memory) &&
		    isnan(csv.rows[1].latency));
	vms_csv__free(&csv);
	assert_int_equal(vms_csv__parse(&csv, bad, strlen(bad), &fault), -EINVAL);
	assert_int_equal(fault.line, 3);
	assert_int_equal(csv.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),	   cmocka_unit_test(test_wrong_facts),
		cmocka_unit_test(test_fill),	   cmocka_unit_test(test_words),
		cmocka_unit_test(test_file),	   cmocka_unit_test(test_file_last),
		cmocka_unit_test(test_wrong_file), cmocka_unit_test(test_vms_csv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
