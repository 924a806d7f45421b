// SPDX-License-Identifier: GPL-2.0
/* What is made of a served disk's figures: findings, averages, the control socket's JSON, metrics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/serve.h"

/* The figures here are the test's own. */
void serve__account(struct serve *s)
{
}

static struct served disk;
static struct served *disks[] = {&disk};
static struct serve serve = {.disks = {disks, 1}};

static int set_up(void **state)
{
	disk = (struct served){.name = "web01"};
	disk.now.path = disk.now.socket = disk.now.engine = "";
	serve.cache.policy = serve.cache.backing = "";
	return 0;
}

/* --- findings --- */

/* So many frames more were looked at, of which so many were captured, and so many zeroed. */
static bool look_at(__u64 frames, __u64 captured, __u64 zeroed)
{
	struct server_disk now = disk.now;
	char text[SERVED_FINDING];

	now.counts.capture[CAPTURED] += captured;
	now.counts.capture[CAPTURE_CHANGED] += frames - captured;
	now.counts.zeroed += zeroed;
	served__update(&disk, &now);
	return served__finding(&disk, text);
}

static void few_frames(void **state)
{
	for (int i = 0; i < 3; i++)
		assert_false(look_at(1000, 0, 1000));
	assert_true(look_at(2000, 0, 2000));
}

static void some_zeroed(void **state)
{
	char text[SERVED_FINDING];

	/* Changed by processes: nothing can be done about that. */
	assert_false(look_at(100000, 10000, 0));
	assert_false(look_at(100000, 50000, 49000));
	assert_true(look_at(100000, 7000, 93000));
	served__finding(&disk, text);
	assert_non_null(strstr(text, "93 % of the frames"));
	assert_non_null(strstr(text, "init_on_alloc=0"));
}

static void booted_anew(void **state)
{
	assert_true(look_at(1000000, 0, 1000000));
	/* Too few to tell yet. */
	assert_true(look_at(1000, 900, 0));
	assert_false(look_at(4000, 3600, 0));
}

static void counters_that_grow(void **state)
{
	char text[SERVED_FINDING];

	assert_true(look_at(5000, 0, 5100));
	served__finding(&disk, text);
	assert_non_null(strstr(text, "100 %"));
}

static json_t *stats_of_disk(json_t **stats)
{
	*stats = serve__stats(&serve);
	assert_non_null(*stats);
	return json_array_get(json_object_get(*stats, "vms"), 0);
}

static void findings_in_stats(void **state)
{
	json_t *stats, *d = stats_of_disk(&stats);

	assert_int_equal(json_array_size(json_object_get(d, "findings")), 0);
	json_decref(stats);
	look_at(5000, 0, 5000);
	d = stats_of_disk(&stats);
	assert_int_equal(json_array_size(json_object_get(d, "findings")), 1);
	assert_int_equal(json_integer_value(json_object_get(d, "zeroed")), 5000);
	json_decref(stats);
}

/* --- latencies --- */

static void count(struct served_latency *l, unsigned bucket, __u64 ns)
{
	l->bucket[bucket]++;
	l->sum_ns += ns;
}

static void means(void **state)
{
	json_t *stats, *d;

	assert_true(served_latency__mean(&disk.now.hit) == 0);
	count(&disk.now.hit, 0, 100);
	count(&disk.now.hit, 3, 1900);
	count(&disk.now.miss, 40, 123456);
	assert_true(served_latency__mean(&disk.now.hit) == 1000);
	d = stats_of_disk(&stats);
	assert_int_equal(json_integer_value(json_object_get(d, "hit_mean_ns")), 1000);
	assert_int_equal(json_integer_value(json_object_get(d, "miss_mean_ns")), 123456);
	json_decref(stats);
}

static void sums_in_metrics(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	count(&disk.now.hit, 0, 100);
	count(&disk.now.hit, 3, 1900);
	serve__metrics(&serve, f);
	fclose(f);
	assert_non_null(strstr(text, "_seconds_sum{vm=\"web01\",from=\"cache\"} 2e-06\n"));
	assert_non_null(strstr(text, "_seconds_count{vm=\"web01\",from=\"cache\"} 2\n"));
	assert_non_null(strstr(text, "_seconds_sum{vm=\"web01\",from=\"storage\"} 0\n"));
	assert_non_null(strstr(text, "hvtrace_zeroed_total{vm=\"web01\"} 0\n"));
	free(text);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		CASE(few_frames),	  CASE(some_zeroed),	   CASE(booted_anew),
		CASE(counters_that_grow), CASE(findings_in_stats), CASE(means),
		CASE(sums_in_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
