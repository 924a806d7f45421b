// SPDX-License-Identifier: GPL-2.0
/* What each page event means to the engine, its bounds, and its sampling. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/engine.h"
#include "random.h"

#define NONE PE_FRAME_NONE
#define HALF (PE_SAMPLE_ALL >> 1)

static struct engine *new_engine(__u64 threshold, __u64 max_pages, size_t max_bytes)
{
	const struct engine_opts opts = {
		.sz = sizeof(opts),
		.max_pages = max_pages,
		.threshold = threshold,
		.max_bytes = max_bytes,
	};
	struct engine *e = engine__new(&opts);

	assert_non_null(e);
	return e;
}

static int send_to(struct engine *e, __u16 vm, enum page_space space, enum page_event_kind kind,
		   __u64 page, __u64 frame, __u32 count)
{
	const struct page_event ev = {
		.page = page,
		.frame = frame,
		.count = count,
		.vm = vm,
		.kind = kind,
		.space = space,
	};

	return engine__apply(e, &ev, 1);
}

static void send(struct engine *e, enum page_event_kind kind, __u64 page, __u64 frame)
{
	assert_int_equal(send_to(e, 0, SPACE_DISK, kind, page, frame, 1), 0);
}

static struct engine_counts counts_of(const struct engine *e, __u16 vm, enum page_space space)
{
	struct engine_counts c;

	engine__counts(e, vm, space, &c);
	assert_int_equal(c.cold + c.refaults + c.unseen, c.fills);
	return c;
}

static struct curve_point point_at(const struct engine *e, __u64 size)
{
	struct curve_point p;

	assert_int_equal(engine__curve(e, 0, SPACE_DISK, &size, 1, &p), 0);
	assert_int_equal(p.size, size);
	return p;
}

static void test_nothing_seen(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);
	struct engine_counts c = {.fills = 5};
	struct curve_point p;
	__u64 size = 0;

	assert_false(engine__counts(e, 0, SPACE_DISK, &c));
	assert_int_equal(c.fills, 0);
	assert_int_equal(engine__curve(e, 0, SPACE_DISK, &size, 1, &p), -ENOENT);
	assert_int_equal(engine__max_distance(e, 0, SPACE_MEM), 0);
	assert_int_equal(engine__reuse(e, 0, SPACE_DISK, 0, 100), 0);
	assert_string_equal(engine__order(e, 0, SPACE_DISK), "eviction");
	assert_false(engine__counts(e, 65535, SPACE_DISK, &c));
	engine__forget(e, 65535);
	engine__free(e);
	engine__free(NULL);
}

static void test_kinds(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);
	struct engine_counts c;

	send(e, PAGE_FILL, 1, 100);	 /* cold */
	send(e, PAGE_FILL, 2, 101);	 /* cold */
	send(e, PAGE_EVICT, 1, 100);	 /* 1 */
	send(e, PAGE_EVICT, 2, 999);	 /* stale: 2 is in 101 */
	send(e, PAGE_EVICT, 2, 101);	 /* 2 1 */
	send(e, PAGE_FILL, 1, 102);	 /* refault, distance 1 */
	send(e, PAGE_WRITEBACK, 2, 103); /* leaves the stack, no access */
	send(e, PAGE_FILL, 2, 103);	 /* unseen, bound 0 */
	send(e, PAGE_FILL, 3, NONE);	 /* cold, ordered by access */
	c = counts_of(e, 0, SPACE_DISK);
	assert_int_equal(c.fills, 5);
	assert_int_equal(c.cold, 3);
	assert_int_equal(c.refaults, 1);
	assert_int_equal(c.unseen, 1);
	assert_int_equal(c.evictions, 2);
	assert_int_equal(c.stale, 1);
	assert_int_equal(c.writebacks, 1);
	assert_int_equal(c.access_ordered, 1);
	assert_int_equal(c.tracked, 3);
	assert_int_equal(c.ghosts, 1);
	assert_int_equal(engine__reuse(e, 0, SPACE_DISK, 1, 2), 1);
	assert_int_equal(engine__reuse(e, 0, SPACE_DISK, 0, 1), 0);
	assert_int_equal(engine__reuse(e, 0, SPACE_DISK, 2, ~0ULL), 0);
	assert_int_equal(engine__max_distance(e, 0, SPACE_DISK), 2);
	engine__free(e);
}

