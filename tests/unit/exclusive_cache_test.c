// SPDX-License-Identifier: GPL-2.0
/* The exclusive cache against a model of it, and what the model does not reach. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "../../cache/store/exclusive_cache.h"
#include "../../cache/store/arena.h"
#include "random.h"
#include "store_model.h"

/* Pages of a working set more often than others; kinds above 252 now and then. */
static struct model_op random_op(struct random *r, __u32 set, int rare)
{
	struct model_op op = {
		.kind = random__below(r, 250),
		.how = random__next(r),
		.page = random__below(r, random__one_in(r, 3) ? MODEL_PAGES : set),
		.frame = random__below(r, random__one_in(r, 4) ? 5 : MODEL_FRAMES),
		.n = random__next(r),
	};

	if (random__one_in(r, rare))
		op.kind = 253 + random__below(r, 3);
	return op;
}

static void drive(struct random *r, const struct model_opts *o, int ops)
{
	struct store_model *m = store_model__new(o);
	__u32 set = 10 + random__below(r, MODEL_PAGES / 2);
	int rare = 50 + random__below(r, 400);

	for (__u32 i = 0; i < MODEL_CHUNKS; i++)
		if (random__one_in(r, 2))
			store_model__add_chunk(m, i);
	for (int i = 0; i < ops; i++) {
		store_model__do(m, random_op(r, set, rare));
		if (random__one_in(r, 100))
			store_model__check(m);
	}
	store_model__check(m);
	store_model__free(m);
}

static void test_random(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 24; i++) {
		struct model_opts o = {
			.s3fifo = i % 2,
			.max_ghosts = random__one_in(&r, 2) ? 1 + random__below(&r, 900) : 0,
		};

		drive(&r, &o, 4000);
	}
}

static void test_few_residents(void **state)
{
	struct random r = {random__seed()};

	for (int i = 0; i < 8; i++) {
		struct model_opts o = {.s3fifo = i % 2, .max_resident = 1 + random__below(&r, 60)};

		drive(&r, &o, 2000);
	}
}

/* --- one LRU stack --- */

/* A guest of m frames that evicts in LRU order, for which the newest is first. */
struct guest {
	__u32 page[MODEL_FRAMES], frame[MODEL_FRAMES];
	__u32 n, m;
};

/* Whether it has the page; where to, if not: the frame of its oldest page, or a new one. */
static bool access_guest(struct guest *g, __u32 page, __u32 *frame)
{
	__u32 i = 0;
	bool hit;

	while (i < g->n && g->page[i] != page)
		i++;
	hit = i < g->n;
	if (!hit && g->n < g->m) {
		i = g->n++;
		g->frame[i] = i;
	} else if (!hit) {
		i = g->n - 1;
	}
	*frame = g->frame[i];
	memmove(g->page + 1, g->page, i * sizeof(*g->page));
	memmove(g->frame + 1, g->frame, i * sizeof(*g->frame));
	g->page[0] = page;
	g->frame[0] = *frame;
	return hit;
}

/* Misses of an LRU cache of so many pages. */
struct lru {
	__u32 page[MODEL_PAGES];
	__u32 n, size;
	__u64 misses;
};

static void access_lru(struct lru *l, __u32 page)
{
	__u32 i = 0;

	while (i < l->n && l->page[i] != page)
		i++;
	l->misses += i == l->n;
	if (i == l->n && l->n < l->size)
		l->n++;
	else if (i == l->n)
		i--;
	memmove(l->page + 1, l->page, i * sizeof(*l->page));
	l->page[0] = page;
}

static __u32 any_page(struct random *r, int kind, __u32 set, __u32 i)
{
	switch (kind) {
	case 0:
		return i % set; /* round and round */
	case 1:
		return random__zipf(r, MODEL_PAGES, 0.8);
	default:
		return random__below(r, random__one_in(r, 5) ? MODEL_PAGES : set);
	}
}

/*
 * Guest and cache together are one LRU stack of m + c pages, exactly: the guest's victim goes into
 * the slot that the hit has left, or that of the oldest page. But for one thing: the page that is
 * hit keeps its slot until the victim was captured. So a hit at a full cache evicts the oldest
 * page, where a stack would not, and c slots are as good as c - 1 or c.
 */
