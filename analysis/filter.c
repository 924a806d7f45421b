// SPDX-License-Identifier: GPL-2.0
#include "filter.h"
#include "sample.h"

/* References asked for ahead of their use: the hardware's prefetcher stops at each 4 KiB page. */
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

		if (i % 8 == 0)
			__builtin_prefetch(pages + i + AHEAD);
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

/* sample__lot() of eight pages. */
AVX512 static inline __m512i lot8(__m512i pages, __m512i key_golden)
{
	__m512i h = _mm512_xor_si512(_mm512_srli_epi64(pages, PE_LOT_SHIFT), key_golden);

	h = _mm512_mullo_epi64(h, _mm512_set1_epi64(0xff51afd7ed558ccdLL));
	h = _mm512_xor_si512(h, _mm512_srli_epi64(h, 32));
	h = _mm512_mullo_epi64(h, _mm512_set1_epi64(0xc4ceb9fe1a85ec53LL));
	return _mm512_add_epi64(_mm512_mullo_epi64(pages, _mm512_set1_epi64(PE_GOLDEN)), h);
}

/* Whole vectors are written: what is too much is within the room, and overwritten. */
AVX512 static inline size_t choose8(const struct filter *f, __m512i pages, __m512i lot, __u64 *out)
{
	__m512i moved = _mm512_add_epi64(lot, _mm512_set1_epi64(f->offset));
	__mmask8 in = _mm512_cmple_epu64_mask(moved, _mm512_set1_epi64(f->threshold));

	_mm512_storeu_si512(out, _mm512_maskz_compress_epi64(in, pages));
	return __builtin_popcount(in);
}

/* The pages of the sample, without a branch: at most rates none could be foreseen. Two vectors at
 * once, to be asked for in the L2 cache: what is on its way to the L1 holds up what is needed now.
 */
AVX512 static size_t choose(const struct filter *f, const __u64 *pages, size_t n, __u64 *out)
{
	const __m512i key_golden = _mm512_set1_epi64(f->key ^ PE_GOLDEN);
	size_t found = 0;

	for (size_t i = 0; i < n; i += 16) {
		__m512i a = _mm512_loadu_si512(pages + i), b = _mm512_loadu_si512(pages + i + 8);

		__builtin_prefetch(pages + i + AHEAD, 0, 2);
		__builtin_prefetch(pages + i + AHEAD + 8, 0, 2);
		found += choose8(f, a, lot8(a, key_golden), out + found);
		found += choose8(f, b, lot8(b, key_golden), out + found);
	}
	return found;
}

/* In place: pages become hashes. */
AVX512 static void tell(const struct filter *f, size_t n, __u64 *hashes, __u64 *lots)
{
	const __m512i key = _mm512_set1_epi64(f->key),
		      key_golden = key ^ _mm512_set1_epi64(PE_GOLDEN);

	for (size_t i = 0; i < n; i += 8) {
		__m512i eight = _mm512_loadu_si512(hashes + i);

		_mm512_storeu_si512(lots + i, lot8(eight, key_golden));
		_mm512_storeu_si512(hashes + i, hash8(_mm512_xor_si512(eight, key)));
	}
}

AVX512 static size_t filter_avx512(const struct filter *f, const __u64 *pages, size_t n,
				   __u64 *hashes, __u64 *lots)
{
	size_t whole = n & ~15UL, found = choose(f, pages, whole, hashes), told = found & ~7UL;

	tell(f, told, hashes, lots);
	for (size_t i = told; i < found; i++) {
		lots[i] = sample__lot(hashes[i], f->key);
		hashes[i] = sample__hash(hashes[i], f->key);
	}
	return found + filter_portable(f, pages + whole, n - whole, hashes + found, lots + found);
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