static void test_uncaptured(void **state)
{
	const struct page_event ev[] = {
		{.page = 1, .frame = 5, .count = 1, .kind = PAGE_FILL},
		{.page = 1, .frame = 5, .count = 1, .kind = PAGE_EVICT, .flags = PE_UNCAPTURED},
		{.page = 1, .frame = 6, .count = 1, .kind = PAGE_FILL},
	};
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);

	assert_int_equal(engine__apply(e, ev, 3), 0);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).uncaptured, 1);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).evictions, 1);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).refaults, 1);
	engine__free(e);
}

/* A fill whose eviction was not seen: a hit for sure beyond its bound, else who knows. */
static void test_unseen_bounds(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);

	for (__u64 page = 0; page < 10; page++)
		send(e, PAGE_FILL, page, page);
	for (__u64 page = 1; page < 7; page++)
		send(e, PAGE_EVICT, page, page);
	send(e, PAGE_FILL, 0, 50); /* 6 evictions since it came in */
	assert_int_equal(counts_of(e, 0, SPACE_DISK).unseen, 1);
	assert_float_equal(point_at(e, 0).misses, 11, 0);
	assert_float_equal(point_at(e, 0).error, 0, 0);
	for (__u64 x = 1; x <= 6; x++) {
		assert_float_equal(point_at(e, x).misses, 10.5, 0);
		assert_float_equal(point_at(e, x).error, 0.5 / 11, 1e-12);
	}
	assert_float_equal(point_at(e, 7).misses, 10, 0);
	assert_float_equal(point_at(e, 7).error, 0, 0);
	assert_float_equal(curve_point__ratio(&(struct curve_point){0}), 0, 0);
	engine__free(e);
}

static void test_discard_disk(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);

	for (__u64 page = 0; page < 10; page++)
		send(e, PAGE_FILL, page, page);
	for (__u64 page = 0; page < 5; page++)
		send(e, PAGE_EVICT, page, page);
	/* A far larger range than there are pages, and one in the middle of another disk. */
	assert_int_equal(send_to(e, 0, SPACE_DISK, PAGE_DISCARD, 3, NONE, ~0U), 0);
	assert_int_equal(send_to(e, 0, SPACE_DISK, PAGE_DISCARD, pe_page(1, 0), NONE, 1), 0);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).ghosts, 3);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).discards, 1ULL << 32);
	/* Resident but dead: its frame's reuse pushes nothing. */
	send(e, PAGE_EVICT, 7, 7);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).ghosts, 3);
	send(e, PAGE_FILL, 4, 20);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).cold, 11);
	send(e, PAGE_FILL, 0, 21);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).refaults, 1);
	engine__free(e);
}

static void test_mem_space(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);
	struct engine_counts c;

	/* Frames are told or not: in this space a page is its frame. */
	for (__u64 frame = 0; frame < 6; frame++)
		send_to(e, 2, SPACE_MEM, PAGE_EVICT, frame, frame % 2 ? frame : NONE, 1);
	send_to(e, 2, SPACE_MEM, PAGE_FILL, 4, NONE, 1);
	send_to(e, 2, SPACE_MEM, PAGE_FILL, 0, 0, 1);
	/* Dropped by the VMM: what was paged out is gone, what comes next is new. */
	send_to(e, 2, SPACE_MEM, PAGE_DISCARD, 0, NONE, 3);
	c = counts_of(e, 2, SPACE_MEM);
	assert_int_equal(c.refaults, 2);
	assert_int_equal(c.access_ordered, 0);
	assert_int_equal(c.ghosts, 2);
	assert_int_equal(c.tracked, 3);
	assert_int_equal(engine__reuse(e, 2, SPACE_MEM, 1, 2), 1);
	assert_int_equal(engine__reuse(e, 2, SPACE_MEM, 4, 5), 1);
	send_to(e, 2, SPACE_MEM, PAGE_EVICT, 0, 0, 1);
	assert_int_equal(counts_of(e, 2, SPACE_MEM).ghosts, 3);
	assert_false(engine__counts(e, 2, SPACE_DISK, &c));
	engine__free(e);
}