static void test_one_stack(void **state)
{
	struct random r = {random__seed()};

	for (int kind = 0; kind < 3; kind++) {
		struct store_model *m = store_model__new(&(struct model_opts){0});
		struct guest g = {.m = 1 + random__below(&r, MODEL_FRAMES)};
		struct lru more = {.size = g.m + 2 * ARENA_SLOTS};
		struct lru less = {.size = more.size - 1};
		__u32 set = more.size + 5 - random__below(&r, 10), frame;

		store_model__add_chunk(m, 0);
		store_model__add_chunk(m, 1);
		for (__u32 i = 0; i < 20000; i++) {
			__u32 page = any_page(&r, kind, set, i);

			if (!access_guest(&g, page, &frame))
				store_model__read(m, page, frame);
			access_lru(&more, page);
			access_lru(&less, page);
		}
		assert_true(m->misses >= more.misses && m->misses <= less.misses);
		store_model__check(m);
		store_model__free(m);
	}
}

/* --- policies --- */

/* Hits of a loop in its last round, after rounds with a long scan between each and the next. */
static __u64 loop_and_scan(bool s3fifo)
{
	enum { LOOP = 900, FRAMES = 100, ROUNDS = 6 };
	struct store_model *m = store_model__new(&(struct model_opts){.s3fifo = s3fifo});
	__u64 hits = 0;

	for (__u32 i = 0; i < 2; i++)
		store_model__add_chunk(m, i);
	for (__u32 n = 0; n < 2 * ROUNDS; n++) {
		hits = m->hits;
		/* Until it is known to be wanted: a hit is not enough. */
		for (__u32 i = 0; i < 3 * LOOP; i++)
			store_model__read(m, i % LOOP, i % FRAMES);
		hits = m->hits - hits;
		for (__u32 i = LOOP; i < MODEL_PAGES; i++)
			store_model__read(m, i, i % FRAMES);
	}
	store_model__check(m);
	store_model__free(m);
	return hits - 2 * LOOP;
}

/* In a cache of 1024: what is wanted again survives a scan of 1700 pages, or does not. */
static void test_scan(void **state)
{
	assert_true(loop_and_scan(true) >= 800);
	assert_true(loop_and_scan(false) <= 100);
}

/* --- requests that overlap, one by one --- */

struct trial {
	struct memory memory;
	struct exclusive_cache *cache;
	struct page_digest digest;
	void *chunk;
	__u64 page; /* no trial has a page of another */
};

enum { FRAME = 3 };

static int up(void **state)
{
	static struct trial t;
	struct exclusive_cache_opts o = {.sz = sizeof(o), .memory = &t.memory};

	t = (struct trial){.digest = {1, 2}};
	memory__init(&t.memory, 0);
	t.cache = exclusive_cache__new(&o);
	t.chunk = aligned_alloc(ARENA_CHUNK, ARENA_CHUNK);
	*state = &t;
	return !t.cache || !t.chunk || exclusive_cache__add_chunk(t.cache, t.chunk);
}

static int down(void **state)
{
	struct trial *t = *state;

	exclusive_cache__free(t->cache);
	free(t->chunk);
	return t->memory.used ? -1 : 0;
}

static bool resident(const struct trial *t)
{
	return exclusive_cache__is_resident(t->cache, t->page, NULL);
}

static cache_token begin(struct trial *t, char what)
{
	return what == 'r' ? exclusive_cache__read_begin(t->cache, t->page)
			   : exclusive_cache__write_begin(t->cache, t->page);
}

static void end(struct trial *t, char what, cache_token token)
{
	if (what == 'r')
		exclusive_cache__read_end(t->cache, t->page, token, FRAME, &t->digest);
	else
		exclusive_cache__write_end(t->cache, t->page, token, FRAME, &t->digest);
}

/* Two requests that overlap: the first to begin, or the second, ends first. Which are known? */
static void overlap(struct trial *t, const char *what, const bool known[2])
{
	for (int i = 0; i < 2; i++) {
		cache_token token[2];

		t->page++;
		token[0] = begin(t, what[0]);
		token[1] = begin(t, what[1]);
		end(t, what[i], token[i]);
		assert_int_equal(resident(t), known[i]);
		end(t, what[!i], token[!i]);
		assert_int_equal(resident(t), known[0] || known[1]);
	}
}

