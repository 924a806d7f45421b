// SPDX-License-Identifier: GPL-2.0
/* How far back: what is taken, and how it is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../analysis/span.h"

#define SECOND 1000000000ULL

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		__u64 n;
		bool refs;
		const char *told;
	} right[] = {
		{"10", 10 * SECOND, false, "10 s"},
		{"10s", 10 * SECOND, false, "10 s"},
		{"10.", 10 * SECOND, false, "10 s"},
		{".5s", SECOND / 2, false, "500 ms"},
		{"500ms", SECOND / 2, false, "500 ms"},
		{"150us", 150000, false, "0.15 ms"},
		{"0.000001ms", 1, false, "1e-06 ms"},
		{"1.5", 3 * SECOND / 2, false, "1.5 s"},
		{"90s", 90 * SECOND, false, "90 s"},
		{"5m", 300 * SECOND, false, "5 m"},
		{"300", 300 * SECOND, false, "5 m"},
		{"2h", 7200 * SECOND, false, "2 h"},
		{"1.5h", 5400 * SECOND, false, "90 m"},
		{"1d", 86400 * SECOND, false, "1 d"},
		{"48h", 2 * 86400 * SECOND, false, "2 d"},
		{"1000000000", SECOND * SECOND, false, "1000000000 s"},
		{"1r", 1, true, "1 references"},
		{"1000000r", 1000000, true, "1000000 references"},
		{"1000000000000000000r", SECOND * SECOND, true, "1000000000000000000 references"},
	};
	char buf[SPAN_TEXT];

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct span s = {0};

		assert_int_equal(span__parse(right[i].text, &s), 0);
		assert_int_equal(s.n, right[i].n);
		assert_int_equal(s.refs, right[i].refs);
		assert_string_equal(span__format(&s, buf), right[i].told);
	}
}

static void test_refuse(void **state)
{
	static const char *const wrong[] = {
		"",
		"s",
		".",
		"0",
		"0s",
		"0r",
		"-1",
		"+1",
		"1e3",
		"1 s",
		" 1",
		"1x",
		"1S",
		"1ns",
		"1min",
		"1.5r",
		"1.r",
		"r",
		"inf",
		"nan",
		"0x10s",
		"1ss",
		"1s ",
		"1rr",
		"1.2.3",
		"1000000001",
		"40000d",
		"0.0000001ms",
		"1000000000000000001r",
		"99999999999999999999r",
		"1,5",
	};
	struct span s = {7, true};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(span__parse(wrong[i], &s), -EINVAL);
		assert_true(s.n == 7 && s.refs);
	}
}

static const char *json_of(const struct past *p, char *buf, size_t room)
{
	FILE *out = fmemopen(buf, room, "w");

	assert_non_null(out);
	past__json(out, p);
	fputc(0, out);
	fclose(out);
	return buf;
}

static void test_past(void **state)
{
	struct past all = {0}, window = {.window.n = 1500 * SECOND},
		    faded = {.half_life = {5000, true}};
	char buf[128];

	assert_false(past__limited(&all));
	assert_true(past__limited(&window) && past__limited(&faded));
	assert_string_equal(past__format(&all, buf), "all");
	assert_string_equal(past__format(&window, buf), "the last 25 m");
	assert_string_equal(past__format(&faded, buf), "half-life 5000 references");
	assert_string_equal(json_of(&all, buf, sizeof(buf)), "");
	assert_string_equal(json_of(&window, buf, sizeof(buf)), ",\"window_s\":1500");
	assert_string_equal(json_of(&faded, buf, sizeof(buf)), ",\"half_life_references\":5000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