static void test_vms_apart(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);
	struct engine_counts c;

	for (__u16 vm = 0; vm < PE_MAX_VMS; vm++)
		for (__u64 page = 0; page <= vm; page++)
			send_to(e, vm, SPACE_DISK, PAGE_FILL, page, NONE, 1);
	for (__u16 vm = 0; vm < PE_MAX_VMS; vm++)
		assert_int_equal(counts_of(e, vm, SPACE_DISK).cold, vm + 1);
	engine__forget(e, 5);
	assert_false(engine__counts(e, 5, SPACE_DISK, &c));
	assert_int_equal(counts_of(e, 6, SPACE_DISK).tracked, 7);
	send_to(e, 5, SPACE_DISK, PAGE_FILL, 1, NONE, 1);
	assert_int_equal(counts_of(e, 5, SPACE_DISK).cold, 1);
	engine__free(e);
}

static void test_malformed(void **state)
{
	const struct page_event ev[] = {
		{.page = 1, .frame = 5, .count = 1, .kind = PAGE_EVENT_KINDS},
		{.page = 1, .frame = 5, .count = 1, .vm = PE_MAX_VMS, .kind = PAGE_FILL},
		{.page = 1, .frame = 5, .count = 1, .kind = PAGE_FILL},
	};
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);

	assert_int_equal(engine__apply(e, ev, 3), -EINVAL);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).fills, 1);
	assert_int_equal(engine__apply(e, ev, 0), 0);
	engine__free(e);
}

/* Options of an older program: what it does not know is off. */
static void test_short_options(void **state)
{
	const struct engine_opts opts = {
		.sz = offsetof(struct engine_opts, threshold),
		.threshold = 1,
		.max_bytes = 1,
	};
	struct engine *e = engine__new(&opts);

	for (__u64 page = 0; page < 100; page++)
		send(e, PAGE_FILL, page, page);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).fills, 100);
	engine__free(e);
}

/* With room for n pages the curve is exact below the depth that was kept: all but the sixteenth of
 * the ghosts that is dropped at once. */
static void test_max_pages(void **state)
{
	enum { DISK = 3000, MAX = 1000, ACCESSES = 60000 };
	struct engine *whole = new_engine(PE_SAMPLE_ALL, 0, 0);
	struct engine *bound = new_engine(PE_SAMPLE_ALL, MAX, 0);
	struct random r = {random__seed()};
	struct engine_counts c;

	for (int i = 0; i < ACCESSES; i++) {
		__u64 page = random__zipf(&r, DISK, 0.6), size = MAX;
		struct curve_point p;

		send_to(whole, 0, SPACE_DISK, PAGE_FILL, page, NONE, 1);
		send_to(bound, 0, SPACE_DISK, PAGE_FILL, page, NONE, 1);
		if (i % 5000)
			continue;
		for (size = 0; size <= MAX - MAX / 16 - 1; size += 50) {
			engine__curve(whole, 0, SPACE_DISK, &size, 1, &p);
			assert_float_equal(point_at(bound, size).misses, p.misses, 0);
		}
	}
	c = counts_of(bound, 0, SPACE_DISK);
	assert_in_range(c.tracked, MAX - MAX / 16 - 1, MAX);
	assert_int_equal(c.lost, 0);
	assert_int_equal(c.fills, ACCESSES);
	assert_int_equal(c.ghosts_dropped, c.cold - c.tracked);
	assert_true(c.ghosts_dropped > 0);
	assert_int_equal(counts_of(whole, 0, SPACE_DISK).ghosts_dropped, 0);
	engine__free(whole);
	engine__free(bound);
}

/* The largest stack pays; who has no ghost, and finds none with others, loses. */
static void test_max_pages_shared(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL, 100, 0);
	struct engine_counts c;

	for (__u64 page = 0; page < 80; page++)
		send_to(e, 1, SPACE_DISK, PAGE_FILL, page, NONE, 1);
	for (__u64 page = 0; page < 20; page++)
		send_to(e, 2, SPACE_DISK, PAGE_FILL, page, NONE, 1);
	for (__u64 page = 0; page < 60; page++)
		send_to(e, 3, SPACE_DISK, PAGE_FILL, page, page, 1);
	c = counts_of(e, 1, SPACE_DISK);
	assert_in_range(c.ghosts_dropped, 60, 65);
	assert_int_equal(c.ghosts, 80 - c.ghosts_dropped);
	assert_in_range(counts_of(e, 2, SPACE_DISK).ghosts, 18, 20);
	for (__u64 page = 60; page < 200; page++)
		send_to(e, 3, SPACE_DISK, PAGE_FILL, page, page, 1);
	c = counts_of(e, 3, SPACE_DISK);
	assert_int_equal(c.tracked, 100);
	assert_int_equal(c.lost, 100);
	assert_int_equal(c.fills, 100);
	assert_int_equal(counts_of(e, 1, SPACE_DISK).tracked, 0);
	/* Room again when a VM goes. */
	engine__forget(e, 3);
	send_to(e, 1, SPACE_DISK, PAGE_FILL, 7, NONE, 1);
	assert_int_equal(counts_of(e, 1, SPACE_DISK).tracked, 1);
	engine__free(e);
}

