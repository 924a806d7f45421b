// SPDX-License-Identifier: GPL-2.0
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "random.h"

__u64 random__seed_or(__u64 seed)
{
	const char *env = getenv("SEED");

	if (env)
		seed = strtoull(env, NULL, 0);
	printf("SEED=%llu\n", seed);
	return seed;
}

__u64 random__seed(void)
{
	return random__seed_or(time(NULL));
}

/* splitmix64 (Steele et al., OOPSLA '14). */
__u64 random__next(struct random *r)
{
	__u64 z = r->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

__u64 random__below(struct random *r, __u64 n)
{
	return random__next(r) % n;
}

int random__one_in(struct random *r, __u64 n)
{
	return !random__below(r, n);
}

double random__unit(struct random *r)
{
	return (random__next(r) >> 11) * 0x1p-53;
}

__u64 random__zipf(struct random *r, __u64 n, double exponent)
{
	double e = 1 - exponent;
	__u64 x = pow(random__unit(r) * (pow(n + 1, e) - 1) + 1, 1 / e) - 1;

	return x < n ? x : n - 1;
}
