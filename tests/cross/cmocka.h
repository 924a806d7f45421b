/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of cmocka's interface as the unit tests of cache/ and analysis/ use, for targets that it
 * is not packaged for: they are built against this then, for one program each.
 */
#ifndef TESTS_CROSS_CMOCKA_H
#define TESTS_CROSS_CMOCKA_H

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
	int (*setup)(void **state), (*teardown)(void **state);
};

#define cmocka_unit_test(f) cmocka_unit_test_setup_teardown(f, NULL, NULL)
#define cmocka_unit_test_setup(f, up) cmocka_unit_test_setup_teardown(f, up, NULL)
#define cmocka_unit_test_teardown(f, down) cmocka_unit_test_setup_teardown(f, NULL, down)
#define cmocka_unit_test_setup_teardown(f, up, down)                                               \
	{                                                                                          \
#f, f, up, down                                                                    \
	}
#define cmocka_run_group_tests(tests, up, down)                                                    \
	cross__run(tests, sizeof(tests) / sizeof((tests)[0]), up, down)

enum cross_end { CROSS_RUNS, CROSS_FAILED, CROSS_SKIPPED };

static jmp_buf cross_out;

static inline _Noreturn void cross__leave(enum cross_end how)
{
	longjmp(cross_out, how);
}

#define print_error(...) printf(__VA_ARGS__)
#define print_message(...) printf(__VA_ARGS__)
#define skip() cross__leave(CROSS_SKIPPED)
#define fail_msg(...)                                                                              \
	do {                                                                                       \
		printf("%s:%d: ", __FILE__, __LINE__);                                             \
		printf(__VA_ARGS__);                                                               \
		printf("\n");                                                                      \
		cross__leave(CROSS_FAILED);                                                        \
	} while (0)

#define CROSS_ASSERT(ok, what)                                                                     \
	do {                                                                                       \
		if (!(ok))                                                                         \
			fail_msg("%s", what);                                                      \
	} while (0)

#define assert_true(c) CROSS_ASSERT(c, "not true: " #c)
#define assert_false(c) CROSS_ASSERT(!(c), "true: " #c)
#define assert_null(p) CROSS_ASSERT(!(p), "not NULL: " #p)
#define assert_non_null(p) CROSS_ASSERT(p, "NULL: " #p)
#define assert_string_equal(a, b) CROSS_ASSERT(!strcmp(a, b), "differ: " #a ", " #b)
#define assert_memory_equal(a, b, n) CROSS_ASSERT(!memcmp(a, b, n), "differ: " #a ", " #b)
#define assert_float_equal(a, b, eps) CROSS_ASSERT(fabs((a) - (b)) <= (eps), "differ: " #a ", " #b)
#define assert_ptr_equal(a, b) assert_int_equal((uintptr_t)(a), (uintptr_t)(b))
#define assert_int_equal(a, b)                                                                     \
	do {                                                                                       \
		uintmax_t cross_a = (uintmax_t)(a), cross_b = (uintmax_t)(b);                      \
		if (cross_a != cross_b)                                                            \
			fail_msg("%s is %#jx, not %#jx", #a, cross_a, cross_b);                    \
	} while (0)
#define assert_int_not_equal(a, b) assert_true((uintmax_t)(a) != (uintmax_t)(b))
#define assert_in_range(v, min, max)                                                               \
	assert_true((uintmax_t)(v) >= (uintmax_t)(min) && (uintmax_t)(v) <= (uintmax_t)(max))

static inline enum cross_end cross__one(const struct CMUnitTest *t, void **state)
{
	enum cross_end end = setjmp(cross_out);

	if (end == CROSS_RUNS) {
		if (t->setup && t->setup(state))
			return CROSS_FAILED;
		t->run(state);
	}
	if (t->teardown)
		t->teardown(state);
	return end;
}

static inline int cross__run(const struct CMUnitTest *tests, size_t nr, int (*up)(void **),
			     int (*down)(void **))
{
	static const char *const ends[] = {"ok", "FAIL", "skip"};
	void *group = NULL;
	int failed = up && up(&group);

	for (size_t i = 0; i < nr; i++) {
		void *state = group;
		enum cross_end end = cross__one(&tests[i], &state);

		printf("%-4s  %s\n", ends[end], tests[i].name);
		fflush(stdout);
		failed += end == CROSS_FAILED;
	}
	if (down)
		down(&group);
	return failed;
}

#endif