static void test_no_memory(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 4 << 20);
	__u64 page = 0, lost = 0;
	struct engine_counts c;

	for (; page < 300000; page++)
		lost += send_to(e, 0, SPACE_DISK, PAGE_FILL, page, NONE, 1) == -ENOMEM;
	c = counts_of(e, 0, SPACE_DISK);
	assert_true(lost > 0);
	assert_int_equal(c.lost, lost);
	assert_int_equal(c.fills + c.lost, page);
	assert_true(engine__bytes(e) < 5 << 20);
	/* Room again when a VM goes. */
	engine__forget(e, 0);
	assert_int_equal(send_to(e, 1, SPACE_DISK, PAGE_FILL, 1, NONE, 1), 0);
	assert_int_equal(counts_of(e, 1, SPACE_DISK).cold, 1);
	engine__free(e);
}

static void test_threshold_values(void **state)
{
	struct engine *e = new_engine(HALF, 0, 0);

	assert_int_equal(engine__set_threshold(e, PE_SAMPLE_ALL), -EINVAL);
	assert_int_equal(engine__set_threshold(e, HALF + 1), -EINVAL);
	assert_int_equal(engine__set_threshold(e, HALF), 0);
	assert_int_equal(engine__set_threshold(e, HALF - 1), 0);
	assert_int_equal(engine__set_threshold(e, HALF / 3), 0);
	assert_int_equal(engine__set_threshold(e, HALF >> 3), 0);
	assert_int_equal(engine__set_threshold(e, HALF), -EINVAL);
	assert_int_equal(engine__set_threshold(e, PE_SAMPLE_ALL >> 33), -EINVAL);
	assert_int_equal(engine__set_threshold(e, 0), -EINVAL);
	assert_int_equal(engine__set_threshold(e, PE_SAMPLE_ALL >> 32), 0);
	engine__free(e);
	errno = 0;
	assert_null(engine__new(&(struct engine_opts){.sz = sizeof(struct engine_opts)}));
	assert_int_equal(errno, EINVAL);
}

/* Events of pages above the threshold are none; the others stand for them, too. */
static void test_sampled_counts(void **state)
{
	struct engine *e = new_engine(PE_SAMPLE_ALL >> 2, 0, 0);
	__u64 sampled = 0;

	for (__u64 page = 0; page < 4000; page++) {
		sampled += pe_lot(page, SPACE_DISK) <= PE_SAMPLE_ALL >> 2;
		send(e, PAGE_FILL, page, page);
		send(e, PAGE_WRITEBACK, page, page);
		send(e, PAGE_EVICT, page, page);
	}
	assert_int_equal(counts_of(e, 0, SPACE_DISK).fills, 4 * sampled);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).writebacks, 4 * sampled);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).evictions, 4 * sampled);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).tracked, sampled);
	assert_true(abs((int)(4 * sampled) - 4000) < 400);
	/* A rate that is no power of two. */
	engine__free(e);
	e = new_engine(PE_SAMPLE_ALL / 3, 0, 0);
	for (__u64 page = 0; page < 3000; page++)
		send(e, PAGE_FILL, page, page);
	assert_true(llabs((long long)counts_of(e, 0, SPACE_DISK).fills - 3000) < 300);
	assert_int_equal(counts_of(e, 0, SPACE_DISK).fills,
			 3 * counts_of(e, 0, SPACE_DISK).tracked);
	engine__free(e);
}

/* One trace for the tests below: a guest of FRAMES frames, first in first out, Zipf plus a loop. */
enum { DISK = 30000, FRAMES = 1500, ACCESSES = 200000, SIZES = 40 };

struct trace {
	struct page_event *ev;
	size_t n;
};

static struct trace make_trace(struct random *r)
{
	static __u32 frame_of[DISK], page_in[FRAMES];
	struct trace t = {.ev = malloc(2 * ACCESSES * sizeof(*t.ev))};
	double skew = 0.3 + 0.5 * random__unit(r);
	__u64 next = 0, hand = 0;

