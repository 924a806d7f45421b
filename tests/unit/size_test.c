// SPDX-License-Identifier: GPL-2.0
/* Sizes in, sizes out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/size.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int err;
		__u64 pages;
	} cases[] = {
		{"0", 0, 0},
		{"0p", 0, 0},
		{"0GiB", 0, 0},
		{"1000p", 0, 1000},
		{"4KiB", 0, 1},
		{"4096B", 0, 1},
		{"64MiB", 0, 16384},
		{"1GiB", 0, 262144},
		{"1.5GiB", 0, 393216},
		{"0.00390625MiB", 0, 1},
		{"15EiB", 0, 15ULL << 48},
		{"16EiB", -ERANGE, 0},
		{"4503599627370495p", 0, (1ULL << 52) - 1},
		{"4503599627370496p", -ERANGE, 0},
		{"17EiB", -ERANGE, 0},
		{"18446744073709551614EiB", -EINVAL, 0},
		{"99999999999999999999999p", -EINVAL, 0},
		{"1.0000000000000001GiB", -EINVAL, 0},
		{"10KiB", -EINVAL, 0},
		{"1.3MiB", -EINVAL, 0},
		{"7B", -EINVAL, 0},
		{"1000", -EINVAL, 0},
		{"1.5p", -EINVAL, 0},
		{"1.GiB", -EINVAL, 0},
		{".5GiB", -EINVAL, 0},
		{"1 GiB", -EINVAL, 0},
		{" 1GiB", -EINVAL, 0},
		{"1GiB ", -EINVAL, 0},
		{"1gib", -EINVAL, 0},
		{"1GB", -EINVAL, 0},
		{"1G", -EINVAL, 0},
		{"-1p", -EINVAL, 0},
		{"+1p", -EINVAL, 0},
		{"0x10p", -EINVAL, 0},
		{"GiB", -EINVAL, 0},
		{"p", -EINVAL, 0},
		{"", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		__u64 pages = 0;
		int err = size__parse(cases[i].text, &pages);

		if (err != cases[i].err || pages != cases[i].pages)
			print_error("\"%s\": %d, %llu\n", cases[i].text, err, pages);
		assert_int_equal(err, cases[i].err);
		assert_int_equal(pages, cases[i].pages);
	}
}

static void test_parse_list(void **state)
{
	static const char *const bad[] = {"", ",", "1p,", ",1p", "1p,,2p", "1p,x", "1p;2p"};
	static const __u64 want[] = {0, 3, 16384, 262144};
	__u64 *sizes = NULL;
	size_t n = 77;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(size__parse_list(bad[i], &sizes, &n), -EINVAL);
		assert_null(sizes);
		assert_int_equal(n, 77);
	}
	assert_int_equal(size__parse_list("1p,17EiB", &sizes, &n), -ERANGE);
	assert_int_equal(size__parse_list("1GiB,3p,64MiB,0,12KiB", &sizes, &n), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(sizes, want, sizeof(want));
	free(sizes);
}

static void test_format(void **state)
{
	static const struct {
		__u64 pages;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1, "4KiB"},
		{3, "12KiB"},
		{255, "1020KiB"},
		{256, "1MiB"},
		{384, "1.50MiB"},
		{363, "1.42MiB"},
		{3277, "12.8MiB"},
		{16384, "64MiB"},
		{262143, "1.00GiB"},
		{262144, "1GiB"},
		{393216, "1.50GiB"},
		{1ULL << 42, "16PiB"},
		{1ULL << 52, "16EiB"},
		{~0ULL, "65536EiB"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[SIZE_TEXT];

		assert_ptr_equal(size__format(cases[i].pages, buf), buf);
		assert_string_equal(buf, cases[i].text);
	}
}

static void check_defaults(__u64 max, size_t room)
{
	__u64 v[300];
	size_t n;

	v[room] = 12345;
	n = size__defaults(max, v, room);
	assert_true(n >= 1 && n <= room);
	assert_int_equal(v[0], 0);
	assert_int_equal(v[n - 1], max);
	assert_int_equal(v[room], 12345);
	for (size_t i = 1; i < n; i++)
		assert_true(v[i] > v[i - 1]);
	if (max < room)
		assert_int_equal(n, max + 1);
	if (max > 1000 && room > 20) {
		/* Fine near 0, and no gap wider than twice an even step. */
		assert_int_equal(v[1], 1);
		for (size_t i = 1; i < n; i++)
			assert_true(v[i] - v[i - 1] <= 2 * max / ((room - 1) / 2) + 1);
	}
}

