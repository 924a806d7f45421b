// SPDX-License-Identifier: GPL-2.0
/* What a VM is promised with a step down: a trial, what is known, and never more than it may lose.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../cli/balance.h"

#define NOW 1000 /* pages */

/* Nothing is traced here: unit tests do without a BPF object. */
bool balance_trace__counts(struct balance_trace *t, pid_t pid, bool mem, struct sight_counts *out)
{
	return false;
}

int balance_trace__curve(struct balance_trace *t, pid_t pid, bool mem, struct curve_point **points,
			 size_t *n)
{
	return -ENOENT;
}

struct world {
	struct balance_options options;
	struct balance_spec spec;
	struct balance_vm vm;
	struct balance b;
};

/* 10 misses a second of 1 ms each. A trial, 5 ms/s for each 100 pages, is 5 misses a second. */
static int set_up(void **state)
{
	static struct world w;
	const struct stepper_opts opts = {
		.sz = sizeof(opts), .budget = NOW, .step = 100, .window = 1};
	const struct stepper_seen seen = {.now = NOW, .max = NOW, .misses = 10, .seconds = 1};

	w = (struct world){
		.spec = {.name = "a", .weight = 1, .loss = -1},
		.vm = {.spec = &w.spec, .baseline = NOW, .state.now = NOW, .recent_seconds = 10},
		.b = {.o = &w.options, .vms = &w.vm, .n = 1, .step = 100, .granule = 10},
	};
	balance_options__init(&w.options);
	w.vm.recent = (struct sight_counts){.accesses = 100, .misses = 100, .ns = 100 * 1e6};
	w.vm.losses = losses__new(10, 60);
	w.b.stepper = stepper__new(&opts, 1, balance__promise, &w.b);
	assert_non_null(w.b.stepper);
	stepper__look(w.b.stepper, 0, &seen, 0);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	stepper__free(w->b.stepper);
	balance_vm__free(&w->vm);
	balance_options__free(&w->options);
	return 0;
}

static void promises(struct world *w, __u64 pages, double misses)
{
	assert_true(fabs(balance__promise(&w->b, 0, pages) - misses) < 1e-6);
}

/* As of the curve: a loop over 950 pages, beside what misses anyway. */
static double loop(void *ctx, __u64 pages)
{
	return pages < 950 ? 40 : 10;
}

static void trials(void **state)
{
	promises(*state, 900, 10 + 5);
	promises(*state, 800, 10 + 10);
}

static void what_is_known(void **state)
{
	struct world *w = *state;

	losses__see(w->vm.losses, 900, NOW, loop, NULL, 0);
	promises(w, 900, 10 + 30);
	promises(w, 800, 10 + 30 + 5);
	/* A trial at least. */
	promises(w, 950, 10 + 5);
}

/* What it missed in the last second, where that is less. */
static void of_late(void **state)
{
	const struct stepper_seen seen = {.now = NOW, .max = NOW, .misses = 4, .seconds = 1};
	struct world *w = *state;

	stepper__look(w->b.stepper, 0, &seen, 1);
	promises(w, 900, 4 + 5);
}

static void bounded(void **state)
{
	const struct curve_point point = {.misses = 1, .accesses = 1};
	const struct appetite_opts opts = {.sz = sizeof(opts),
					   .points = &point,
					   .n = 1,
					   .direct = NOW,
					   .accesses = 10,
					   .latency = 1e6,
					   .weight = 1};
	struct world *w = *state;

	assert_int_equal(appetite__new(&w->vm.appetite, &opts), 0);
	losses__see(w->vm.losses, 900, NOW, loop, NULL, 0);
	w->spec.loss = 50;
	promises(w, 900, 10 + 30);
	w->spec.loss = 20;
	promises(w, 900, 10 + 20);
	w->spec.loss = 0;
	promises(w, 900, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(trials, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