	memset(frame_of, 0, sizeof(frame_of));
	memset(page_in, 0, sizeof(page_in));
	for (int i = 0; i < ACCESSES; i++) {
		__u64 page = random__one_in(r, 4) ? next++ % (DISK / 3)
						  : random__zipf(r, DISK, skew) * 7919 % DISK;
		__u64 frame;

		if (frame_of[page])
			continue;
		frame = hand++ % FRAMES;
		if (page_in[frame]) {
			__u64 victim = page_in[frame] - 1;

			t.ev[t.n++] = (struct page_event){
				.page = victim, .frame = frame, .count = 1, .kind = PAGE_EVICT};
			frame_of[victim] = 0;
		}
		t.ev[t.n++] = (struct page_event){
			.page = page, .frame = frame, .count = 1, .kind = PAGE_FILL};
		frame_of[page] = frame + 1;
		page_in[frame] = page + 1;
	}
	return t;
}

static void curve_of(const struct engine *e, struct curve_point *out)
{
	__u64 sizes[SIZES];

	for (int i = 0; i < SIZES; i++)
		sizes[i] = (__u64)i * DISK / SIZES + (i ? 17 : 0);
	assert_int_equal(engine__curve(e, 0, SPACE_DISK, sizes, SIZES, out), 0);
}

/* Events come in batches of any length, which must not matter. */
static void test_batches(void **state)
{
	struct random r = {random__seed()};
	struct trace t = make_trace(&r);
	struct engine *one = new_engine(HALF, 5000, 0), *many = new_engine(HALF, 5000, 0);
	struct curve_point a[SIZES], b[SIZES];
	struct engine_counts x, y;

	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(engine__apply(one, &t.ev[i], 1), 0);
	for (size_t i = 0, n; i < t.n; i += n) {
		n = 1 + random__below(&r, 100);
		n = n < t.n - i ? n : t.n - i;
		assert_int_equal(engine__apply(many, &t.ev[i], n), 0);
	}
	x = counts_of(one, 0, SPACE_DISK);
	y = counts_of(many, 0, SPACE_DISK);
	assert_true(x.ghosts_dropped > 0 && x.refaults > 0);
	assert_memory_equal(&x, &y, sizeof(x));
	curve_of(one, a);
	curve_of(many, b);
	for (int i = 0; i < SIZES; i++) {
		assert_float_equal(a[i].misses, b[i].misses, 0);
		assert_float_equal(a[i].error, b[i].error, 0);
	}
	engine__free(one);
	engine__free(many);
	free(t.ev);
}

struct score {
	int points, within;
	double error, off;
};

static void compare(struct score *s, const struct curve_point *exact,
		    const struct curve_point *sampled)
{
	for (int i = 0; i < SIZES; i++) {
		double off = fabs(curve_point__ratio(&exact[i]) - curve_point__ratio(&sampled[i]));

		s->points++;
		s->within += off <= sampled[i].error + 1e-12;
		s->error += sampled[i].error;
		s->off += off;
	}
}

static void check_score(const char *what, const struct score *s)
{
	printf("%s: %.1f %% of points within the error, which is %.3f, and the difference %.3f "
	       "on average\n",
	       what, 100.0 * s->within / s->points, s->error / s->points, s->off / s->points);
	assert_true(s->within >= 0.85 * s->points);
	/* An error that says anything would do: it must not be much larger than it has to be. */
	assert_true(s->error / s->points < 0.1);
	assert_true(s->error < 20 * s->off);
}

static void test_sampled_error(void **state)
{
	struct random r = {random__seed_or(1)};
	struct score by_rate[3] = {0};

	for (int k = 0; k < 12; k++) {
		struct engine *exact = new_engine(PE_SAMPLE_ALL, 0, 0);
		struct curve_point want[SIZES], got[SIZES];
		struct trace t = make_trace(&r);

		/* Other pages are sampled in each round. */
		for (size_t i = 0; i < t.n; i++)
			t.ev[i].page += pe_page(k, random__next(&(struct random){k}) >> 30);
		assert_int_equal(engine__apply(exact, t.ev, t.n), 0);
		curve_of(exact, want);
		for (int shift = 2; shift <= 6; shift += 2) {
			struct engine *e = new_engine(PE_SAMPLE_ALL >> shift, 0, 0);

			assert_int_equal(engine__apply(e, t.ev, t.n), 0);
			curve_of(e, got);
			compare(&by_rate[shift / 2 - 1], want, got);
			engine__free(e);
		}
		engine__free(exact);
		free(t.ev);
	}
	check_score("1/4", &by_rate[0]);
	check_score("1/16", &by_rate[1]);
	check_score("1/64", &by_rate[2]);
}

