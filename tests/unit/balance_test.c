// SPDX-License-Identifier: GPL-2.0
/* Who gets how much: examples, properties, and chunk by chunk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cache/minmax.h"
#include "../../cache/store/balance.h"
#include "random.h"

#define MAX_VMS 6
#define ALL (~0ULL)

struct example {
	const char *what;
	struct balance_vm vm[3];
	__u64 total, target[3];
};

static const struct example examples[] = {
	{"one that wants all gets all", {{.wants = ALL}}, 100, {100}},
	{"nobody gets more than it wants", {{.wants = 30}, {.wants = 10}}, 100, {30, 10}},
	{"nor more than its maximum", {{.max = 7, .wants = ALL}}, 100, {7}},
	{"no minimum that is not wanted", {{.min = 50, .wants = 20}, {.wants = ALL}}, 60, {20, 40}},
	{"nor one above the maximum",
	 {{.min = 50, .max = 10, .wants = ALL}, {.wants = ALL}},
	 60,
	 {10, 50}},
	{"equals share equally", {{.wants = ALL}, {.wants = ALL}}, 100, {50, 50}},
	{"the first gets the odd one", {{.wants = ALL}, {.wants = ALL}}, 101, {51, 50}},
	{"by shares", {{.share = 1, .wants = ALL}, {.share = 3, .wants = ALL}}, 100, {25, 75}},
	{"a share of nothing is one", {{.wants = ALL}, {.share = 3, .wants = ALL}}, 100, {25, 75}},
	{"above the minima, by shares",
	 {{.min = 40, .share = 1, .wants = ALL}, {.share = 2, .wants = ALL}},
	 100,
	 {60, 40}},
	{"what one leaves the others get",
	 {{.wants = 10}, {.share = 1, .wants = ALL}, {.share = 2, .wants = ALL}},
	 100,
	 {10, 30, 60}},
	{"minima shrink alike",
	 {{.min = 60, .wants = ALL}, {.min = 30, .share = 9, .wants = ALL}, {.wants = ALL}},
	 30,
	 {20, 10, 0}},
	{"nothing", {{.min = 5, .wants = ALL}, {.wants = ALL}}, 0, {0, 0}},
	{"nobody wants any", {{.min = 5}, {.share = 4}}, 100, {0, 0}},
};

static void test_examples(void **state)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct example e = examples[i];

		balance__targets(e.vm, 3, e.total);
		for (int k = 0; k < 3; k++)
			if (e.vm[k].target != e.target[k])
				fail_msg("%s: VM %d gets %llu, not %llu", e.what, k, e.vm[k].target,
					 e.target[k]);
	}
	balance__targets(NULL, 0, 10);
}

/* --- chunk by chunk --- */

static __u64 wish(const struct balance_vm *vm)
{
	return smaller(vm->wants, vm->max ?: ALL);
}

static __u64 least(const struct balance_vm *vm)
{
	return smaller(vm->min, wish(vm));
}

/* Who has least for its weight when it had one more; the first of those. */
static int neediest(const __u64 *has, const __u64 *most, const __u64 *weight, size_t n)
{
	int best = -1;

	for (size_t i = 0; i < n; i++)
		if (has[i] < most[i] &&
		    (best < 0 || (has[i] + 1) * weight[best] < (has[best] + 1) * weight[i]))
			best = i;
	return best;
}

static void by_chunks(struct balance_vm *vm, size_t n, __u64 total)
{
	__u64 has[MAX_VMS] = {0}, most[MAX_VMS], weight[MAX_VMS], minima = 0;
	bool scarce;
	int i;

	for (size_t k = 0; k < n; k++)
		minima += least(&vm[k]);
	scarce = minima >= total;
	for (size_t k = 0; k < n; k++) {
		most[k] = scarce ? least(&vm[k]) : wish(&vm[k]) - least(&vm[k]);
		weight[k] = scarce ? least(&vm[k]) : vm[k].share ?: 1;
		vm[k].target = scarce ? 0 : least(&vm[k]);
	}
	total -= scarce ? 0 : minima;
	while (total-- && (i = neediest(has, most, weight, n)) >= 0) {
		has[i]++;
		vm[i].target++;
	}
}

static struct balance_vm any_vm(struct random *r, __u64 scale)
{
	return (struct balance_vm){
		.min = random__one_in(r, 2) ? random__below(r, scale) : 0,
		.max = random__one_in(r, 2) ? random__below(r, 2 * scale) : 0,
		.share = random__one_in(r, 4) ? random__below(r, 1000) : random__below(r, 4),
		.wants = random__one_in(r, 2) ? ALL : random__below(r, 2 * scale),
	};
}

static void test_by_chunks(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 20000; i++) {
		struct balance_vm a[MAX_VMS], b[MAX_VMS];
		size_t n = random__below(&r, MAX_VMS + 1);
		__u64 scale = 1 + random__below(&r, 40), total = random__below(&r, 4 * scale);

		for (size_t k = 0; k < n; k++)
			a[k] = b[k] = any_vm(&r, scale);
		balance__targets(a, n, total);
		by_chunks(b, n, total);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(a[k].target, b[k].target);
	}
}

/* --- properties --- */

static void check(const struct balance_vm *vm, size_t n, __u64 total)
{
	unsigned __int128 sum = 0, wishes = 0, minima = 0;

	for (size_t i = 0; i < n; i++) {
		assert_true(vm[i].target <= wish(&vm[i]));
		sum += vm[i].target;
		wishes += wish(&vm[i]);
		minima += least(&vm[i]);
	}
	/* All of it is handed out, if anybody wants it. */
	assert_true(sum == (wishes < total ? wishes : total));
	for (size_t i = 0; i < n && minima <= total; i++)
		assert_true(vm[i].target >= least(&vm[i]));
}

/* More to hand out makes nobody poorer. */
static void test_monotone(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 500; i++) {
		struct balance_vm vm[MAX_VMS];
		size_t n = 1 + random__below(&r, MAX_VMS);
		__u64 scale = 1 + random__below(&r, 60), before[MAX_VMS] = {0};

		for (size_t k = 0; k < n; k++)
			vm[k] = any_vm(&r, scale);
		for (__u64 total = 0; total < 4 * scale; total++) {
			balance__targets(vm, n, total);
			check(vm, n, total);
			for (size_t k = 0; k < n; k++) {
				assert_true(vm[k].target >= before[k]);
				before[k] = vm[k].target;
			}
		}
	}
}

/* As large as numbers get. */
static void test_large(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 20000; i++) {
		struct balance_vm vm[MAX_VMS];
		size_t n = 1 + random__below(&r, MAX_VMS);
		__u64 total = random__next(&r) >> random__below(&r, 64);

		for (size_t k = 0; k < n; k++) {
			vm[k].min = random__next(&r) >> random__below(&r, 64);
			vm[k].max = random__next(&r) >> random__below(&r, 64);
			vm[k].share = random__next(&r) >> random__below(&r, 64);
			vm[k].wants = random__one_in(&r, 2) ? ALL : random__next(&r);
		}
		balance__targets(vm, n, total);
		check(vm, n, total);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_by_chunks),
		cmocka_unit_test(test_monotone),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
