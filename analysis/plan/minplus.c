// SPDX-License-Identifier: GPL-2.0
/*
 * The inner loop of plans: for each step a pass over the table, an addition and a minimum an entry.
 * Tables of 1024 entries stay in the first cache (8 KiB each), and a pass is four entries at once.
 */
#include "minplus.h"

#include <string.h>

/* Four at once: without AVX the compiler makes two halves of them. */
#define LANES 4
typedef double lanes __attribute__((vector_size(8 * LANES)));
typedef __s64 masks __attribute__((vector_size(8 * LANES)));

static inline __attribute__((always_inline)) void lower(double *out, const double *table, size_t n,
							double cost)
{
	size_t i = 0;

	for (; i + LANES <= n; i += LANES) {
		lanes new, old;
		masks less;

		memcpy(&new, table + i, sizeof(new));
		memcpy(&old, out + i, sizeof(old));
		new += cost;
		less = new < old;
		new = (lanes)(((masks) new &less) | ((masks)old & ~less));
		memcpy(out + i, &new, sizeof(new));
	}
	for (; i < n; i++)
		out[i] = table[i] + cost < out[i] ? table[i] + cost : out[i];
}

static inline __attribute__((always_inline)) void join(double *out, const double *table, size_t n,
						       const struct minplus_step *steps, size_t k)
{
	for (size_t t = 0; t < n; t++)
		out[t] = table[t] + steps[0].cost;
	for (size_t i = 1; i < k && steps[i].at < n; i++)
		lower(out + steps[i].at, table, n - steps[i].at, steps[i].cost);
}

void minplus__join_portable(double *out, const double *table, size_t n,
			    const struct minplus_step *steps, size_t k)
{
	join(out, table, n, steps, k);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void join_avx2(double *out, const double *table, size_t n,
						      const struct minplus_step *steps, size_t k)
{
	join(out, table, n, steps, k);
}
#endif

void minplus__join(double *out, const double *table, size_t n, const struct minplus_step *steps,
		   size_t k)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2")) {
		join_avx2(out, table, n, steps, k);
		return;
	}
#endif
	join(out, table, n, steps, k);
}

size_t minplus__choice(const double *table, size_t t, const struct minplus_step *steps, size_t k)
{
	size_t best = 0;

	for (size_t i = 1; i < k && steps[i].at <= t; i++)
		if (table[t - steps[i].at] + steps[i].cost <
		    table[t - steps[best].at] + steps[best].cost)
			best = i;
	return best;
}
