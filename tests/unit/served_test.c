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
static struct serve serve = {.disks = {.disks = disks, .nr = 1}};

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

/* --- every figure, in metrics as in stats --- */

static __u64 word_of(__u64 seed, size_t i)
{
	return (seed * 1000003 + i * 7919) % 1000000007 + 1;
}

/* Each word of a struct of them another number. */
static void number(void *of, size_t bytes, __u64 *seed)
{
	__u64 *w = of;

	for (size_t i = 0; i < bytes / sizeof(*w); i++)
		w[i] = word_of(*seed, i);
	++*seed;
}

static void number_disk(struct served *d, __u64 seed)
{
	struct server_disk *n = &d->now;

	number(&n->counts, sizeof(n->counts), &seed);
	number(&n->cache, sizeof(n->cache), &seed);
	/* Bytes saved are not 0. */
	n->counts.hits += n->counts.audited;
	n->connected = seed % 2;
	n->bytes = word_of(seed, 1);
	n->memory_pages = word_of(seed, 2);
	n->target_slots = word_of(seed, 3);
}

/* The number after a line's beginning. */
static json_int_t metric(const char *text, const char *name, const char *vm, const char *labels)
{
	char line[256];
	const char *at;

	snprintf(line, sizeof(line), "\n%s{vm=\"%s\"%s} ", name, vm, labels);
	at = strstr(text, line);
	if (!at)
		fail_msg("no %s", line + 1);
	assert_null(strstr(at + 1, line));
	return strtoull(at + strlen(line), NULL, 10);
}

static json_int_t stat_of(const json_t *disk, const char *key)
{
	const json_t *value = json_object_get(disk, key);

	if (!json_is_integer(value))
		fail_msg("no %s in stats", key);
	return json_integer_value(value);
}

static const struct {
	const char *metric, *key;
} others[] = {
	{"hvtrace_image_bytes", "bytes"},
	{"hvtrace_guest_memory_bytes", "memory_bytes"},
	{"hvtrace_target_bytes", "target_bytes"},
	{"hvtrace_cached_pages", "cached_pages"},
	{"hvtrace_resident_pages", "resident_pages"},
	{"hvtrace_ghost_pages", "ghost_pages"},
	{"hvtrace_metadata_bytes", "metadata_bytes"},
	{"hvtrace_saved_bytes_total", "saved_bytes"},
	{"hvtrace_captured_pages_total", "captured"},
};

static void compare_disk(const char *text, const json_t *disk)
{
	const char *vm = json_string_value(json_object_get(disk, "vm"));
	const json_t *lost = json_object_get(disk, "not_captured");
	char name[64];

	for (size_t i = 0; i < nr_served_counts; i++) {
		snprintf(name, sizeof(name), "hvtrace_%s_total", served_counts_table[i].key);
		assert_int_equal(metric(text, name, vm, ""),
				 stat_of(disk, served_counts_table[i].key));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(metric(text, others[i].metric, vm, ""),
				 stat_of(disk, others[i].key));
	assert_int_equal(metric(text, "hvtrace_connected", vm, ""),
			 json_is_true(json_object_get(disk, "connected")));
	for (unsigned r = 0; r < SERVED_REASONS; r++) {
		snprintf(name, sizeof(name), ",reason=\"%s\"", served_reasons[r]);
		assert_int_equal(metric(text, "hvtrace_not_captured_pages_total", vm, name),
				 stat_of(lost, served_reasons[r]));
	}
}

static size_t count_of(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		text++;
		n++;
	}
	return n;
}

static void metrics_are_stats(void **state)
{
	static struct served second;
	static struct served *two[] = {&disk, &second};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	json_t *stats, *vms;

	second = (struct served){.name = "db01"};
	second.now.path = second.now.socket = second.now.engine = "";
	number_disk(&disk, 1);
	number_disk(&second, 2);
	serve.disks = (struct served_list){.disks = two, .nr = 2};
	serve__metrics(&serve, f);
	fclose(f);
	stats = serve__stats(&serve);
	vms = json_object_get(stats, "vms");
	assert_int_equal(json_array_size(vms), 2);
	/* The numbers do not fall together. */
	assert_int_not_equal(disk.now.counts.hits, second.now.counts.hits);
	assert_int_equal(stat_of(json_array_get(vms, 0), "hits"), disk.now.counts.hits);
	assert_int_equal(stat_of(json_array_get(vms, 1), "hits"), second.now.counts.hits);
	/* None is left out: those, two more of disks, the histogram; 8 of the server. */
	assert_int_equal(count_of(text, "# TYPE hvtrace_"),
			 nr_served_counts + sizeof(others) / sizeof(others[0]) + 3 + 8);
	for (size_t i = 0; i < 2; i++)
		compare_disk(text, json_array_get(vms, i));
	json_decref(stats);
	free(text);
	serve.disks = (struct served_list){.disks = disks, .nr = 1};
}

/* --- disks that come and go --- */

static void add_one(struct served_list *l, __u64 hits, bool removed)
{
	struct served *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	d->ended = d->removed = removed;
	d->now.counts.hits = hits;
	d->now.counts.audit_failed = 1;
	d->now.hit.bucket[3] = 2;
	d->now.miss.sum_ns = 7;
	l->disks = realloc(l->disks, (l->nr + 1) * sizeof(*l->disks));
	assert_non_null(l->disks);
	l->disks[l->nr++] = d;
}

static void removed_disks(void **state)
{
	struct served_list l = {0};

	add_one(&l, 1000000, false);
	for (unsigned i = 1; i <= 300; i++) {
		add_one(&l, i, true);
		served_list__trim(&l);
		assert_int_equal(l.nr, 1 + (i < SERVED_REMOVED ? i : SERVED_REMOVED));
		assert_int_equal(l.nr_rest, i < SERVED_REMOVED ? 0 : i - SERVED_REMOVED);
	}
	/* The one that is served, and the last ones in their order. */
	assert_int_equal(l.disks[0]->now.counts.hits, 1000000);
	for (unsigned i = 1; i < l.nr; i++)
		assert_int_equal(l.disks[i]->now.counts.hits, 300 - SERVED_REMOVED + i);
	/* 1 to 236. */
	assert_int_equal(l.rest.now.counts.hits, 236 * 237 / 2);
	assert_int_equal(l.rest.now.counts.audit_failed, 236);
	assert_int_equal(l.rest.now.hit.bucket[3], 2 * 236);
	assert_int_equal(l.rest.now.miss.sum_ns, 7 * 236);
	assert_string_equal(l.rest.name, "236 removed before");
	/* All of those that are there at the end are reported. */
	for (unsigned i = 0; i < 100; i++) {
		add_one(&l, 0, false);
		l.disks[l.nr - 1]->ended = true;
	}
	served_list__trim(&l);
	assert_int_equal(l.nr, 1 + SERVED_REMOVED + 100);
	served_list__free(&l);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		CASE(few_frames),	  CASE(some_zeroed),	   CASE(booted_anew),
		CASE(counters_that_grow), CASE(findings_in_stats), CASE(means),
		CASE(sums_in_metrics),	  CASE(metrics_are_stats), CASE(removed_disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
