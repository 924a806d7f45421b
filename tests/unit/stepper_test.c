// SPDX-License-Identifier: GPL-2.0
/* Steps towards a plan: bounded, with memory taken before it is given; the guard; guests that do
 * not follow; and what must hold whatever guests do. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/plan/stepper.h"
#include "random.h"

#define VMS 4

static const struct stepper_opts defaults = {
	.sz = sizeof(struct stepper_opts),
	.budget = 400,
	.step = 16,
	.settle = 5,
	.window = 1,
	.patience = 10,
	.freeze = 60,
	.floor = 30,
	.slack = 0.5,
	.margin = 0.1,
	.least_gain = 1,
};

/* Guests that do what they are told, and miss so much a second. */
struct world {
	struct stepper *s;
	double time;
	struct stepper_seen seen[VMS];
	double rate[VMS], promise[VMS];
};

static double promise(void *ctx, size_t vm, __u64 pages)
{
	return ((struct world *)ctx)->promise[vm];
}

static void set_up(struct world *w, size_t n, const struct stepper_opts *o)
{
	*w = (struct world){.time = 1000};
	for (size_t i = 0; i < n; i++) {
		w->seen[i] = (struct stepper_seen){.now = 100, .min = 20, .max = 300};
		w->promise[i] = 100;
	}
	w->s = stepper__new(o, n, promise, w);
	assert_non_null(w->s);
}

static void pass(struct world *w, size_t n, double seconds)
{
	w->time += seconds;
	for (size_t i = 0; i < n; i++) {
		w->seen[i].seconds = seconds;
		w->seen[i].misses = w->rate[i] * seconds;
		stepper__look(w->s, i, &w->seen[i], w->time);
	}
}

/* Two that are known, and a plan for them. */
static void aim_two(struct world *w, __u64 budget, __u64 first, __u64 second)
{
	struct stepper_opts o = defaults;

	o.budget = budget;
	set_up(w, 2, &o);
	pass(w, 2, 1);
	assert_true(stepper__aim(w->s, (__u64[]){first, second}, 10, 20));
}

/* The next step is this one; it is carried out, and the guest follows at once. */
static void expect(struct world *w, enum step_kind kind, size_t vm, __u64 to)
{
	struct step step;

	assert_true(stepper__next(w->s, w->time, &step));
	assert_int_equal(step.kind, kind);
	assert_int_equal(step.vm, vm);
	assert_int_equal(step.to, to);
	stepper__done(w->s, &step, STEP_DONE, w->time);
	w->seen[vm].now = to;
}

static void expect_none(struct world *w)
{
	struct step step;

	assert_false(stepper__next(w->s, w->time, &step));
}

/* From VM 0 to VM 1: taken first, and given when it was seen to be there. */
static void moves(void **state)
{
	struct world w;

	aim_two(&w, 200, 70, 130);
	expect(&w, STEP_TAKE, 0, 84);
	/* The guest has not given it yet. */
	expect_none(&w);
	pass(&w, 2, 1);
	expect(&w, STEP_GIVE, 1, 116);
	pass(&w, 2, 1);
	/* What the first take did is to be seen first. */
	expect_none(&w);
	pass(&w, 2, 4);
	expect(&w, STEP_TAKE, 0, 70);
	pass(&w, 2, 1);
	expect(&w, STEP_GIVE, 1, 130);
	pass(&w, 2, 10);
	expect_none(&w);
	assert_int_equal(stepper__held(w.s), 200);
	stepper__free(w.s);
}

static void slow_guest(void **state)
{
	struct step step;
	struct world w;

	aim_two(&w, 200, 68, 132);
	assert_true(stepper__next(w.s, w.time, &step));
	stepper__done(w.s, &step, STEP_DONE, w.time);
	/* A page a second: slow, but it comes. No more is asked for until it is there. */
	for (int i = 0; i < 14; i++) {
		w.seen[0].now -= i % 3 == 2 ? 3 : 0;
		pass(&w, 2, 1);
		while (stepper__next(w.s, w.time, &step))
			expect(&w, STEP_GIVE, 1, step.to);
	}
	w.seen[0].now = 84;
	pass(&w, 2, 1);
	expect(&w, STEP_GIVE, 1, 116);
	stepper__free(w.s);
}

