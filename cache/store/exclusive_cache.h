/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exclusive cache of one disk, or of one shard of it: the bytes of pages that the guest
 * evicted, and what is known of the pages that the guest holds.
 *
 * A page of the disk is
 *   resident  the guest holds it in a frame, whose bytes had this hash when they equalled storage;
 *   cached    its bytes are in a slot; never at the same time;
 *   ghost     evicted from the cache, known by number only; or unknown.
 * Beside, pages with requests in flight are known as such, for what these may do to them.
 *
 * Copying is the caller's: this only ever points at slots. Bytes are hashed only where the guest
 * cannot change them, i.e. in slots and bounce buffers, never in guest memory.
 *
 * Its metadata, in bytes, when nothing is left to do (exclusive_cache__work()):
 *   64  a cached page of a full cache, of which 33 are there as soon as the slot is
 *   24  a ghost
 *   48  a page known as resident, of which 18 stay for the most there were since the last clear
 * and 20 KiB, be it large or small: pages of memory that are begun, and what is known of requests
 * in flight (more of it if there are more than 64 pages at once).
 *
 * Used by one thread, which nothing here keeps busy for long: tables grow and shrink in steps, by
 * what is done to them and by exclusive_cache__work(). Only invalidate() of very many pages,
 * forget_residents() and hand_over() look at all that is known, at once. Pages are numbers on the
 * disk, frames are guest frame numbers.
 */
#ifndef HVTRACE_EXCLUSIVE_CACHE_H
#define HVTRACE_EXCLUSIVE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct exclusive_cache;
struct memory;

/* XXH3-128 of a page under the VM's secret. */
struct page_digest {
	__u64 lo, hi;
};

/* A VM's secret, XXH3_SECRET_SIZE_MIN bytes or more from the kernel's random numbers. */
#define CACHE_SECRET 192
struct cache_secret {
	unsigned char bytes[CACHE_SECRET];
};
int cache_secret__init(struct cache_secret *s); /* getrandom(); -errno */
struct page_digest page_digest__of(const struct cache_secret *s, const void *page);
/* Copy a page to a slot, and tell the digest of what is in the slot now, whatever somebody else
 * wrote to the page meanwhile. Both are whole pages at multiples of their size. warm: the slot's
 * lines are in the CPU's caches. */
struct page_digest page_digest__copy(const struct cache_secret *s, void *slot, const void *page,
				     bool warm);
/* Bring closer a page that is to be copied soon: its first lines, the CPU sees to the others. */
static inline __attribute__((always_inline)) void page_digest__prefetch(const void *page)
{
	for (int i = 0; i < 1024; i += 64)
		__builtin_prefetch((const char *)page + i);
}

/* What became of an eviction's bytes. */
enum capture {
	CAPTURED,
	CAPTURE_CHANGED, /* the copy's hash is not the page's: the frame holds something else now */
	CAPTURE_UNKNOWN, /* the frame is not where the page was seen last */
	CAPTURE_NO_ROOM,
	CAPTURE_WRITING, /* a write to the page is in flight */
	CAPTURES
};

struct exclusive_cache_opts {
	size_t sz;	    /* sizeof(struct exclusive_cache_opts) */
	const char *policy; /* "lru" (NULL, too) or "s3fifo": see store_policy.h */
	__u64 max_resident; /* pages known as resident at most: the guest's frames. 0 = no bound */
	__u64 max_ghosts;   /* 0 = as many as there are slots */
	struct memory *memory; /* its metadata are counted there; made tight; lives longer */
};

/* NULL with errno: EINVAL (no such policy), ENOMEM. */
struct exclusive_cache *exclusive_cache__new(const struct exclusive_cache_opts *o);
/* Slots' chunks must have been taken back before, or are the caller's to know. NULL is fine. */
void exclusive_cache__free(struct exclusive_cache *c);

/* --- room --- */

/* A chunk (see arena.h) to use. -ENOMEM: not taken. */
int exclusive_cache__add_chunk(struct exclusive_cache *c, void *chunk);
/* Give a chunk back: the policy evicts what does not fit without it, the rest of what it held
 * moves. NULL: there is none that can be, as slots of it are held or there is work to be done first
 * (try again), or none at all. */
void *exclusive_cache__take_chunk(struct exclusive_cache *c);
size_t exclusive_cache__chunks(const struct exclusive_cache *c);

/* Do some of what can wait, for some tens of microseconds. Whether there is more. */
bool exclusive_cache__work(struct exclusive_cache *c);

/* Bring closer what is known of a page, some time before it is looked at; then, some time later,
 * its hash, or the slot it is in. */
void exclusive_cache__prefetch(const struct exclusive_cache *c, __u64 page);
void exclusive_cache__prefetch_more(const struct exclusive_cache *c, __u64 page);

