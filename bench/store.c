// SPDX-License-Identifier: GPL-2.0
/*
 * The exclusive cache alone, on one core: how many pages a second it captures and hits, with real
 * pages at random places of memory far larger than the CPU's caches.
 *
 *   store [CACHE [GUEST]]    sizes of the cache and of guest memory; 2GiB and 1GiB
 *
 * A table on stdout: for each policy, captures into an empty and into a full cache (that evicts a
 * page each time) and hits, beside their target. Beside: what copying and hashing take alone, first
 * in the plain way, then as captures do it; what the cache itself takes without these; the bytes of
 * metadata; and for how long single operations kept their thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../analysis/size.h"
#include "../cache/store/arena.h"
#include "../cache/store/exclusive_cache.h"

#define PAGE 4096UL
/* How many pages ahead of time a page is announced to the cache: a request has several. */
#define AHEAD 8
#define AHEAD_MORE 1
/* To be met by captures and hits, pages a second; and by metadata, bytes a page. */
#define TARGET_RATE 1.5e6
#define TARGET_CACHED 64
#define TARGET_GHOST 24

struct bench {
	struct arena *arena, *guest;
	struct cache_secret secret;
	struct memory memory;
	struct exclusive_cache *cache;
	size_t slots, frames, chunks;
	char **chunk;		    /* of guest memory */
	struct page_digest *digest; /* of what is in them */
	__u32 *order;		    /* of pages */
	void **slot;		    /* all slots, for the baselines */
	bool data;		    /* copy and hash: or only what the cache itself does */
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "store: %s: %s\n", what, why);
	exit(1);
}

static void *room(size_t n, size_t each)
{
	void *p = calloc(n, each);

	if (!p)
		die("no memory", "use smaller sizes");
	return p;
}