/* A guest that ignores its balloon: its memory is not counted on, and nobody asks it for a while.
 */
static void deaf_guest(void **state)
{
	struct stepper_vm vm;
	struct step step;
	struct world w;
	__u64 least, most;

	aim_two(&w, 200, 84, 116);
	w.time += 5;
	assert_true(stepper__next(w.s, w.time, &step));
	stepper__done(w.s, &step, STEP_DONE, w.time);
	for (int i = 0; i < 9; i++) {
		pass(&w, 2, 1);
		expect_none(&w);
	}
	pass(&w, 2, 1);
	expect(&w, STEP_RELEASE, 0, 100);
	stepper__vm(w.s, 0, w.time, &vm);
	assert_true(vm.frozen);
	stepper__bounds(w.s, 0, w.time, &least, &most);
	assert_int_equal(least, 100);
	assert_int_equal(most, 100);
	stepper__aim(w.s, (__u64[]){84, 116}, 10, 20);
	pass(&w, 2, 50);
	expect_none(&w);
	pass(&w, 2, 10);
	expect(&w, STEP_TAKE, 0, 84);
	stepper__free(w.s);
}

static void refused(void **state)
{
	struct step step;
	struct world w;

	aim_two(&w, defaults.budget, 84, 116);
	assert_true(stepper__next(w.s, w.time, &step));
	assert_int_equal(step.kind, STEP_GIVE);
	stepper__done(w.s, &step, STEP_FAILED, w.time);
	expect(&w, STEP_TAKE, 0, 84);
	pass(&w, 2, 1);
	/* What VM 1 refused it is not asked again, whatever is planned, for a while. */
	expect_none(&w);
	assert_int_equal(stepper__held(w.s), 184);
	stepper__aim(w.s, (__u64[]){84, 116}, 10, 20);
	pass(&w, 2, 58);
	expect_none(&w);
	pass(&w, 2, 1);
	expect(&w, STEP_GIVE, 1, 116);
	stepper__free(w.s);
}

/* What a VM that is not to be reached was told and seen to hold counts on. */
static void unreachable(void **state)
{
	struct world w;

	aim_two(&w, 200, 84, 116);
	stepper__lose(w.s, 0);
	expect_none(&w);
	assert_int_equal(stepper__held(w.s), 200);
	w.seen[0].now = 100;
	pass(&w, 2, 1);
	expect(&w, STEP_TAKE, 0, 84);
	stepper__free(w.s);
}

/* Two takes that held their promise, one that does not. */
static void guard(void **state)
{
	struct stepper_vm vm;
	struct world w;
	__u64 least, most;

	aim_two(&w, 200, 40, 160);
	for (int i = 1; i <= 2; i++) {
		expect(&w, STEP_TAKE, 0, 100 - 16 * i);
		pass(&w, 2, 1);
		expect(&w, STEP_GIVE, 1, 100 + 16 * i);
		pass(&w, 2, 5);
	}
	expect(&w, STEP_TAKE, 0, 52);
	w.rate[0] = 1000;
	/* Ten times as many as promised: VM 1 does not get it. */
	pass(&w, 2, 1);
	expect(&w, STEP_GUARD, 0, 68);
	stepper__bounds(w.s, 0, w.time, &least, &most);
	assert_int_equal(least, 68);
	/* It still misses more than was promised for 68, and gets all back, from VM 1. */
	pass(&w, 2, 4);
	expect_none(&w);
	pass(&w, 2, 1);
	pass(&w, 2, 1);
	expect(&w, STEP_RECLAIM, 1, 100);
	pass(&w, 2, 0.5);
	expect(&w, STEP_GUARD, 0, 100);
	stepper__vm(w.s, 0, w.time, &vm);
	assert_true(isinf(vm.promised));
	assert_int_equal(vm.floor, 100);
	assert_int_equal(vm.aim, 100);
	pass(&w, 2, 10);
	expect_none(&w);
	pass(&w, 2, 20);
	stepper__bounds(w.s, 0, w.time, &least, &most);
	assert_int_equal(least, 20);
	stepper__free(w.s);
}

