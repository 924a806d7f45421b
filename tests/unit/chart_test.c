// SPDX-License-Identifier: GPL-2.0
/* What is drawn on the terminal. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/chart.h"
#include "skips.h"

static char *text;
static size_t text_len;

static FILE *begin(void)
{
	return open_memstream(&text, &text_len);
}

static int lines_of(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* The drawing was looked at. */
static void drop(void)
{
	free(text);
	text = NULL;
}

/* Columns of the widest line: UTF-8 continuation bytes take none. */
static int width_of(const char *s)
{
	int width = 0, max = 0;

	for (; *s; s++) {
		width = *s == '\n' ? 0 : width + ((*s & 0xc0) != 0x80);
		max = width > max ? width : max;
	}
	return max;
}

/* The end of the drawing; it has to fit. */
static void end(FILE *out, int lines)
{
	fclose(out);
	assert_int_equal(lines_of(text), lines);
	if (width_of(text) > 78)
		print_error("%s", text);
	assert_true(width_of(text) <= 78);
}

static void test_log2(void **state)
{
	static const __u64 counts[] = {1, 0, 20, 40};
	FILE *out = begin();

	chart__log2(out, "usecs", counts, 4);
	end(out, 5);
	assert_string_equal(
		text,
		"     usecs               : count    distribution\n"
		"         0 -> 1          : 1        |*                                       |\n"
		"         2 -> 3          : 0        |                                        |\n"
		"         4 -> 7          : 20       |********************                    |\n"
		"         8 -> 15         : 40       |****************************************|\n");
	drop();
}

static void test_log2_extremes(void **state)
{
	__u64 counts[REPORT_BUCKETS] = {0};
	FILE *out = begin();

	chart__log2(out, "nothing", counts, REPORT_BUCKETS);
	end(out, 1);
	assert_non_null(strstr(text, "nothing counted"));
	drop();
	counts[63] = ~0ULL;
	counts[0] = 1;
	out = begin();
	chart__log2(out, "distance (pages)", counts, REPORT_BUCKETS);
	end(out, 65);
	assert_non_null(strstr(text, "9223372036854775808 -> 18446744073709551615"));
	drop();
}

static void test_latency(void **state)
{
	__u64 latency[PE_LATENCY_BUCKETS] = {0};
	FILE *out = begin();

	latency[0] = 1;	 /* up to 1.3 us */
	latency[28] = 8; /* 131 us */
	latency[31] = 8; /* 229 us */
	latency[32] = 3; /* 262 us */
	chart__latency(out, latency);
	end(out, 10);
	assert_non_null(strstr(text, "         0 -> 1          : 1 "));
	assert_non_null(strstr(text, "       128 -> 255        : 16 "));
	assert_non_null(strstr(text, "       256 -> 511        : 3 "));
	drop();
}

static void test_reuse(void **state)
{
	struct space_report s = {.counts = {.cold = 7, .unseen = 8}};
	FILE *out = begin();

	s.reuse[3] = 5;
	chart__reuse(out, &s);
	end(out, 6);
	assert_non_null(strstr(text, "         8 -> 15         : 5 "));
	assert_non_null(strstr(text, "first time: 7, eviction not seen: 8"));
	drop();
}

/* Flat at 1 up to the middle, then flat at 0. */
static const struct curve_point step[] = {
	{.size = 0, .misses = 10, .accesses = 10},
	{.size = 262144, .misses = 10, .accesses = 10},
	{.size = 262145, .misses = 0, .accesses = 10, .error = 0.25},
	{.size = 524288, .misses = 0, .accesses = 10, .error = 0.25},
};

static const char *line(int n)
{
	const char *s = text;

	while (n--)
		s = strchr(s, '\n') + 1;
	return s;
}

static void test_curve_ascii(void **state)
{
	FILE *out = begin();

	chart__curve(out, "caption", step, 4, false);
	end(out, 20);
	assert_int_equal(strncmp(line(0), "     caption\n", 13), 0);
	assert_int_equal(strncmp(line(1), " 1.00 |*********************************", 40), 0);
	assert_int_equal(strncmp(line(5), " 0.75 |      ", 12), 0);
	/* The left half is at the top, the right half at the bottom. */
	assert_int_equal(line(1)[7 + 60], ' ');
	assert_int_equal(line(17)[7 + 60], '*');
	assert_int_equal(line(17)[7 + 10], ' ');
	/* A band of 0.25 above the line, four rows of 17. */
	assert_int_equal(line(13)[7 + 60], ':');
	assert_int_equal(line(11)[7 + 60], ' ');
	assert_int_equal(strncmp(line(17), " 0.00 |", 7), 0);
	assert_non_null(strstr(line(19), "       0"));
	assert_non_null(strstr(line(19), "512MiB"));
	assert_non_null(strstr(line(19), " 1GiB"));
	assert_non_null(strstr(line(19), " 2GiB\n"));
	for (const char *s = text; *s; s++)
		assert_true(*s > 0);
	drop();
}

static void test_curve_utf8(void **state)
{
	FILE *out = begin();

	chart__curve(out, "caption", step, 4, true);
	end(out, 20);
	/* Braille of the upper dots, all along the first half. */
	assert_int_equal(strncmp(line(1), " 1.00 \xe2\x94\x82\xe2\xa0\x89\xe2\xa0\x89", 15), 0);
	/* The lowest dots, and every other one of the band above them. */
	assert_non_null(strstr(line(17), "\xe2\xa3\x85"));
	drop();
}

static void test_curve_without(void **state)
{
	static const struct curve_point none[] = {{.size = 0}, {.size = 10}};

	for (size_t n = 0; n < 3; n++) {
		FILE *out = begin();

		chart__curve(out, "caption", n == 2 ? none : step, n, true);
		end(out, 1);
		assert_non_null(strstr(text, "no curve"));
		drop();
	}
}

/* Values out of range stay on the canvas. */
static void test_curve_range(void **state)
{
	static const struct curve_point odd[] = {
		{.size = 1, .misses = 30, .accesses = 10, .error = 5},
		{.size = 2, .misses = -3, .accesses = 10, .error = 1},
		{.size = ~0ULL, .misses = 5, .accesses = 10, .error = 0},
	};
	FILE *out = begin();

	chart__curve(out, "caption", odd, 3, true);
	end(out, 20);
	drop();
}

static void test_utf8(void **state)
{
	assert_non_null(setlocale(LC_CTYPE, "C"));
	assert_false(chart__utf8());
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		because("there is no locale C.UTF-8");
	assert_true(chart__utf8());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log2),	      cmocka_unit_test(test_log2_extremes),
		cmocka_unit_test(test_latency),	      cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_curve_ascii),   cmocka_unit_test(test_curve_utf8),
		cmocka_unit_test(test_curve_without), cmocka_unit_test(test_curve_range),
		cmocka_unit_test(test_utf8),
	};

	return skips__status(cmocka_run_group_tests(tests, NULL, NULL));
}