/* --- hits --- */

/* If the page is cached: out of the cache, its bytes stay in the slot returned until
 * release_slot(). NULL: a miss; *frame is where it is resident, or PE_FRAME_NONE. */
void *exclusive_cache__take(struct exclusive_cache *c, __u64 page, struct page_digest *digest,
			    __u64 *frame);
void exclusive_cache__release_slot(struct exclusive_cache *c, void *slot);

/* --- captures --- */

/* CAPTURED: the page is known to be resident in that frame, so that copying is worth while.
 * Else why not. */
enum capture exclusive_cache__expects(const struct exclusive_cache *c, __u64 page, __u64 frame);
/* A slot to copy a frame into, which some page may have to leave the cache for. NULL: no room. */
void *exclusive_cache__slot(struct exclusive_cache *c);
/* Whether the next one is the slot released last: where hits and captures take turns, that was a
 * moment ago. */
bool exclusive_cache__next_slot_is_warm(const struct exclusive_cache *c);
/* The slot holds a copy of the frame that the page was resident in, which ends now either way.
 * CAPTURED: the page is cached. Else the slot is free again, and why. A NULL slot: just forget
 * that it is resident there (CAPTURE_NO_ROOM). */
enum capture exclusive_cache__capture(struct exclusive_cache *c, __u64 page, __u64 frame,
				      void *slot, const struct page_digest *digest);

/* --- requests in flight: a page's bytes are known only if nothing overlapped --- */

/* Tells a request's end from that of others to the same page. 0: not to be remembered. */
typedef __u64 cache_token;

/* A read of the page from storage begins. */
cache_token exclusive_cache__read_begin(struct exclusive_cache *c, __u64 page);
/* It ended, and the page's bytes with that digest are now in the frame (remember), or are not to
 * be remembered (digest NULL: failed, not a whole frame). Whether nothing changed the page since
 * it began: then what was read is what the page held all the time. */
bool exclusive_cache__read_end(struct exclusive_cache *c, __u64 page, cache_token t, __u64 frame,
			       const struct page_digest *digest);
/* Some or all of the page is about to be written: it leaves the cache, is not resident any more,
 * and will not be captured until the write ended. Before the write is issued. */
cache_token exclusive_cache__write_begin(struct exclusive_cache *c, __u64 page);
void exclusive_cache__write_end(struct exclusive_cache *c, __u64 page, cache_token t, __u64 frame,
				const struct page_digest *digest);
/* A hit: the bytes taken, with that digest, were copied to the frame; the page's slot was released
 * right before, and nothing else happened to the page since the take. (Else, as for an audit:
 * read_begin before, read_end after.) */
void exclusive_cache__hit_end(struct exclusive_cache *c, __u64 page, __u64 frame,
			      const struct page_digest *digest);

/* --- the world changes --- */

/* The storage of these pages changes or changed by other means: they are neither cached nor
 * resident, and requests in flight to them will not be remembered. How many were cached. */
__u64 exclusive_cache__invalidate(struct exclusive_cache *c, __u64 page, __u64 count);
/* Nothing is cached or resident any more, as above. How many were cached. */
__u64 exclusive_cache__clear(struct exclusive_cache *c);
/* No page is resident any more: the guest's memory is another, of so many frames. */
void exclusive_cache__forget_residents(struct exclusive_cache *c, __u64 frames);

/* Other caches are to have some of its pages from now on: fn tells which (or this one). Those that
 * are resident are known there; those that are cached are dropped, how many. Nothing is in flight.
 * Looks at all that is known, at once. */
__u64 exclusive_cache__hand_over(struct exclusive_cache *c,
				 struct exclusive_cache *(*fn)(void *ctx, __u64 page), void *ctx);

struct exclusive_cache_counts {
	__u64 cached, resident, ghosts; /* pages now */
	__u64 slots, free_slots;
	__u64 evicted;	  /* pages that left for want of room, ever */
	__u64 ghost_hits; /* misses (read_begin) of pages that were ghosts, ever */
	__u64 writing;	  /* pages with writes in flight */
	size_t bytes;	  /* metadata, */
	size_t ghost_bytes,
		resident_bytes; /* of these, those of ghosts, and digests of residents */
};
void exclusive_cache__counts(const struct exclusive_cache *c, struct exclusive_cache_counts *out);
/* Whether a page is cached or resident now, for tests and samples. */
bool exclusive_cache__is_cached(const struct exclusive_cache *c, __u64 page);
bool exclusive_cache__is_resident(const struct exclusive_cache *c, __u64 page, __u64 *frame);

/* The pages cached now, in no order: up to max of them. How many. */
size_t exclusive_cache__list(const struct exclusive_cache *c, __u64 *pages, size_t max);

__u64 exclusive_cache__free_slots(const struct exclusive_cache *c);

#endif