/* Who has back what it began with was promised nothing; and nothing is taken right after that. */
static void given_back_by_the_plan(void **state)
{
	struct world w;

	set_up(&w, 1, &defaults);
	pass(&w, 1, 1);
	stepper__aim(w.s, (__u64[]){84}, 10, 20);
	expect(&w, STEP_TAKE, 0, 84);
	pass(&w, 1, 6);
	stepper__aim(w.s, (__u64[]){100}, 10, 20);
	expect(&w, STEP_GIVE, 0, 100);
	w.rate[0] = 1000;
	pass(&w, 1, 1);
	stepper__aim(w.s, (__u64[]){84}, 10, 20);
	pass(&w, 1, 3);
	expect_none(&w);
	pass(&w, 1, 1);
	expect(&w, STEP_TAKE, 0, 84);
	stepper__free(w.s);
}

static void guard_with_spare_memory(void **state)
{
	struct world w;

	aim_two(&w, defaults.budget, 84, 100);
	expect(&w, STEP_TAKE, 0, 84);
	/* Half as many again are within the slack, three roots are chance, and some are nothing. */
	w.rate[0] = 100 + 50 + 3 * 10 + 16;
	for (int i = 0; i < 20; i++)
		pass(&w, 2, 1);
	expect_none(&w);
	w.rate[0]++;
	pass(&w, 2, 1);
	expect(&w, STEP_GUARD, 0, 100);
	stepper__free(w.s);
}

/* The guard of a VM that had been given more than it began with: what is not there is not owed. */
static void guard_without_memory(void **state)
{
	struct world w;

	aim_two(&w, 216, 116, 100);
	expect(&w, STEP_GIVE, 0, 116);
	pass(&w, 2, 6);
	stepper__aim(w.s, (__u64[]){100, 100}, 10, 20);
	expect(&w, STEP_TAKE, 0, 100);
	/* Somebody else gives VM 1 more. */
	w.seen[1].now = 116;
	w.rate[0] = 1000;
	for (int i = 0; i < 10; i++)
		pass(&w, 2, 1);
	expect(&w, STEP_RELEASE, 1, 116);
	expect(&w, STEP_GUARD, 0, 100);
	pass(&w, 2, 1);
	expect_none(&w);
	stepper__free(w.s);
}

/* What is taken for the guard's sake does not hurt either: it comes in pieces. */
static void reclaims_what_is_spared(void **state)
{
	struct world w;

	aim_two(&w, 200, 84, 116);
	expect(&w, STEP_TAKE, 0, 84);
	pass(&w, 2, 0.5);
	expect(&w, STEP_GIVE, 1, 116);
	w.rate[0] = 1000;
	w.seen[1].least = 108;
	pass(&w, 2, 1);
	expect(&w, STEP_RECLAIM, 1, 108);
	expect_none(&w);
	w.seen[1].least = 104;
	pass(&w, 2, 0.5);
	expect(&w, STEP_GUARD, 0, 92);
	expect(&w, STEP_RECLAIM, 1, 104);
	pass(&w, 2, 0.5);
	expect(&w, STEP_GUARD, 0, 96);
	/* There is no more, for now. */
	expect(&w, STEP_GUARD, 0, 96);
	expect_none(&w);
	stepper__free(w.s);
}

static void hysteresis(void **state)
{
	struct world w;

	set_up(&w, 2, &defaults);
	pass(&w, 2, 1);
	assert_false(stepper__aim(w.s, (__u64[]){84, 116}, 19, 20));
	assert_false(stepper__aim(w.s, (__u64[]){84, 116}, 0, 0.5));
	assert_false(stepper__aim(w.s, (__u64[]){84, 116}, 20, 20));
	expect_none(&w);
	assert_true(stepper__aim(w.s, (__u64[]){84, 116}, 17, 20));
	/* A plan that is not worth it any more ends what is not done yet. */
	assert_false(stepper__aim(w.s, (__u64[]){84, 116}, 20, 20));
	expect_none(&w);
	/* But for bounds that are not kept, and a budget. */
	w.seen[0].min = 120;
	pass(&w, 2, 1);
	assert_true(stepper__aim(w.s, (__u64[]){120, 100}, 20, 20));
	expect(&w, STEP_GIVE, 0, 116);
	w.seen[0].min = 20;
	pass(&w, 2, 1);
	assert_false(stepper__aim(w.s, (__u64[]){84, 100}, 20, 20));
	stepper__set_budget(w.s, 200);
	assert_true(stepper__aim(w.s, (__u64[]){84, 100}, 20, 20));
	stepper__free(w.s);
}