/*
 * Which pages are sampled decides how many accesses are seen of each: here pages are read 1 to 20
 * times in a row, so that distances are all 0 and only this error is left.
 */
static void test_sampled_ratio(void **state)
{
	struct random r = {random__seed_or(1)};
	int within = 0, rounds = 200;
	double error = 0, off = 0;

	for (int k = 0; k < rounds; k++) {
		struct engine *e = new_engine(PE_SAMPLE_ALL >> 3, 0, 0);
		__u64 pages = 4000, accesses = 0;
		struct curve_point p;
		double diff;

		for (__u64 i = 0; i < pages; i++) {
			__u64 page = pe_page(k, i), times = 1 + random__below(&r, 20);

			for (__u64 n = 0; n < times; n++)
				send(e, PAGE_FILL, page, NONE);
			accesses += times;
		}
		p = point_at(e, 1000);
		diff = fabs(curve_point__ratio(&p) - (double)pages / accesses);
		within += diff <= p.error;
		error += p.error;
		off += diff;
		engine__free(e);
	}
	printf("%d of %d within the error, %.4f; the difference is %.4f\n", within, rounds,
	       error / rounds, off / rounds);
	assert_true(within >= 0.9 * rounds);
	/* Two standard deviations are 2.5 times the mean difference. */
	assert_true(error < 4 * off);
}

/* The rate falls while events come. */
static void test_threshold_falls(void **state)
{
	struct random r = {random__seed_or(1)};
	struct score score = {0};

	for (int k = 0; k < 12; k++) {
		struct engine *exact = new_engine(PE_SAMPLE_ALL, 0, 0);
		struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);
		struct curve_point want[SIZES], got[SIZES];
		struct trace t = make_trace(&r);
		__u64 threshold = PE_SAMPLE_ALL;

		for (int part = 0; part < 4; part++) {
			size_t from = t.n * part / 4, n = t.n * (part + 1) / 4 - from;
			struct engine_counts before, after;

			assert_int_equal(engine__apply(e, t.ev + from, n), 0);
			before = counts_of(e, 0, SPACE_DISK);
			threshold >>= part == 1 ? 2 : 1;
			assert_int_equal(engine__set_threshold(e, threshold), 0);
			after = counts_of(e, 0, SPACE_DISK);
			/* What was counted stays; what is tracked shrinks as the rate does. */
			assert_true(after.tracked < before.tracked * 2 / 3);
			before.tracked = after.tracked;
			before.ghosts = after.ghosts;
			assert_memory_equal(&before, &after, sizeof(before));
		}
		assert_int_equal(engine__apply(exact, t.ev, t.n), 0);
		curve_of(exact, want);
		curve_of(e, got);
		compare(&score, want, got);
		assert_true(fabs(got[0].accesses / want[0].accesses - 1) < 0.2);
		engine__free(e);
		engine__free(exact);
		free(t.ev);
	}
	check_score("falling", &score);
}

/* Memory, all told, of a guest with a million pages that keep being evicted and read again. */
static void test_bytes(void **state)
{
	const __u64 n = 1 << 20;
	struct engine *e = new_engine(PE_SAMPLE_ALL, 0, 0);
	struct random r = {1};
	double each;

	for (__u64 page = 0; page < n; page++)
		send(e, PAGE_FILL, page, NONE);
	for (__u64 i = 0; i < n; i++)
		send(e, PAGE_FILL, random__below(&r, n), NONE);
	each = (double)engine__bytes(e) / n;
	printf("%.1f bytes a ghost, %s\n", each, engine__backing(e));
	assert_int_equal(counts_of(e, 0, SPACE_DISK).ghosts, n);
	assert_true(each <= 40); /* stack and histogram, and chunks that are not full */
	engine__free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_seen),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_uncaptured),
		cmocka_unit_test(test_unseen_bounds),
		cmocka_unit_test(test_discard_disk),
		cmocka_unit_test(test_mem_space),
		cmocka_unit_test(test_vms_apart),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_short_options),
		cmocka_unit_test(test_max_pages),
		cmocka_unit_test(test_max_pages_shared),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_threshold_values),
		cmocka_unit_test(test_sampled_counts),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_sampled_error),
		cmocka_unit_test(test_sampled_ratio),
		cmocka_unit_test(test_threshold_falls),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