static void test_overlaps(void **state)
{
	overlap(*state, "rr", (const bool[]){true, true});
	overlap(*state, "rw", (const bool[]){false, true});
	overlap(*state, "wr", (const bool[]){true, false});
	overlap(*state, "ww", (const bool[]){false, false});
}

/* A write of which another write has seen the end is as good as no other, but not before. */
static void test_three_writes(void **state)
{
	struct trial *t = *state;
	cache_token a = begin(t, 'w'), b = begin(t, 'w'), c;

	end(t, 'w', a);
	c = begin(t, 'w');
	end(t, 'w', b);
	assert_false(resident(t));
	end(t, 'w', c);
	assert_false(resident(t));
	end(t, 'w', begin(t, 'w'));
	assert_true(resident(t));
}

/* What changes while a request is in flight. */
static void test_changes(void **state)
{
	struct trial *t = *state;

	for (int i = 0; i < 6; i++) {
		char what = i % 2 ? 'r' : 'w';
		cache_token token = begin(t, what);

		if (i / 2 == 0)
			exclusive_cache__invalidate(t->cache, t->page, 1);
		else if (i / 2 == 1)
			exclusive_cache__clear(t->cache);
		else
			exclusive_cache__forget_residents(t->cache, 0);
		assert_int_equal(exclusive_cache__expects(t->cache, t->page, FRAME),
				 what == 'w' ? CAPTURE_WRITING : CAPTURE_UNKNOWN);
		end(t, what, token);
		assert_false(resident(t));
		end(t, what, begin(t, what));
		assert_true(resident(t));
		t->page++;
	}
}

/* Pages and frames larger than anybody has are never remembered, and do no harm. */
static void test_extremes(void **state)
{
	const __u64 pages[] = {0, (1ULL << 52) - 1, 1ULL << 52, 1ULL << 63, ~0ULL - 1, ~0ULL};
	const __u64 frames[] = {0, ~0U, 1ULL << 32, ~0ULL};
	struct trial *t = *state;

	for (int i = 0; i < 6; i++)
		for (int k = 0; k < 4; k++) {
			cache_token token = exclusive_cache__read_begin(t->cache, pages[i]);
			__u64 frame = 9;

			exclusive_cache__read_end(t->cache, pages[i], token, frames[k], &t->digest);
			assert_int_equal(exclusive_cache__is_resident(t->cache, pages[i], &frame),
					 i < 2 && k < 2);
			assert_true(i >= 2 || k >= 2 || frame == frames[k]);
			exclusive_cache__invalidate(t->cache, pages[i], ~0ULL);
			assert_false(exclusive_cache__is_resident(t->cache, pages[i], NULL));
		}
}

/* --- memory --- */

static int resident_with(struct exclusive_cache *c, __u64 page, __u64 frame)
{
	const struct page_digest digest = {page, frame};
	cache_token t = exclusive_cache__read_begin(c, page);

	exclusive_cache__read_end(c, page, t, frame, &digest);
	return exclusive_cache__is_resident(c, page, NULL);
}

static enum capture capture_with(struct exclusive_cache *c, __u64 page, __u64 frame)
{
	const struct page_digest digest = {page, frame};

	return exclusive_cache__capture(c, page, frame, exclusive_cache__slot(c), &digest);
}

static size_t metadata(struct exclusive_cache *c)
{
	struct exclusive_cache_counts n;

	exclusive_cache__counts(c, &n);
	return n.bytes;
}

/* What exclusive_cache.h promises, when all is done that can wait. */
static void check_bytes(struct exclusive_cache *c, __u64 most_resident)
{
	struct exclusive_cache_counts n;
	__u64 most;

	while (exclusive_cache__work(c))
		;
	exclusive_cache__counts(c, &n);
	most = 33 * n.slots + 31 * n.cached + 24 * n.slots + 48 * n.resident + 20480;
	most += 18 * (most_resident - n.resident);
	assert_true(n.ghost_bytes <= 24 * n.slots + 8192);
	assert_true(n.bytes - n.ghost_bytes - n.resident_bytes <=
		    33 * n.slots + 31 * (n.cached + n.resident) + 16384);
	if (n.bytes > most)
		fail_msg("%llu slots, %llu cached, %llu resident: %zu bytes, not %llu", n.slots,
			 n.cached, n.resident, n.bytes, most);
}