static void bounds(void **state)
{
	__u64 least, most;
	struct world w;

	set_up(&w, 1, &defaults);
	stepper__bounds(w.s, 0, w.time, &least, &most);
	assert_int_equal(least, most);
	w.seen[0].least = 90;
	pass(&w, 1, 1);
	stepper__bounds(w.s, 0, w.time, &least, &most);
	assert_int_equal(least, 20);
	assert_int_equal(most, 300);
	stepper__aim(w.s, (__u64[]){20}, 0, 20);
	expect(&w, STEP_TAKE, 0, 90);
	w.seen[0].least = 500;
	pass(&w, 1, 10);
	expect_none(&w);
	w.seen[0].least = 0;
	pass(&w, 1, 10);
	expect(&w, STEP_TAKE, 0, 74);
	stepper__free(w.s);
}

static void dry_run(void **state)
{
	struct step step;
	struct world w;

	aim_two(&w, defaults.budget, 84, 100);
	assert_true(stepper__next(w.s, w.time, &step));
	stepper__done(w.s, &step, STEP_LEFT, w.time);
	expect_none(&w);
	pass(&w, 2, 5);
	assert_true(stepper__next(w.s, w.time, &step));
	assert_int_equal(step.from, 100);
	stepper__free(w.s);
}

static void wrong(void **state)
{
	struct stepper_opts o = defaults;

	o.step = 0;
	assert_null(stepper__new(&o, 1, promise, NULL));
	assert_int_equal(errno, EINVAL);
	assert_null(stepper__new(&defaults, 0, promise, NULL));
}

/* --- whatever guests do --- */

/* A guest with a working set, that follows at its own pace, or not at all for a time. */
struct guest {
	__u64 set, told;
	unsigned pace, deaf;
};

static void live(struct world *w, struct guest *g, size_t i, struct random *r)
{
	struct stepper_seen *seen = &w->seen[i];

	if (random__one_in(r, 200))
		g->set = 20 + random__below(r, 150);
	if (random__one_in(r, 100))
		g->deaf = random__below(r, 30);
	if (g->deaf)
		g->deaf--;
	else if (seen->now < g->told)
		seen->now += g->pace < g->told - seen->now ? g->pace : g->told - seen->now;
	else
		seen->now -= g->pace < seen->now - g->told ? g->pace : seen->now - g->told;
	w->rate[i] = seen->now < g->set ? 1000 : random__below(r, 20);
	seen->least = random__one_in(r, 3) ? seen->now - random__below(r, 20) : 0;
}

static void check_step(struct world *w, const struct step *step, const struct stepper_opts *o)
{
	const struct stepper_seen *seen = &w->seen[step->vm];
	struct stepper_vm vm;

	stepper__vm(w->s, step->vm, w->time, &vm);
	assert_int_equal(step->from, vm.target);
	assert_false(vm.frozen);
	switch (step->kind) {
	case STEP_TAKE:
		assert_true(step->to < step->from && step->from - step->to <= o->step);
		assert_true(step->to >= seen->min && step->to >= vm.floor);
		assert_true(step->to >= seen->least || seen->least >= step->from);
		break;
	case STEP_GIVE:
		assert_true(step->to > step->from && step->to - step->from <= o->step);
		assert_true(step->to <= seen->max);
		break;
	case STEP_GUARD:
		assert_true(step->to >= step->from);
		assert_true(step->observed > step->promised || step->to > step->from);
		break;
	case STEP_RECLAIM:
		assert_true(step->to < step->from && step->to >= vm.start);
		assert_true(step->to >= seen->min && step->to >= seen->least);
		break;
	case STEP_RELEASE:
		assert_int_equal(step->to, seen->now);
	}
}

