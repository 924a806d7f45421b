// SPDX-License-Identifier: GPL-2.0
/* The sampling policy: lowered when the load asks for it, never more, never back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../bpf/page_event.h"
#include "../../cli/sampling.h"

static void one_in(void **state)
{
	static const __u64 some[] = {1, 2, 3, 7, 10, 64, 100, 4095, 1 << 20, 999999937};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		struct sampling s;

		sampling__init(&s, some[i], 0);
		assert_int_equal(sampling__one_in(s.threshold), some[i]);
	}
	/* What halving leaves. */
	for (int shift = 0; shift <= 20; shift++)
		assert_int_equal(sampling__one_in(PE_SAMPLE_ALL >> shift), 1ULL << shift);
}

static void fixed_stays(void **state)
{
	struct sampling s;
	struct sampling_load l = {.now = 1,
				  .events = 1ULL << 40,
				  .dropped = 9,
				  .frames = 1 << 30,
				  .guest_pages = 1ULL << 40,
				  .tracked = 10,
				  .max_pages = 10};

	sampling__init(&s, 1, 0);
	assert_null(sampling__update(&s, &l));
	assert_int_equal(s.threshold, PE_SAMPLE_ALL);
}

static void quiet_host_stays(void **state)
{
	struct sampling s;

	sampling__init(&s, 0, 0);
	for (int tick = 1; tick < 1000; tick++) {
		struct sampling_load l = {.now = tick * 0.05,
					  .events = tick * SAMPLING_BUDGET / 20,
					  .frames = tick,
					  .guest_pages = SAMPLING_FRAMES,
					  .tracked = 900,
					  .max_pages = 1000};

		assert_null(sampling__update(&s, &l));
	}
	assert_int_equal(s.threshold, PE_SAMPLE_ALL);
}

/* 16 Mi frames of a guest, 1 Mi followed: at once, not after a window. */
static void guest_memory(void **state)
{
	struct sampling_load l = {.now = 0.05, .guest_pages = 16ULL << 20};
	struct sampling s;

	sampling__init(&s, 0, 0);
	assert_non_null(sampling__update(&s, &l));
	assert_int_equal(sampling__one_in(s.threshold), 16);
	l.now = 0.10;
	assert_null(sampling__update(&s, &l));
	/* A VM ended: there is no way back up. */
	l.now = 5;
	l.guest_pages = 0;
	assert_null(sampling__update(&s, &l));
	assert_int_equal(sampling__one_in(s.threshold), 16);
}

/* A load that follows the sampling rate comes to rest within the budget. */
static void event_rate(void **state)
{
	double events = 0, per_s = 3.5 * SAMPLING_BUDGET;
	struct sampling s;

	sampling__init(&s, 0, 0);
	for (int tick = 1; tick <= 200; tick++) {
		struct sampling_load l = {.now = tick * 0.05};

		events += 0.05 * per_s / sampling__one_in(s.threshold);
		l.events = events;
		sampling__update(&s, &l);
		/* The window is waited for. */
		if (l.now < SAMPLING_WINDOW - 0.01)
			assert_int_equal(s.threshold, PE_SAMPLE_ALL);
	}
	assert_int_equal(sampling__one_in(s.threshold), 4);
}

/* Far too many events: the window is not waited for, but a moment is. */
static void flood(void **state)
{
	double per_s = 20 * SAMPLING_BUDGET;
	struct sampling_load l = {.now = 0.05, .events = 0.05 * per_s};
	struct sampling s;

	sampling__init(&s, 0, 0);
	assert_null(sampling__update(&s, &l));
	l = (struct sampling_load){.now = 0.11, .events = 0.11 * per_s};
	assert_non_null(sampling__update(&s, &l));
	assert_int_equal(sampling__one_in(s.threshold), 32);
}

static void frames(void **state)
{
	struct sampling s;

	/* A small host can have all its pages followed, a large one what there is room for. */
	sampling__init(&s, 0, 0);
	assert_in_range(sampling__frames(&s, 100000), 100000, 200000);
	assert_int_equal(sampling__frames(&s, 1ULL << 30), SAMPLING_FRAMES);
	sampling__init(&s, 64, 0);
	assert_in_range(sampling__frames(&s, 6400000), 100000, 200000);
	assert_int_equal(sampling__frames(&s, 1ULL << 30), SAMPLING_FRAMES);
	sampling__init(&s, 1 << 20, 0);
	assert_in_range(sampling__frames(&s, 1000), 100, 10000);
}

static void drops(void **state)
{
	struct sampling_load l = {.now = 1.1, .events = 100, .dropped = 1};
	struct sampling s;

	sampling__init(&s, 0, 0);
	assert_non_null(sampling__update(&s, &l));
	assert_int_equal(sampling__one_in(s.threshold), 2);
	/* The same drop is not held against it twice. */
	l.now = 2.2;
	assert_null(sampling__update(&s, &l));
}

static void frame_map(void **state)
{
	struct sampling_load l = {.now = 1.1, .events = 10000, .frames = 300};
	struct sampling s;

	sampling__init(&s, 0, 0);
	assert_non_null(sampling__update(&s, &l));
	assert_int_equal(sampling__one_in(s.threshold), 2);
}

static void max_pages(void **state)
{
	struct sampling_load l = {.now = 0.1, .tracked = 1000, .max_pages = 1000};
	struct sampling s;

	sampling__init(&s, 0, 0);
	assert_non_null(sampling__update(&s, &l));
	l.now = 0.2;
	l.tracked = 500;
	assert_null(sampling__update(&s, &l));
	assert_int_equal(sampling__one_in(s.threshold), 2);
	/* No bound: nothing to reach. */
	l.max_pages = 0;
	l.tracked = 1ULL << 40;
	assert_null(sampling__update(&s, &l));
}

/* However wild the load, something is left to see. */
static void floor_holds(void **state)
{
	struct sampling s;

	sampling__init(&s, 0, 0);
	for (int i = 1; i < 100; i++) {
		struct sampling_load l = {.now = i, .events = i * (1ULL << 50), .dropped = i};

		sampling__update(&s, &l);
	}
	assert_int_equal(sampling__one_in(s.threshold), 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_in),	    cmocka_unit_test(fixed_stays),
		cmocka_unit_test(quiet_host_stays), cmocka_unit_test(guest_memory),
		cmocka_unit_test(event_rate),	    cmocka_unit_test(flood),
		cmocka_unit_test(frames),	    cmocka_unit_test(drops),
		cmocka_unit_test(frame_map),	    cmocka_unit_test(max_pages),
		cmocka_unit_test(floor_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