/* Slots need no memory as long as nobody looks at them. */
static void *addresses(__u32 chunk)
{
	return (void *)((chunk + 1UL) * ARENA_CHUNK);
}

static void fill_cache(struct exclusive_cache *c, __u64 first, __u64 pages)
{
	for (__u64 page = first; page < first + pages; page++) {
		assert_true(resident_with(c, page, page));
		assert_int_equal(capture_with(c, page, page), CAPTURED);
	}
}

/* Chunk by chunk down to one; those that stay have what was cached last. Nobody looks at slots. */
static void take_chunks(struct exclusive_cache *c, __u32 chunks)
{
	while (exclusive_cache__chunks(c) > chunks)
		assert_non_null(exclusive_cache__take_chunk(c));
}

/*
 * At every size: full of cached pages with as many ghosts, with some of these pages in the guest,
 * after it shrank, and drained. Sizes are those where tables come to a power of two, and others.
 */
static void check_size(__u32 chunks)
{
	struct exclusive_cache_opts o = {.sz = sizeof(o)};
	__u64 slots = (__u64)chunks * ARENA_SLOTS;
	struct exclusive_cache_counts n;
	struct exclusive_cache *c;
	struct memory memory;

	memory__init(&memory, 0);
	o.memory = &memory;
	c = exclusive_cache__new(&o);
	assert_non_null(c);
	for (__u32 i = 0; i < chunks; i++)
		assert_int_equal(exclusive_cache__add_chunk(c, addresses(i)), 0);
	fill_cache(c, 0, 2 * slots);
	exclusive_cache__counts(c, &n);
	assert_true(n.cached == slots && n.ghosts == slots);
	check_bytes(c, 1);
	for (__u64 page = 0; page < slots / 2; page++)
		resident_with(c, page, page);
	check_bytes(c, slots / 2);
	exclusive_cache__clear(c);
	check_bytes(c, 0);
	exclusive_cache__free(c);
	assert_int_equal(memory.used, 0);
}

static void test_bytes(void **state)
{
	static const __u32 odd[] = {3, 5, 6, 7, 11, 23, 47, 90, 170, 300, 700, 1500};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		check_size(odd[i]);
	for (__u32 chunks = 1; chunks <= 1024; chunks *= 2) {
		check_size(chunks);
		check_size(chunks + 1);
		if (chunks > 2)
			check_size(chunks - 1);
	}
}

