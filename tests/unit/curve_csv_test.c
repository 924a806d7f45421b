// SPDX-License-Identifier: GPL-2.0
/* curve.csv back from what was written, and each way it can be wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/curve_csv.h"
#include "../../analysis/export.h"

#define HEAD "vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error\n"
#define ROW "web,disk,eviction,5,20480,12.50,100,0.125,0.01\n"

static int parse(struct curve_csv *out, const char *text, struct csv_fault *fault)
{
	char *copy = strdup(text);
	int err = curve_csv__parse(out, copy, strlen(copy), fault);

	free(copy);
	return err;
}

static struct vm_report *make_report(const char *name, const char *order)
{
	struct vm_report *r = calloc(1, sizeof(*r));

	r->name = strdup(name);
	for (int s = 0; s < PAGE_SPACES; s++) {
		r->space[s].seen = true;
		r->space[s].order = order;
		r->space[s].curve = calloc(3, sizeof(struct curve_point));
		r->space[s].nr_points = 3;
		for (int i = 0; i < 3; i++)
			r->space[s].curve[i] = (struct curve_point){
				.size = i * 1000 + s,
				.misses = 1000 / (i + 1.0),
				.accesses = 1000,
				.error = i / 64.0,
			};
	}
	return r;
}

/* What export writes comes back as it was, to the digits written. */
static void test_round_trip(void **state)
{
	static const char nasty[] = "a \"b\", c\r\nd";
	struct vm_report *r[] = {make_report("web", "eviction"), make_report(nasty, "access")};
	struct csv_fault fault;
	struct curve_csv csv;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(export__curve_csv(out, r, 2), 0);
	fclose(out);
	assert_int_equal(curve_csv__parse(&csv, text, len, &fault), 0);
	assert_int_equal(csv.n, 4);
	for (size_t c = 0; c < 4; c++) {
		const struct named_curve *got = &csv.curves[c];
		const struct space_report *s = &r[c / 2]->space[c % 2];

		assert_string_equal(got->vm, r[c / 2]->name);
		assert_int_equal(got->space, c % 2);
		assert_int_equal(got->added, c < 2);
		assert_int_equal(got->n, 3);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(got->points[i].size, s->curve[i].size);
			assert_true(got->points[i].misses - s->curve[i].misses < 0.006);
			assert_true(s->curve[i].misses - got->points[i].misses < 0.006);
			assert_true(got->points[i].accesses == 1000);
			assert_true(got->points[i].error == i / 64.0);
		}
	}
	curve_csv__free(&csv);
	free(text);
	vm_report__free(r[0]);
	vm_report__free(r[1]);
}

/* No newline at the end, lines that end as on DOS, no rows at all. */
static void test_tolerated(void **state)
{
	struct csv_fault fault;
	struct curve_csv csv;

	assert_int_equal(parse(&csv, HEAD, &fault), 0);
	assert_int_equal(csv.n, 0);
	assert_int_equal(parse(&csv, HEAD "a,disk,access,0,0,1e-05,2e3,5e-09,0", &fault), 0);
	assert_int_equal(csv.n, 1);
	assert_true(csv.curves[0].points[0].accesses == 2000);
	curve_csv__free(&csv);
	assert_int_equal(parse(&csv,
			       HEAD "a,disk,access,0,0,1,1,1,0\r\nb,mem,access,1,4096,1,1,1,0",
			       &fault),
			 0);
	assert_int_equal(csv.n, 2);
	curve_csv__free(&csv);
}

static void test_faults(void **state)
{
	static const struct {
		const char *text, *reason;
		__u64 line;
	} cases[] = {
		{"", "not the heading", 1},
		{"vm,space,kind,count\n", "not the heading", 1},
		{ROW, "not the heading", 1},
		{HEAD ROW "web,disk,eviction,6,24576,1,100,0.01\n", "8 columns instead of 9", 3},
		{HEAD "\n", "1 columns", 2},
		{HEAD "a,disk,access,0,0,1,1,1,0,0\n", "10 columns", 2},
		{HEAD "\"a\nb\",disk,access,0,0,1,1,1,0\nx\n", "1 columns", 4},
		{HEAD "\"a,disk,access,0,0,1,1,1,0\n", "no end", 2},
		{HEAD "\"a\"b,disk,access,0,0,1,1,1,0\n", "stray", 2},
		{HEAD "a\"b,disk,access,0,0,1,1,1,0\n", "stray", 2},
		{HEAD "a\rb,disk,access,0,0,1,1,1,0\n", "stray '\\r'", 2},
		{HEAD "a,host,access,0,0,1,1,1,0\n", "space 'host'", 2},
		{HEAD "a,disk,lru,0,0,1,1,1,0\n", "order 'lru'", 2},
		{HEAD "a,disk,access,-1,0,1,1,1,0\n", "size_pages '-1'", 2},
		{HEAD "a,disk,access,,0,1,1,1,0\n", "size_pages is missing", 2},
		{HEAD "a,disk,access,1.5,0,1,1,1,0\n", "size_pages '1.5'", 2},
		{HEAD "a,disk,access,99999999999999999999,0,1,1,1,0\n", "size_pages", 2},
		{HEAD "a,disk,access,1,4095,1,1,1,0\n", "size_bytes 4095", 2},
		/* 2^52 + 1 pages, and a product that wraps around to 0. */
		{HEAD "a,disk,access,4503599627370497,4096,1,1,1,0\n", "size_bytes", 2},
		{HEAD "a,disk,access,4503599627370496,0,1,1,1,0\n", "size_bytes", 0},
		{HEAD "a,disk,access,0,0,-1,1,1,0\n", "misses '-1'", 2},
		{HEAD "a,disk,access,0,0,nan,1,1,0\n", "misses 'nan'", 2},
		{HEAD "a,disk,access,0,0,1,inf,1,0\n", "accesses 'inf'", 2},
		{HEAD "a,disk,access,0,0,1,1e999,1,0\n", "accesses", 2},
		{HEAD "a,disk,access,0,0,1,1,0x1,0\n", "miss_ratio '0x1'", 2},
		{HEAD "a,disk,access,0,0,1,1,1,1.01\n", "error '1.01' is above 1", 2},
		{HEAD "a,disk,access,0,0,1,1,1,\n", "error ''", 2},
		{HEAD ROW ROW, "do not ascend", 3},
		{HEAD ROW "db,disk,eviction,0,0,1,1,1,0\nweb,disk,eviction,6,24576,1,1,1,0\n",
		 "not together", 4},
		{HEAD "a,\x1b[2J,access,0,0,1,1,1,0\n", "space '?[2J'", 2},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct csv_fault fault = {0};
		struct curve_csv csv;
		int err = parse(&csv, cases[i].text, &fault);

		if (err != (cases[i].line ? -EINVAL : 0) || fault.line != cases[i].line ||
		    (err && !strstr(fault.reason, cases[i].reason)))
			fail_msg("case %zu: %d, line %llu: %s", i, err, fault.line, fault.reason);
		curve_csv__free(&csv);
	}
}

static void test_nul(void **state)
{
	char text[] = HEAD "a\0b";
	struct csv_fault fault;
	struct curve_csv csv;

	assert_int_equal(curve_csv__parse(&csv, text, sizeof(text) - 1, &fault), -EINVAL);
	assert_non_null(strstr(fault.reason, "NUL"));
	assert_int_equal(csv.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_tolerated),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
