// SPDX-License-Identifier: GPL-2.0
/* The merge of many CPUs' events into one stream. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../loader/merge.h"
#include "random.h"

#define MAX_CPUS 8
#define MAX_EVENTS 20000 /* of a CPU */

/* What was handed over. An event's frame is its CPU, its page its place among that CPU's. */
struct taken {
	struct page_event *events;
	size_t n, calls;
};

static void on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct taken *t = ctx;

	assert_true(n > 0);
	assert_true(t->n + n <= MAX_CPUS * MAX_EVENTS);
	memcpy(t->events + t->n, events, n * sizeof(*events));
	t->n += n;
	t->calls++;
}

static struct taken taken__new(void)
{
	struct taken t = {.events = calloc(MAX_CPUS * MAX_EVENTS, sizeof(*t.events))};

	assert_non_null(t.events);
	return t;
}

static struct page_event event_of(__u64 cpu, __u64 number, __u64 time)
{
	return (struct page_event){.time = time, .page = number, .frame = cpu, .count = 1};
}

/* ---------------------------------------------------------------- random */

struct cpu {
	struct page_event *events; /* as the CPU sends them */
	size_t n, added;
};

/* Nearly in order: now and then an interrupt's event is sent ahead of older ones, and
 * many have the same time. */
static void make_events(struct random *r, struct cpu *cpu, __u64 id)
{
	__u64 time = 1000;

	cpu->n = random__below(r, MAX_EVENTS);
	cpu->added = 0;
	for (size_t i = 0; i < cpu->n; i++) {
		time += random__one_in(r, 3) ? 0 : random__below(r, 10);
		cpu->events[i] = event_of(id, i, time);
		if (i && random__one_in(r, 20))
			cpu->events[i].time =
				cpu->events[i - 1 - random__below(r, i < 9 ? i : 9)].time;
	}
}

/* The oldest of what a CPU has not sent yet: so far the stream is complete. */
static __u64 complete_until(const struct cpu *cpus, size_t n)
{
	__u64 until = ~0ULL;

	for (size_t c = 0; c < n; c++) {
		for (size_t i = cpus[c].added; i < cpus[c].n; i++) {
			if (cpus[c].events[i].time < until)
				until = cpus[c].events[i].time;
		}
	}
	return until;
}

static size_t add_some(struct random *r, struct merge *m, struct cpu *cpus, size_t n)
{
	size_t added = 0;

	for (size_t c = 0; c < n; c++) {
		size_t left = cpus[c].n - cpus[c].added, some = random__below(r, 3000);

		some = some < left ? some : left;
		assert_int_equal(merge__add(m, c, cpus[c].events + cpus[c].added, some), 0);
		cpus[c].added += some;
		added += some;
	}
	return added;
}

/* By time; of one CPU and one time in the order they were sent. */
static void check_order(const struct taken *t)
{
	for (size_t i = 1; i < t->n; i++)
		assert_true(t->events[i - 1].time <= t->events[i].time);
	for (__u64 cpu = 0; cpu < MAX_CPUS; cpu++) {
		const struct page_event *last = NULL;

		for (size_t i = 0; i < t->n; i++) {
			const struct page_event *e = &t->events[i];

			if (e->frame != cpu)
				continue;
			if (last && last->time == e->time)
				assert_true(last->page < e->page);
			last = e;
		}
	}
}

/* Each event that was added, once, and as it was. */
static void check_complete(const struct taken *t, const struct cpu *cpus, size_t n)
{
	bool *seen[MAX_CPUS];
	size_t all = 0;

	for (size_t c = 0; c < n; c++) {
		seen[c] = calloc(cpus[c].n + 1, sizeof(bool));
		all += cpus[c].n;
	}
	assert_int_equal(t->n, all);
	for (size_t i = 0; i < t->n; i++) {
		const struct page_event *e = &t->events[i];

		assert_true(e->frame < n && e->page < cpus[e->frame].n);
		assert_memory_equal(e, &cpus[e->frame].events[e->page], sizeof(*e));
		assert_false(seen[e->frame][e->page]);
		seen[e->frame][e->page] = true;
	}
	for (size_t c = 0; c < n; c++)
		free(seen[c]);
}