static void plan_at_random(struct world *w, struct random *r, const struct stepper_opts *o)
{
	__u64 pages[VMS], left = o->budget;

	for (size_t i = 0; i < VMS; i++) {
		__u64 least, most;

		stepper__bounds(w->s, i, w->time, &least, &most);
		pages[i] = least;
		left -= least < left ? least : left;
	}
	for (size_t i = 0; i < VMS; i++) {
		__u64 least, most, more;

		stepper__bounds(w->s, i, w->time, &least, &most);
		more = random__below(r, (left < most - least ? left : most - least) + 1);
		pages[i] += more;
		left -= more;
	}
	stepper__aim(w->s, pages, random__below(r, 100), random__below(r, 100));
}

static void act(struct world *w, struct guest *guests, struct random *r,
		const struct stepper_opts *o)
{
	struct step step;

	for (int steps = 0; stepper__next(w->s, w->time, &step); steps++) {
		__u64 before = stepper__held(w->s);
		bool fails = random__one_in(r, 50);

		/* There is an end. */
		assert_true(steps < 10 * VMS);
		check_step(w, &step, o);
		stepper__done(w->s, &step, fails ? STEP_FAILED : STEP_DONE, w->time);
		if (!fails)
			guests[step.vm].told = step.to;
		/* What all hold grows up to the budget only. */
		assert_true(stepper__held(w->s) <= before || stepper__held(w->s) <= o->budget);
	}
}

static void whatever(void **state)
{
	struct random r = {random__seed()};

	for (int run = 0; run < 300; run++) {
		struct stepper_opts o = defaults;
		struct guest guests[VMS];
		struct world w;

		o.step = 1 + random__below(&r, 40);
		o.budget = 350 + random__below(&r, 100);
		set_up(&w, VMS, &o);
		for (size_t i = 0; i < VMS; i++)
			guests[i] = (struct guest){.set = 50, .told = 100, .pace = 1 + i * 8};
		for (int t = 0; t < 300; t++) {
			for (size_t i = 0; i < VMS; i++)
				live(&w, &guests[i], i, &r);
			pass(&w, VMS, 0.5);
			if (random__one_in(&r, 40))
				stepper__lose(w.s, random__below(&r, VMS));
			if (t % 4 == 0)
				plan_at_random(&w, &r, &o);
			act(&w, guests, &r, &o);
		}
		stepper__free(w.s);
	}
}

/* A guest that misses what was promised never waits for longer than a window and a look. */
static void guard_is_prompt(void **state)
{
	struct random r = {random__seed()};

	for (int run = 0; run < 200; run++) {
		struct stepper_opts o = defaults;
		__u64 set = 30 + random__below(&r, 60);
		struct world w;
		int broken = 0;

		o.budget = 200;
		o.step = 1 + random__below(&r, 30);
		set_up(&w, 2, &o);
		pass(&w, 2, 0.5);
		for (int t = 0; t < 200; t++) {
			struct step step;

			stepper__aim(w.s, (__u64[]){20, 180}, 10, 20);
			while (stepper__next(w.s, w.time, &step)) {
				stepper__done(w.s, &step, STEP_DONE, w.time);
				w.seen[step.vm].now = step.to;
			}
			w.rate[0] = w.seen[0].now < set ? 1000 : 0;
			broken = w.seen[0].now < set ? broken + 1 : 0;
			/* Two looks a window, one more for the memory to come back. */
			assert_true(broken <= 4);
			pass(&w, 2, 0.5);
		}
		stepper__free(w.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves),
		cmocka_unit_test(slow_guest),
		cmocka_unit_test(deaf_guest),
		cmocka_unit_test(refused),
		cmocka_unit_test(unreachable),
		cmocka_unit_test(guard),
		cmocka_unit_test(given_back_by_the_plan),
		cmocka_unit_test(guard_with_spare_memory),
		cmocka_unit_test(guard_without_memory),
		cmocka_unit_test(reclaims_what_is_spared),
		cmocka_unit_test(hysteresis),
		cmocka_unit_test(bounds),
		cmocka_unit_test(dry_run),
		cmocka_unit_test(wrong),
		cmocka_unit_test(whatever),
		cmocka_unit_test(guard_is_prompt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