static bool has(const __u64 *v, size_t n, __u64 size)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == size)
			return true;
	}
	return false;
}

/* Every power of two is among them, whatever the largest size. */
static void test_round_defaults(void **state)
{
	__u64 v[128];

	for (__u64 max = 1000; max < 1ULL << 40; max = max * 7 + 3) {
		size_t n = size__defaults(max, v, 128);

		for (__u64 size = 1; size <= max; size *= 2)
			assert_true(has(v, n, size));
	}
}

static void test_defaults(void **state)
{
	static const size_t rooms[] = {2, 3, 4, 16, 128, 299};

	for (size_t r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
		for (__u64 max = 0; max < 400; max++)
			check_defaults(max, rooms[r]);
		for (__u64 max = 400; max < 1ULL << 52; max = max * 3 + 1)
			check_defaults(max, rooms[r]);
	}
}

static void test_spaced(void **state)
{
	static const __u64 even[] = {0, 25, 50, 75, 100}, octaves[] = {1, 4, 16, 64, 256};
	__u64 v[300];

	assert_int_equal(size__spaced(100, 5, false, v), 5);
	assert_memory_equal(v, even, sizeof(even));
	assert_int_equal(size__spaced(256, 5, true, v), 5);
	assert_memory_equal(v, octaves, sizeof(octaves));
	/* One is the end; there are not more sizes than pages. */
	assert_int_equal(size__spaced(77, 1, true, v), 1);
	assert_int_equal(v[0], 77);
	assert_int_equal(size__spaced(9, 300, false, v), 10);
	assert_int_equal(size__spaced(9, 300, true, v), 9);
	assert_int_equal(size__spaced(9, 0, true, v), 0);
}

static void test_spaced_ends(void **state)
{
	__u64 v[300];

	for (int log = 0; log < 2; log++) {
		for (__u64 max = 0; max < 1ULL << 52; max = max * 3 + 1) {
			size_t n = size__spaced(max, 300, log, v);

			assert_int_equal(v[0], max && log ? 1 : 0);
			assert_int_equal(v[n - 1], max);
			for (size_t i = 1; i < n; i++)
				assert_true(v[i] > v[i - 1]);
		}
	}
}

static void test_powers(void **state)
{
	__u64 out[12];

	assert_int_equal(size__powers(0, out, 12), 1);
	assert_int_equal(out[0], 1);
	assert_int_equal(size__powers(5, out, 12), 4);
	assert_int_equal(out[2], 4);
	assert_int_equal(out[3], 5);
	assert_int_equal(size__powers(1 << 19, out, 12), 10);
	for (__u64 max = 1; max; max = max < 1ULL << 62 ? max * 3 + 1 : 0)
		for (size_t room = 2; room <= 12; room++) {
			size_t n = size__powers(max, out, room);

			assert_in_range(n, 1, room);
			assert_int_equal(out[n - 1], max);
			for (size_t i = 0; i + 1 < n; i++) {
				assert_true(out[i] < out[i + 1]);
				assert_int_equal(out[i] & (out[i] - 1), 0);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	       cmocka_unit_test(test_parse_list),
		cmocka_unit_test(test_format),	       cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_round_defaults), cmocka_unit_test(test_spaced),
		cmocka_unit_test(test_spaced_ends),    cmocka_unit_test(test_powers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
