// SPDX-License-Identifier: GPL-2.0
/*
 * Hashing and copying are most of what a capture costs.
 *
 * The hash takes the widest vectors the CPU has. On x86 that is decided at run time, by the
 * library's own dispatch, which its static variant lacks: SSE2 then. arm64 always has NEON. All
 * variants give the same hash.
 *
 * A slot that is written to will not be looked at for long, so on x86 its lines go past the CPU's
 * caches, unless they are there: they need not be read from memory before, and push nothing out.
 * What is hashed is another copy of the same registers, which stays in the first-level cache. Such
 * stores are not in order with any others, but the thread that made them sees them, and a slot goes
 * to another thread only by a message, whose locked instruction they are before (Intel's manual,
 * volume 3, "Buffering of write combining memory locations"; AMD's, volume 2, "Write-combining
 * buffer flush").
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "exclusive_cache.h"

#define PAGE_BYTES 4096

_Static_assert(CACHE_SECRET >= XXH3_SECRET_SIZE_MIN, "what XXH3 wants");

/* As <xxh_x86dispatch.h> has it, but weak. */
__attribute__((weak)) XXH128_hash_t XXH3_128bits_withSecret_dispatch(const void *input, size_t len,
								     const void *secret,
								     size_t secret_len);

int cache_secret__init(struct cache_secret *s)
{
	ssize_t n;

	/* Up to 256 bytes come whole, or not at all: getrandom(2). */
	do {
		n = getrandom(s->bytes, sizeof(s->bytes), 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

struct page_digest page_digest__of(const struct cache_secret *s, const void *page)
{
	XXH128_hash_t h;

	if (XXH3_128bits_withSecret_dispatch)
		h = XXH3_128bits_withSecret_dispatch(page, PAGE_BYTES, s->bytes, CACHE_SECRET);
	else
		h = XXH3_128bits_withSecret(page, PAGE_BYTES, s->bytes, CACHE_SECRET);
	return (struct page_digest){.lo = h.low64, .hi = h.high64};
}

/* --- copying --- */

#ifdef __x86_64__

/* Whatever the compiler thinks of it: this was read once, it is not to be read again. */
#define READ_ONCE_INTO(v) __asm__ volatile("" : "+x"(v))

__attribute__((target("avx2"))) static void copy_twice_avx2(char *slot, char *copy,
							    const char *frame)
{
	for (int i = 0; i < PAGE_BYTES; i += 64) {
		__m256i a = _mm256_load_si256((const __m256i *)(frame + i));
		__m256i b = _mm256_load_si256((const __m256i *)(frame + i + 32));

		READ_ONCE_INTO(a);
		READ_ONCE_INTO(b);
		_mm256_store_si256((__m256i *)(copy + i), a);
		_mm256_store_si256((__m256i *)(copy + i + 32), b);
		_mm256_stream_si256((__m256i *)(slot + i), a);
		_mm256_stream_si256((__m256i *)(slot + i + 32), b);
	}
}

static void copy_twice_sse2(char *slot, char *copy, const char *frame)
{
	for (int i = 0; i < PAGE_BYTES; i += 16) {
		__m128i a = _mm_load_si128((const __m128i *)(frame + i));

		READ_ONCE_INTO(a);
		_mm_store_si128((__m128i *)(copy + i), a);
		_mm_stream_si128((__m128i *)(slot + i), a);
	}
}

static struct page_digest copy_past_caches(const struct cache_secret *s, void *slot,
					   const void *frame)
{
	char copy[PAGE_BYTES] __attribute__((aligned(64)));

	if (__builtin_cpu_supports("avx2"))
		copy_twice_avx2(slot, copy, frame);
	else
		copy_twice_sse2(slot, copy, frame);
	return page_digest__of(s, copy);
}

#else
#define copy_past_caches copy_through_caches
#endif

static struct page_digest copy_through_caches(const struct cache_secret *s, void *slot,
					      const void *frame)
{
	memcpy(slot, frame, PAGE_BYTES);
	return page_digest__of(s, slot);
}

struct page_digest page_digest__copy(const struct cache_secret *s, void *slot, const void *frame,
				     bool warm)
{
	return warm ? copy_through_caches(s, slot, frame) : copy_past_caches(s, slot, frame);
}
