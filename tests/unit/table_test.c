// SPDX-License-Identifier: GPL-2.0
/* The live table: its width, its short numbers, its quantiles. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/columns.h"
#include "../../cli/table.h"

static char *capture(void (*put)(FILE *out, const struct table_row *row),
		     const struct table_row *row)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	put(f, row);
	fclose(f);
	return text;
}

static void put_head(FILE *out, const struct table_row *row)
{
	table__head(out);
}

static struct table_row widest(void)
{
	struct table_row row = {.name = "a-rather-long-name-of-a-guest-01",
				.pid = 4194304,
				.mem_estimated = true,
				.mem_pages = 261100,
				.p50 = 999e6,
				.p99 = 99e9,
				.change = {-0.999, -1, 9.99}};

	row.fills = row.writebacks = row.evictions = row.refaults = row.faults = 999999;
	return row;
}

static void width(void **state)
{
	struct table_row row = widest();
	char *head = capture(put_head, NULL), *line = capture(table__row, &row);

	assert_int_equal(strlen(head), strlen(line));
	assert_int_equal(strlen(line), TABLE_WIDTH + 1);
	assert_true(strlen(line) < 100 + 1);
	free(head);
	free(line);
}

static void unknowns(void **state)
{
	struct table_row row = {.name = "web",
				.pid = 7,
				.mem_pages = NAN,
				.p50 = NAN,
				.p99 = NAN,
				.change = {NAN, NAN, NAN}};
	char *line = capture(table__row, &row), *json = capture(table__json, &row);

	assert_non_null(strstr(line, "    7      -"));
	assert_non_null(strstr(line, "-     -     -     -     -\n"));
	assert_non_null(strstr(json, ",\"mem_pages\":null,"));
	assert_non_null(strstr(json, ",\"misses_change_100\":null,"));
	assert_null(strstr(json, "nan"));
	free(line);
	free(json);
}

/* A VM's name is its owner's: it must not steer the terminal, nor break the JSON. */
static void hostile_name(void **state)
{
	struct table_row row = {.name = "\033[2J\n\"x", .mem_pages = NAN};
	char *line = capture(table__row, &row), *json = capture(table__json, &row);

	assert_null(strchr(line, '\033'));
	assert_true(strchr(line, '\n') == line + strlen(line) - 1);
	assert_null(strchr(json, '\n'));
	assert_non_null(strstr(json, "\\\"x"));
	free(line);
	free(json);
}

static void check_format(void (*format)(char buf[COLUMN_TEXT], double v), double v,
			 const char *expected)
{
	char buf[COLUMN_TEXT];

	format(buf, v);
	assert_string_equal(buf, expected);
}

static void short_numbers(void **state)
{
	check_format(columns__format_count, 0, "0");
	check_format(columns__format_count, 0.5, "0.5");
	check_format(columns__format_count, 12.4, "12");
	check_format(columns__format_count, 999999, "999999");
	check_format(columns__format_count, 1000000, "1.0M");
	check_format(columns__format_count, 123456789, "123M");
	check_format(columns__format_pages, 1, "4K");
	check_format(columns__format_pages, 262144, "1G");
	check_format(columns__format_pages, 262144 * 1.5, "1.5G");
	check_format(columns__format_pages, 262143, "1G");
	check_format(columns__format_pages, 256 * 1000, "1000M");
	check_format(columns__format_ns, 850, "850ns");
	check_format(columns__format_ns, 1234, "1.2us");
	check_format(columns__format_ns, 999999, "1.0ms");
	check_format(columns__format_ns, 17e9, "17s");
}

static void changes(void **state)
{
	struct table_row row = {.name = "x", .mem_pages = 1, .change = {-0.38, 0, -1}};
	char *line = capture(table__row, &row);

	assert_non_null(strstr(line, " -38%    0% -100%\n"));
	free(line);
}

/* Each in the middle of its bucket: within an eighth of what it was. */
static void latency_sum(void **state)
{
	__u64 counts[PE_LATENCY_BUCKETS] = {0};

	assert_true(table__latency_sum(counts) == 0);
	counts[8] = 10;
	assert_true(pe_latency_low(8) == 4096 && pe_latency_low(9) == 5120);
	assert_true(table__latency_sum(counts) == 46080);
	counts[9] = 1;
	assert_true(table__latency_sum(counts) == 46080 + 5632);
}

static void quantiles(void **state)
{
	struct vm_counters before = {0}, now = {0};

	assert_true(isnan(table__latency(&now, &before, 0.5)));
	/* What was there before the interval does not count. */
	before.latency[0][90] = now.latency[0][90] = 1000;
	assert_true(isnan(table__latency(&now, &before, 0.5)));
	/* 100 I/Os in one bucket: the median is its middle. */
	now.latency[0][20] = 60;
	now.latency[1][20] = 40;
	assert_true(fabs(table__latency(&now, &before, 0.5) -
			 (pe_latency_low(20) + pe_latency_low(21)) / 2.0) < 1);
	/* 2 % far out: the 99th percentile is in the middle of those. */
	now.latency[0][20] = 58;
	now.latency[0][40] = 2;
	assert_true(fabs(table__latency(&now, &before, 0.99) -
			 (pe_latency_low(40) + pe_latency_low(41)) / 2.0) < 1);
	assert_true(table__latency(&now, &before, 0.5) < pe_latency_low(21));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(width),	cmocka_unit_test(unknowns),
		cmocka_unit_test(hostile_name), cmocka_unit_test(short_numbers),
		cmocka_unit_test(changes),	cmocka_unit_test(quantiles),
		cmocka_unit_test(latency_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