static void check_stream(struct random *r, struct cpu *cpus, size_t n)
{
	struct merge *m = merge__new(n);
	struct taken t = taken__new();
	size_t added = 0;

	assert_non_null(m);
	for (size_t c = 0; c < n; c++)
		make_events(r, &cpus[c], c);
	for (__u64 until = 0; until != ~0ULL;) {
		size_t before = t.n, took;

		added += add_some(r, m, cpus, n);
		until = complete_until(cpus, n);
		took = merge__take(m, until, on_events, &t);
		assert_int_equal(took, t.n - before);
		for (size_t i = before; i < t.n; i++)
			assert_true(t.events[i].time < until);
		assert_int_equal(merge__waiting(m), added - t.n);
	}
	check_order(&t);
	check_complete(&t, cpus, n);
	free(t.events);
	merge__free(m);
}

static void test_random(void **state)
{
	struct random r = {random__seed()};
	struct cpu cpus[MAX_CPUS];

	for (size_t c = 0; c < MAX_CPUS; c++) {
		cpus[c].events = calloc(MAX_EVENTS, sizeof(struct page_event));
		assert_non_null(cpus[c].events);
	}
	for (int round = 0; round < 24; round++)
		check_stream(&r, cpus, 1 + round % MAX_CPUS);
	for (size_t c = 0; c < MAX_CPUS; c++)
		free(cpus[c].events);
}

/* ----------------------------------------------------------------- edges */

static void test_until(void **state)
{
	const struct page_event events[] = {event_of(0, 0, 10), event_of(0, 1, 20),
					    event_of(0, 2, 20), event_of(0, 3, 30)};
	struct merge *m = merge__new(2);
	struct taken t = taken__new();

	assert_int_equal(merge__add(m, 0, events, 4), 0);
	assert_int_equal(merge__take(m, 10, on_events, &t), 0);
	assert_int_equal(t.calls, 0);
	assert_int_equal(merge__take(m, 20, on_events, &t), 1);
	assert_int_equal(merge__waiting(m), 3);
	assert_int_equal(merge__take(m, 21, on_events, &t), 2);
	assert_int_equal(merge__take(m, 21, on_events, &t), 0);
	assert_int_equal(merge__take(m, ~0ULL, on_events, &t), 1);
	assert_int_equal(merge__waiting(m), 0);
	assert_memory_equal(t.events, events, sizeof(events));
	free(t.events);
	merge__free(m);
}

/* An event older than what was handed over already comes next: late, but not lost. */
static void test_late(void **state)
{
	const struct page_event events[] = {event_of(0, 0, 10), event_of(0, 1, 30)};
	const struct page_event late = event_of(1, 0, 5);
	struct merge *m = merge__new(2);
	struct taken t = taken__new();

	assert_int_equal(merge__add(m, 0, events, 2), 0);
	assert_int_equal(merge__take(m, 20, on_events, &t), 1);
	assert_int_equal(merge__add(m, 1, &late, 1), 0);
	assert_int_equal(merge__take(m, ~0ULL, on_events, &t), 2);
	assert_memory_equal(&t.events[1], &late, sizeof(late));
	assert_memory_equal(&t.events[2], &events[1], sizeof(late));
	free(t.events);
	merge__free(m);
}

static void test_bad_cpu(void **state)
{
	const struct page_event e = event_of(0, 0, 10);
	struct merge *m = merge__new(2);

	assert_int_equal(merge__add(m, 2, &e, 1), -EINVAL);
	assert_int_equal(merge__add(m, ~(size_t)0, &e, 1), -EINVAL);
	assert_int_equal(merge__add(m, 1, NULL, 0), 0);
	assert_int_equal(merge__waiting(m), 0);
	merge__free(m);
	merge__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_bad_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
