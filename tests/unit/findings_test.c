// SPDX-License-Identifier: GPL-2.0
/* What is read off curves, in words and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/findings.h"

static struct curve_point sampled[] = {
	{.size = 0, .misses = 1000, .accesses = 1000},
	{.size = 256, .misses = 300, .accesses = 1000, .error = 0.1},
	{.size = 512, .misses = 200, .accesses = 1000, .error = 0.1},
	{.size = 1024, .misses = 100, .accesses = 1000, .error = 0.05},
};

static struct working_set find(double ratio)
{
	struct working_set w;

	assert_int_equal(findings__working_set(sampled, 4, ratio, &w), 0);
	return w;
}

/* The interval's ends are where the curve's own bounds get there. */
static void test_working_set(void **state)
{
	struct working_set w = find(0.2);

	assert_int_equal(w.size, 512);
	/* 0.3 - 0.1 is reached at 256 pages; 0.2 + 0.1 is too much at 512, 0.1 + 0.05 is not. */
	assert_int_equal(w.low, 256);
	assert_in_range(w.high, 850, 860);
	w = find(0.1);
	assert_int_equal(w.size, 1024);
	assert_int_equal(w.low, 512);
	assert_true(w.high == ~0ULL);
	w = find(0.01);
	assert_true(w.size == ~0ULL && w.low == ~0ULL && w.high == ~0ULL);
}

static char *text;
static size_t len;

static void print(const struct space_report *s, const double *ratios, size_t n, bool json)
{
	struct vm_report r = {.name = "a\"b", .space[SPACE_MEM] = *s};
	struct wss_list wss = {ratios, n};
	FILE *out = open_memstream(&text, &len);

	if (json)
		assert_int_equal(findings__json(out, &r, &wss), 0);
	else
		assert_int_equal(findings__print(out, s, &wss), 0);
	fclose(out);
}

static void has(const char *what)
{
	if (!strstr(text, what))
		fail_msg("no '%s' in:\n%s", what, text);
}

static void test_text(void **state)
{
	static const double ratios[] = {0.2, 0.1, 0.01};
	struct space_report s = {
		.seen = true, .order = "eviction", .curve = sampled, .nr_points = 4};

	print(&s, ratios, 3, false);
	has("memory to add for a miss ratio of 0.2: 2MiB (1MiB to 3.34MiB)\n");
	has("memory to add for a miss ratio of 0.1: 4MiB (2MiB to more)\n");
	has("0.01: none is enough, with 4MiB it is 0.1000\n");
	has("knee: 1MiB, miss ratio 0.3000 +/- 0.1000\n");
	has("compulsory misses (pages seen for the first time): 0.1000 +/- 0.0500 of");
	free(text);
}

static void test_exact_text(void **state)
{
	static const double ratios[] = {0.5};
	struct curve_point line[] = {{.size = 0, .misses = 8, .accesses = 8},
				     {.size = 8, .misses = 0, .accesses = 8}};
	struct space_report s = {.seen = true, .order = "access", .curve = line, .nr_points = 2};

	print(&s, ratios, 1, false);
	has("  memory for a miss ratio of 0.5: 16KiB\n");
	has("knee: none\n");
	assert_null(strstr(text, "+/-"));
	free(text);
	/* Nothing seen, nothing to say. */
	s.nr_points = 0;
	print(&s, ratios, 1, false);
	assert_int_equal(len, 0);
	free(text);
}

static void test_json(void **state)
{
	static const double ratios[] = {0.2, 0.1};
	struct space_report s = {
		.seen = true, .order = "eviction", .curve = sampled, .nr_points = 4};

	print(&s, ratios, 2, true);
	has("{\"type\":\"wss\",\"vm\":\"a\\\"b\",\"space\":\"mem\",\"order\":\"eviction\","
	    "\"miss_ratio\":0.2,\"size_pages\":512,\"low_pages\":256,\"high_pages\":854}\n");
	has("\"miss_ratio\":0.1,\"size_pages\":1024,\"low_pages\":512,\"high_pages\":null}\n");
	has("{\"type\":\"knee\",\"vm\":\"a\\\"b\",\"space\":\"mem\",\"order\":\"eviction\","
	    "\"size_pages\":256,\"miss_ratio\":0.3,\"error\":0.1}\n");
	has("{\"type\":\"compulsory\",\"vm\":\"a\\\"b\",\"space\":\"mem\",\"order\":\"eviction\","
	    "\"miss_ratio\":0.1,\"error\":0.05}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_working_set),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_exact_text),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
