// SPDX-License-Identifier: GPL-2.0
/* Event rings: nothing is lost but what is counted, and several come out in the order of time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "../../cache/serve/event_ring.h"

#define WRITERS 3
#define EVENTS 300000

struct reader {
	__u64 next[WRITERS], last, n;
	int in_order;
};

static void got(void *ctx, const struct page_event *e, size_t n)
{
	struct reader *r = ctx;

	for (size_t i = 0; i < n; i++) {
		assert_true(e[i].page >= r->next[e[i].vm]);
		r->next[e[i].vm] = e[i].page + 1;
		if (r->in_order)
			assert_true(e[i].time >= r->last);
		r->last = e[i].time;
		r->n++;
	}
}

static void test_merges_by_time(void **state)
{
	struct event_ring *r[WRITERS];
	struct reader reader = {.in_order = 1};

	for (int i = 0; i < WRITERS; i++)
		r[i] = event_ring__new();
	for (__u64 t = 0; t < 5000; t++)
		event_ring__put(r[t % 7 % WRITERS],
				&(struct page_event){.time = t, .page = t, .vm = t % 7 % WRITERS});
	event_rings__take(r, WRITERS, got, &reader);
	assert_int_equal(reader.n, 5000);
	event_rings__take(r, WRITERS, got, &reader);
	assert_int_equal(reader.n, 5000);
	for (int i = 0; i < WRITERS; i++)
		event_ring__free(r[i]);
	event_rings__take(NULL, 0, got, &reader);
}

static void test_full(void **state)
{
	struct event_ring *r = event_ring__new();
	struct reader reader = {};

	for (__u64 i = 0; i < EVENT_RING + 10; i++) {
		event_ring__put(r, &(struct page_event){.page = i});
		if (i == EVENT_RING / 2 - 1)
			assert_false(event_ring__urgent(r));
	}
	assert_true(event_ring__urgent(r));
	assert_int_equal(event_ring__dropped(r), 10);
	event_rings__take(&r, 1, got, &reader);
	assert_int_equal(reader.n, EVENT_RING);
	assert_int_equal(event_ring__sent(r), EVENT_RING);
	event_ring__put(r, &(struct page_event){.page = EVENT_RING + 10});
	event_rings__take(&r, 1, got, &reader);
	assert_int_equal(reader.n, EVENT_RING + 1);
	event_ring__free(r);
}

struct writer {
	struct event_ring *ring;
	__u16 vm;
};

static void *write_all(void *arg)
{
	struct writer *w = arg;

	for (__u64 i = 0; i < EVENTS; i++) {
		event_ring__put(w->ring, &(struct page_event){.time = i, .page = i, .vm = w->vm});
		if (i % 4096 == 0)
			sched_yield();
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct event_ring *r[WRITERS];
	struct writer w[WRITERS];
	struct reader reader = {};
	__u64 sent = 0, dropped = 0;
	pthread_t t[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		r[i] = event_ring__new();
		w[i] = (struct writer){r[i], i};
		pthread_create(&t[i], NULL, write_all, &w[i]);
	}
	while (sent + dropped < WRITERS * EVENTS) {
		event_rings__take(r, WRITERS, got, &reader);
		sent = dropped = 0;
		for (int i = 0; i < WRITERS; i++) {
			sent += event_ring__sent(r[i]);
			dropped += event_ring__dropped(r[i]);
		}
	}
	event_rings__take(r, WRITERS, got, &reader);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(t[i], NULL);
		event_ring__free(r[i]);
	}
	assert_int_equal(reader.n, sent);
	assert_int_equal(sent + dropped, WRITERS * EVENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merges_by_time),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