/* What a cache had when it was large is gone when it is small, however it came to be so. */
static void test_bytes_of_less(void **state)
{
	for (__u32 chunks = 2; chunks <= 64; chunks *= 2) {
		struct exclusive_cache_opts o = {.sz = sizeof(o)};
		__u64 slots = (__u64)chunks * ARENA_SLOTS;
		struct exclusive_cache *c;
		struct memory memory;
		char *base;

		base = mmap(NULL, (chunks + 1) * ARENA_CHUNK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		assert_true(base != MAP_FAILED);
		memory__init(&memory, 0);
		o.memory = &memory;
		c = exclusive_cache__new(&o);
		assert_non_null(c);
		for (__u32 i = 0; i < chunks; i++)
			assert_int_equal(exclusive_cache__add_chunk(
						 c, (void *)(((unsigned long)base & -ARENA_CHUNK) +
							     (i + 1) * ARENA_CHUNK)),
					 0);
		fill_cache(c, 0, 2 * slots);
		for (__u32 left = chunks; left > 1; left = left * 3 / 4) {
			take_chunks(c, left);
			check_bytes(c, 1);
		}
		take_chunks(c, 1);
		check_bytes(c, 1);
		assert_true(exclusive_cache__is_cached(c, 2 * slots - 1));
		assert_false(exclusive_cache__is_cached(c, 2 * slots - ARENA_SLOTS - 1));
		take_chunks(c, 0);
		check_bytes(c, 1);
		assert_true(memory.used <= 20480);
		exclusive_cache__free(c);
		munmap(base, (chunks + 1) * ARENA_CHUNK);
	}
}

/* After a clear all slots are free at once; a chunk is when the work is done. */
static void test_clear(void **state)
{
	struct trial *t = *state;
	struct exclusive_cache_counts n;

	fill_cache(t->cache, 0, 2 * ARENA_SLOTS);
	assert_int_equal(exclusive_cache__clear(t->cache), ARENA_SLOTS);
	exclusive_cache__counts(t->cache, &n);
	assert_true(!n.cached && !n.resident && !n.ghosts && n.free_slots == ARENA_SLOTS);
	assert_false(exclusive_cache__is_cached(t->cache, 2 * ARENA_SLOTS - 1));
	assert_null(exclusive_cache__take_chunk(t->cache));
	fill_cache(t->cache, 5, 100);
	while (exclusive_cache__work(t->cache))
		;
	exclusive_cache__counts(t->cache, &n);
	assert_true(n.cached == 100 && n.free_slots == ARENA_SLOTS - 100 && n.evicted > 0);
	assert_ptr_equal(exclusive_cache__take_chunk(t->cache), t->chunk);
}

/* A guest that does whatever it likes: memory ends where it is bounded to. */
static void test_bounded(void **state)
{
	struct exclusive_cache_opts o = {.sz = sizeof(o), .max_resident = 1000, .max_ghosts = 700};
	struct random r = {random__seed()};
	struct exclusive_cache *c;
	struct memory memory;
	size_t bytes = 0;

	memory__init(&memory, 0);
	o.memory = &memory;
	c = exclusive_cache__new(&o);
	assert_non_null(c);
	assert_int_equal(exclusive_cache__add_chunk(c, addresses(0)), 0);
	for (int i = 0; i < 400000; i++) {
		__u64 page = random__next(&r) >> 12, frame = random__below(&r, 100);

		resident_with(c, page, frame);
		if (random__one_in(&r, 3))
			capture_with(c, page, frame);
		if (i == 100000)
			bytes = metadata(c);
	}
	assert_int_equal(metadata(c), bytes);
	assert_true(bytes <= 64 * 512 + 48 * 1000 + 24 * 700 + 16384);
	exclusive_cache__free(c);
}

/* Without memory for more, less is remembered; never something wrong. */
static void test_no_memory(void **state)
{
	for (size_t more = 0; more < 1 << 20; more += 4096 + more / 3 / 4096 * 4096) {
		struct exclusive_cache_opts o = {.sz = sizeof(o)};
		struct exclusive_cache_counts n;
		struct exclusive_cache *c;
		struct memory memory;
		__u64 known;

		memory__init(&memory, 0);
		o.memory = &memory;
		c = exclusive_cache__new(&o);
		assert_non_null(c);
		memory.max = memory.used + more;
		for (__u32 i = 0; i < 8 && !exclusive_cache__add_chunk(c, addresses(i)); i++)
			;
		for (__u64 page = 0; page < 20000; page++)
			resident_with(c, page, page);
		exclusive_cache__counts(c, &n);
		for (__u64 page = 0; page < 20000; page++)
			if (exclusive_cache__is_resident(c, page, NULL))
				capture_with(c, page, page);
		known = n.resident;
		exclusive_cache__counts(c, &n);
		assert_true(memory.used <= memory.max);
		assert_true(n.slots ? n.cached == (known < n.slots ? known : n.slots) : !n.cached);
		exclusive_cache__free(c);
	}
}

/* Nobody knows about writes that there was no memory for: nothing is remembered until they end. */
static void test_blind_writes(void **state)
{
	enum { WRITES = 5000 };
	struct trial *t = *state;
	cache_token token[WRITES], before;

	t->memory.max = t->memory.used + 8192;
	before = exclusive_cache__read_begin(t->cache, WRITES);
	for (__u64 i = 0; i < WRITES; i++)
		token[i] = exclusive_cache__write_begin(t->cache, i);
	for (__u64 i = WRITES; --i > 0;) {
		assert_false(resident_with(t->cache, i, FRAME));
		assert_int_equal(exclusive_cache__expects(t->cache, i, FRAME), CAPTURE_WRITING);
		exclusive_cache__write_end(t->cache, i, token[i], FRAME, NULL);
	}
	exclusive_cache__read_end(t->cache, WRITES, before, FRAME, &t->digest);
	assert_false(exclusive_cache__is_resident(t->cache, WRITES, NULL));
	exclusive_cache__write_end(t->cache, 0, token[0], FRAME, NULL);
	assert_int_equal(exclusive_cache__expects(t->cache, 0, FRAME), CAPTURE_UNKNOWN);
	assert_true(resident_with(t->cache, 0, FRAME));
}

/* --- the rest --- */

static void test_new(void **state)
{
	struct exclusive_cache_opts o = {.sz = sizeof(o), .policy = "mru"};
	struct memory memory;

	memory__init(&memory, 0);
	o.memory = &memory;
	errno = 0;
	assert_null(exclusive_cache__new(&o));
	assert_int_equal(errno, EINVAL);
	for (size_t max = 4095; max < 32768; max += 4096) {
		struct exclusive_cache *c;

		o.policy = "s3fifo";
		memory.max = max;
		errno = 0;
		c = exclusive_cache__new(&o);
		assert_true(c || errno == ENOMEM);
		exclusive_cache__free(c);
		assert_int_equal(memory.used, 0);
	}
	exclusive_cache__free(NULL);
}

/* Secrets differ; the same page has the same hash, wherever it lies; another bit, another hash. */
static void test_digest(void **state)
{
	static char room[4096 + 64];
	struct random r = {random__seed()};
	struct cache_secret a, b;

	assert_int_equal(cache_secret__init(&a), 0);
	assert_int_equal(cache_secret__init(&b), 0);
	for (int i = 0; i < 64; i++) {
		char *page = room + i;
		struct page_digest one, two;

		memset(room, i, sizeof(room));
		one = page_digest__of(&a, page);
		two = page_digest__of(&b, page);
		assert_true(one.lo != two.lo && one.hi != two.hi);
		memmove(room + 64 - i, page, 4096);
		two = page_digest__of(&a, room + 64 - i);
		assert_memory_equal(&one, &two, sizeof(one));
		room[64 - i + random__below(&r, 4096)] ^= 1 << random__below(&r, 8);
		two = page_digest__of(&a, room + 64 - i);
		assert_true(one.lo != two.lo && one.hi != two.hi);
	}
}

/* A copy is the page, its digest is the page's, and nothing beside it is written. */
static void test_digest_copy(void **state)
{
	static __u64 from[512] __attribute__((aligned(4096)));
	static __u64 to[3 * 512] __attribute__((aligned(4096)));
	struct random r = {random__seed()};
	struct cache_secret secret;

	assert_int_equal(cache_secret__init(&secret), 0);
	for (int i = 0; i < 20; i++) {
		struct page_digest one, two;

		for (int k = 0; k < 512; k++)
			from[k] = random__next(&r);
		memset(to, i, sizeof(to));
		page_digest__prefetch(from);
		one = page_digest__copy(&secret, to + 512, from, i % 2);
		two = page_digest__of(&secret, from);
		assert_memory_equal(&one, &two, sizeof(one));
		assert_memory_equal(to + 512, from, sizeof(from));
		for (int k = 0; k < 512; k++)
			assert_true(to[k] == to[0] && to[1024 + k] == to[0]);
	}
}

static void *keep_writing(void *arg)
{
	volatile __u64 *page = arg;

	for (__u64 n = 1; page[0]; n++)
		page[1 + n % 511] = n;
	return NULL;
}

/* Whatever is written to the page meanwhile, the digest is of what is in the slot then. */
static void test_digest_of_busy(void **state)
{
	static __u64 from[512] __attribute__((aligned(4096))) = {1};
	static __u64 to[512] __attribute__((aligned(4096)));
	struct cache_secret secret;
	pthread_t writer;

	assert_int_equal(cache_secret__init(&secret), 0);
	assert_int_equal(pthread_create(&writer, NULL, keep_writing, from), 0);
	for (int i = 0; i < 20000; i++) {
		struct page_digest one = page_digest__copy(&secret, to, from, i % 2);
		struct page_digest two = page_digest__of(&secret, to);

		assert_memory_equal(&one, &two, sizeof(one));
	}
	*(volatile __u64 *)from = 0;
	pthread_join(writer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_few_residents),
		cmocka_unit_test(test_one_stack),
		cmocka_unit_test(test_scan),
		cmocka_unit_test_setup_teardown(test_overlaps, up, down),
		cmocka_unit_test_setup_teardown(test_three_writes, up, down),
		cmocka_unit_test_setup_teardown(test_changes, up, down),
		cmocka_unit_test_setup_teardown(test_extremes, up, down),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bytes_of_less),
		cmocka_unit_test_setup_teardown(test_clear, up, down),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test_setup_teardown(test_blind_writes, up, down),
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_digest_copy),
		cmocka_unit_test(test_digest_of_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