/* The thread's own time: other load on the machine does not add to it, but for memory's sake. */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static __u64 next_random(void)
{
	static __u64 x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

/* --- memory --- */

static struct arena *new_arena(size_t bytes)
{
	struct arena_opts o = {.sz = sizeof(o), .bytes = bytes, .node = -1};
	struct arena *a;
	char why[256];

	if (arena__new(&a, &o, why, sizeof(why)))
		die("arena", why);
	return a;
}

static char *take(struct arena *a)
{
	char *chunk = arena__take(a);

	if (!chunk)
		die("no memory", "use smaller sizes");
	return chunk;
}

static char *frame_at(const struct bench *b, __u64 frame)
{
	return b->chunk[frame / ARENA_SLOTS] + frame % ARENA_SLOTS * PAGE;
}

/* Pages that differ. */
static void fill_guest(struct bench *b)
{
	for (size_t i = 0; i < b->frames / ARENA_SLOTS; i++) {
		b->chunk[i] = take(b->guest);
		for (size_t k = 0; k < ARENA_CHUNK / 8; k++)
			((__u64 *)b->chunk[i])[k] = next_random();
	}
	for (size_t i = 0; i < b->frames; i++)
		b->digest[i] = page_digest__of(&b->secret, frame_at(b, i));
}

static void shuffle(struct bench *b)
{
	for (size_t i = b->slots; i > 1; i--) {
		size_t k = next_random() % i;
		__u32 page = b->order[i - 1];

		b->order[i - 1] = b->order[k];
		b->order[k] = page;
	}
}

static void set_up(struct bench *b, size_t cache, size_t guest)
{
	b->chunks = cache / ARENA_CHUNK;
	b->slots = b->chunks * ARENA_SLOTS;
	b->frames = guest / ARENA_CHUNK * ARENA_SLOTS;
	if (!b->slots || !b->frames)
		die("sizes", "2MiB or more each");
	b->arena = new_arena(cache);
	b->guest = new_arena(guest);
	b->chunk = room(b->frames / ARENA_SLOTS, sizeof(*b->chunk));
	b->digest = room(b->frames, sizeof(*b->digest));
	b->order = room(b->slots + AHEAD, sizeof(*b->order));
	b->slot = room(b->slots, sizeof(*b->slot));
	if (cache_secret__init(&b->secret))
		die("no random numbers", "of the kernel");
	fill_guest(b);
	for (size_t i = 0; i < b->slots; i++)
		b->order[i] = i;
	shuffle(b);
	memory__init(&b->memory, 0);
}

static void tear_down(struct bench *b)
{
	free(b->chunk);
	free(b->digest);
	free(b->order);
	free(b->slot);
	arena__free(b->arena);
	arena__free(b->guest);
}

/* --- the cache --- */

/* Pages are told apart by their first number: there is more than one to a frame. */
static __u64 frame_of(const struct bench *b, __u64 page)
{
	return page % b->frames;
}

static void make_resident(struct bench *b, __u64 first)
{
	for (size_t i = 0; i < b->slots; i++) {
		__u64 page = first + i, frame = frame_of(b, page);
		cache_token t = exclusive_cache__read_begin(b->cache, page);

		exclusive_cache__read_end(b->cache, page, t, frame, &b->digest[frame]);
	}
}

static void capture_one(struct bench *b, __u64 page)
{
	__u64 frame = frame_of(b, page);
	struct page_digest digest;
	void *slot;

	if (exclusive_cache__expects(b->cache, page, frame) != CAPTURED)
		die("capture", "a page is not expected");
	slot = exclusive_cache__slot(b->cache);
	if (b->data)
		digest = page_digest__copy(&b->secret, slot, frame_at(b, frame), false);
	else
		digest = b->digest[frame];
	if (exclusive_cache__capture(b->cache, page, frame, slot, &digest) != CAPTURED)
		die("capture", "a page is not captured");
}

static void hit_one(struct bench *b, __u64 page)
{
	__u64 frame = frame_of(b, page), resident;
	struct page_digest digest;
	void *slot = exclusive_cache__take(b->cache, page, &digest, &resident);

	if (!slot)
		die("hit", "a page is not cached");
	if (b->data)
		memcpy(frame_at(b, frame), slot, PAGE);
	exclusive_cache__release_slot(b->cache, slot);
	exclusive_cache__hit_end(b->cache, page, frame, &digest);
}

/* Pages a second. */
static double run(struct bench *b, __u64 first, void (*one)(struct bench *, __u64))
{
	double start = now();

	for (size_t i = 0; i < b->slots; i++) {
		__u64 soon = first + b->order[i + AHEAD_MORE];

		exclusive_cache__prefetch(b->cache, first + b->order[i + AHEAD]);
		exclusive_cache__prefetch_more(b->cache, soon);
		if (b->data && one == capture_one)
			page_digest__prefetch(frame_at(b, frame_of(b, soon)));
		one(b, first + b->order[i]);
	}
	return b->slots / (now() - start);
}

static void row(const char *what, double rate)
{
	printf("%-24s %6.3f M pages/s %6.0f ns\n", what, rate / 1e6, 1e9 / rate);
}

static void tell(const struct bench *b, const char *policy, const char *what, double rate)
{
	char label[64];

	snprintf(label, sizeof(label), "%s: %s", policy, what);
	if (!b->data) {
		row(label, rate);
		return;
	}
	printf("%-24s %6.3f M pages/s %6.0f ns  >= %.1f M  %s\n", label, rate / 1e6, 1e9 / rate,
	       TARGET_RATE / 1e6, rate >= TARGET_RATE ? "met" : "missed");
}

static struct exclusive_cache_counts counts(const struct bench *b)
{
	struct exclusive_cache_counts n;

	while (exclusive_cache__work(b->cache))
		;
	exclusive_cache__counts(b->cache, &n);
	return n;
}

static void bytes_row(const char *policy, const char *what, double bytes, int target)
{
	char label[64];

	snprintf(label, sizeof(label), "%s: bytes, %s", policy, what);
	if (target)
		printf("%-32s %6.1f  <= %d  %s\n", label, bytes, target,
		       bytes <= target ? "met" : "missed");
	else
		printf("%-32s %6.1f\n", label, bytes);
}

/* Of a full cache with all its ghosts; then with pages that the guest holds, too. */
static void tell_bytes(const char *policy, const struct exclusive_cache_counts *full,
		       const struct exclusive_cache_counts *more)
{
	double pages = full->bytes - full->ghost_bytes - full->resident_bytes;

	bytes_row(policy, "a cached page", pages / full->cached, TARGET_CACHED);
	bytes_row(policy, "a ghost", (double)full->ghost_bytes / full->ghosts, TARGET_GHOST);
	bytes_row(policy, "a resident page",
		  (more->bytes - more->ghost_bytes - pages) / more->resident, 0);
}

static void bench_policy(struct bench *b, const char *policy, bool data)
{
	struct exclusive_cache_opts o = {.sz = sizeof(o), .policy = policy, .memory = &b->memory};
	struct exclusive_cache_counts full, more;
	void *chunk;

	b->data = data;
	b->cache = exclusive_cache__new(&o);
	if (!b->cache)
		die(policy, "no memory");
	for (size_t i = 0; i < b->chunks; i++)
		if (exclusive_cache__add_chunk(b->cache, take(b->arena)))
			die(policy, "no memory");
	make_resident(b, 0);
	tell(b, policy, "capture, room", run(b, 0, capture_one));
	make_resident(b, b->slots);
	shuffle(b);
	tell(b, policy, "capture, full", run(b, b->slots, capture_one));
	full = counts(b);
	make_resident(b, 2 * b->slots);
	more = counts(b);
	tell(b, policy, "hit", run(b, b->slots, hit_one));
	tell_bytes(policy, &full, &more);
	while ((chunk = exclusive_cache__take_chunk(b->cache)))
		arena__give(b->arena, chunk);
	exclusive_cache__free(b->cache);
}

/* --- how long one operation takes --- */

static double longer(double longest, double start)
{
	double took = now() - start;

	return took > longest ? took : longest;
}

static void stall(const char *what, double seconds)
{
	printf("longest: %-42s %8.3f ms\n", what, seconds * 1e3);
}

static void add_chunks(struct bench *b)
{
	double longest = 0;

	for (size_t i = 0; i < b->chunks; i++) {
		void *chunk = take(b->arena);
		double start = now();

		exclusive_cache__add_chunk(b->cache, chunk);
		longest = longer(longest, start);
	}
	stall("a chunk more", longest);
}

static void fill(struct bench *b)
{
	double reads = 0, captures = 0;

	for (size_t i = 0; i < b->slots; i++) {
		double start = now();
		cache_token t = exclusive_cache__read_begin(b->cache, i);

		exclusive_cache__read_end(b->cache, i, t, frame_of(b, i),
					  &b->digest[frame_of(b, i)]);
		reads = longer(reads, start);
	}
	for (size_t i = 0; i < b->slots; i++) {
		double start = now();

		capture_one(b, i);
		captures = longer(captures, start);
	}
	stall("a page read, as all tables grow", reads);
	stall("a page captured", captures);
}

static void finish(struct bench *b)
{
	double longest = 0, start;
	bool more;

	do {
		start = now();
		more = exclusive_cache__work(b->cache);
		longest = longer(longest, start);
	} while (more);
	stall("a portion of work", longest);
}

static void take_chunks(struct bench *b)
{
	double longest = 0, start = now();
	void *chunk;

	for (; (chunk = exclusive_cache__take_chunk(b->cache)); start = now()) {
		longest = longer(longest, start);
		arena__give(b->arena, chunk);
	}
	stall("a chunk less", longest);
}

static void bench_stalls(struct bench *b)
{
	struct exclusive_cache_opts o = {.sz = sizeof(o), .memory = &b->memory};
	double start;

	b->data = false;
	b->cache = exclusive_cache__new(&o);
	if (!b->cache)
		die("cache", "no memory");
	add_chunks(b);
	fill(b);
	start = now();
	exclusive_cache__clear(b->cache);
	stall("a clear", longer(0, start));
	finish(b);
	fill(b);
	start = now();
	exclusive_cache__invalidate(b->cache, 0, ~0ULL);
	stall("a discard of all", longer(0, start));
	finish(b);
	take_chunks(b);
	exclusive_cache__free(b->cache);
}

/* --- baselines --- */

static volatile __u64 sink;

static void copy_one(struct bench *b, size_t i)
{
	memcpy(b->slot[i], frame_at(b, frame_of(b, b->order[i])), PAGE);
}

static void hash_one(struct bench *b, size_t i)
{
	sink = page_digest__of(&b->secret, b->slot[i]).lo;
}

static void copy_then_hash(struct bench *b, size_t i)
{
	copy_one(b, i);
	hash_one(b, i);
}

static void copy_and_hash(struct bench *b, size_t i)
{
	page_digest__prefetch(frame_at(b, frame_of(b, b->order[i + AHEAD_MORE])));
	sink = page_digest__copy(&b->secret, b->slot[i], frame_at(b, frame_of(b, b->order[i])),
				 false)
		       .lo;
}

static void baseline(struct bench *b, const char *what, void (*one)(struct bench *, size_t))
{
	double start = now();

	for (size_t i = 0; i < b->slots; i++)
		one(b, i);
	row(what, b->slots / (now() - start));
}

static void bench_baselines(struct bench *b)
{
	for (size_t i = 0; i < b->slots; i += ARENA_SLOTS) {
		char *chunk = take(b->arena);

		for (size_t k = 0; k < ARENA_SLOTS; k++)
			b->slot[b->order[i + k]] = chunk + k * PAGE;
	}
	baseline(b, "copy", copy_one);
	baseline(b, "hash", hash_one);
	baseline(b, "copy, then hash", copy_then_hash);
	baseline(b, "copy and hash", copy_and_hash);
	for (size_t i = 0; i < b->slots; i++)
		if (!((unsigned long)b->slot[i] % ARENA_CHUNK))
			arena__give(b->arena, b->slot[i]);
}

static size_t size_of(const char *text)
{
	__u64 pages;

	if (size__parse(text, &pages))
		die(text, "no size; write 2GiB");
	return pages * PAGE;
}

int main(int argc, char **argv)
{
	struct bench b = {0};

	set_up(&b, size_of(argc > 1 ? argv[1] : "2GiB"), size_of(argc > 2 ? argv[2] : "1GiB"));
	bench_baselines(&b);
	bench_policy(&b, "lru", true);
	bench_policy(&b, "s3fifo", true);
	printf("without copying and hashing:\n");
	bench_policy(&b, "lru", false);
	bench_stalls(&b);
	printf("cache in %s\n", arena__backing(b.arena));
	tear_down(&b);
	return 0;
}
