// SPDX-License-Identifier: GPL-2.0
#include "filter.h"
#include "sample.h"

/* References asked for ahead of their use: a page of memory. */
#define AHEAD 512

#ifdef __x86_64__
#include <immintrin.h>

enum filter_isa filter__best(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
		       ? FILTER_AVX512
		       : FILTER_PORTABLE;
}
#else
enum filter_isa filter__best(void)
{
	return FILTER_PORTABLE;
}
#endif

static size_t filter_portable(const struct filter *f, const __u64 *pages, size_t n, __u64 *hashes,
			      __u64 *lots)
{
	size_t found = 0;

	/* A branch that is hardly ever taken, or hardly ever not. */
	for (size_t i = 0; i < n; i++) {
		__u64 lot = sample__lot(pages[i], f->key);

		if (lot + f->offset > f->threshold)
			continue;
		hashes[found] = sample__hash(pages[i], f->key);
		lots[found++] = lot;
	}
	return found;
}

#ifdef __x86_64__
#define AVX512 __attribute__((target("avx512f,avx512dq")))

/* pe_hash() of eight pages. */
AVX512 static inline __m512i hash8(__m512i h)
{
	h = _mm512_xor_si512(h, _mm512_srli_epi64(h, 33));
	h = _mm512_mullo_epi64(h, _mm512_set1_epi64(0xff51afd7ed558ccdLL));
	h = _mm512_xor_si512(h, _mm512_srli_epi64(h, 33));
	h = _mm512_mullo_epi64(h, _mm512_set1_epi64(0xc4ceb9fe1a85ec53LL));
	return _mm512_xor_si512(h, _mm512_srli_epi64(h, 33));
}

AVX512 static inline __m512i lot8(__m512i pages, __m512i key)
{
	const __m512i golden = _mm512_set1_epi64(PE_GOLDEN);
	__m512i block = _mm512_xor_si512(_mm512_srli_epi64(pages, PE_LOT_SHIFT), golden);

	return _mm512_add_epi64(_mm512_mullo_epi64(pages, golden),
				hash8(_mm512_xor_si512(block, key)));
}

AVX512 static size_t filter_avx512(const struct filter *f, const __u64 *pages, size_t n,
				   __u64 *hashes, __u64 *lots)
{
	const __m512i key = _mm512_set1_epi64(f->key), offset = _mm512_set1_epi64(f->offset);
	const __m512i threshold = _mm512_set1_epi64(f->threshold);
	size_t found = 0, i = 0;

	for (; i + 8 <= n; i += 8) {
		__m512i eight = _mm512_loadu_si512(pages + i), lot = lot8(eight, key), hash;
		__mmask8 in = _mm512_cmple_epu64_mask(_mm512_add_epi64(lot, offset), threshold);

		/* The hardware's prefetcher stops at each 4 KiB page. */
		__builtin_prefetch(pages + i + AHEAD);
		if (!in)
			continue;
		/* Whole vectors: what is written too much is within the room, and overwritten. */
		hash = hash8(_mm512_xor_si512(eight, key));
		_mm512_storeu_si512(hashes + found, _mm512_maskz_compress_epi64(in, hash));
		_mm512_storeu_si512(lots + found, _mm512_maskz_compress_epi64(in, lot));
		found += __builtin_popcount(in);
	}
	return found + filter_portable(f, pages + i, n - i, hashes + found, lots + found);
}
#endif

size_t filter__apply(const struct filter *f, const __u64 *pages, size_t n, __u64 *hashes,
		     __u64 *lots)
{
#ifdef __x86_64__
	if (f->isa == FILTER_AVX512)
		return filter_avx512(f, pages, n, hashes, lots);
#endif
	return filter_portable(f, pages, n, hashes, lots);
}
