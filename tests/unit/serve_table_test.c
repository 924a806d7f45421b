// SPDX-License-Identifier: GPL-2.0
/* The table of serve: its width, what it says of an interval, and what it does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/serve_table.h"

static char *capture(void (*put)(FILE *out, const struct served *d, double seconds),
		     const struct served *d, double seconds)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	put(f, d, seconds);
	fclose(f);
	return text;
}

static void put_head(FILE *out, const struct served *d, double seconds)
{
	serve_table__head(out);
}

static void lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("%s in %s", part, text);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static void width(void **state)
{
	struct served d = {.name = "a-rather-long-name-of-a-guest-01"};
	char *head, *line;

	d.now.counts = (struct served_counts){.reads = 999999,
					      .writes = 999999,
					      .hits = 1,
					      .storage_reads = 999999,
					      .capture = {999999, 999999}};
	d.now.cache.cached = d.now.target_slots = 261100;
	d.now.hit.bucket[95] = d.now.miss.bucket[80] = 1;
	head = capture(put_head, NULL, 0);
	line = capture(serve_table__row, &d, 1);
	assert_int_equal(strlen(head), SERVE_TABLE_WIDTH + 1);
	assert_int_equal(strlen(line), SERVE_TABLE_WIDTH + 1);
	free(head);
	free(line);
}

/* Counts are of the interval alone, a second. */
static void rates(void **state)
{
	struct served d = {.name = "web"};
	char *json;

	d.before.counts = (struct served_counts){.reads = 1000,
						 .hits = 700,
						 .misses = 300,
						 .audited = 100,
						 .capture = {50, 5, 4},
						 .gone = 1};
	d.now.counts = (struct served_counts){.reads = 1040,
					      .hits = 730,
					      .misses = 310,
					      .audited = 110,
					      .capture = {60, 6, 6},
					      .gone = 4};
	d.before.hit.bucket[0] = d.now.hit.bucket[0] = 1000000;
	d.now.hit.bucket[20] = 1;
	d.now.cache.cached = 3;
	json = capture(serve_table__json, &d, 2);
	has(json, ",\"vm\":\"web\",\"reads_per_s\":20,");
	has(json, "\"hit_percent\":75,");
	has(json, "\"captured_per_s\":5,");
	has(json, "\"not_captured_per_s\":3,");
	has(json, "\"cached_bytes\":12288,");
	has(json, "\"saved_bytes_per_s\":40960,");
	lacks(json, "\"hit_p50_ns\":null");
	lacks(json, "\"hit_p50_ns\":1024");
	has(json, "\"miss_p50_ns\":null");
	free(json);
}

static void nothing_read(void **state)
{
	struct served d = {.name = "web"};
	char *json = capture(serve_table__json, &d, 1), *line = capture(serve_table__row, &d, 1);

	has(json, "\"hit_percent\":null");
	has(json, "\"hit_p99_ns\":null");
	lacks(line, "nan");
	free(json);
	free(line);
}

static void reasons(void **state)
{
	struct served_counts c = {.capture = {100, 1, 2, 3, 4}, .gone = 5};

	assert_int_equal(served__lost(&c), 15);
	for (unsigned i = 0; i < SERVED_REASONS; i++) {
		assert_int_equal(served__not_captured(&c, i), i + 1);
		assert_non_null(served_reasons[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(width),
		cmocka_unit_test(rates),
		cmocka_unit_test(nothing_read),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
