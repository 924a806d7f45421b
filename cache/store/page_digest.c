// SPDX-License-Identifier: GPL-2.0
/*
 * Hashing is a good part of what a capture costs, so it takes the widest vectors the CPU has. On
 * x86 that is decided at run time, by the library's own dispatch, which its static variant lacks:
 * SSE2 then. arm64 always has NEON. All variants give the same hash.
 */
#include <errno.h>
#include <sys/random.h>
#include <xxhash.h>

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
