/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers that come out the same for the same seed, everywhere. */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <linux/types.h>

struct random {
	__u64 state;
};

/* SEED of the environment, or one of the time; printed, so that a failure can be had again. */
__u64 random__seed(void);
/* The same, but otherwise `seed`: for what holds most of the time only. */
__u64 random__seed_or(__u64 seed);
__u64 random__next(struct random *r);
/* 0 to n - 1. */
__u64 random__below(struct random *r, __u64 n);
/* True once in n times. */
int random__one_in(struct random *r, __u64 n);
/* 0 <= x < 1. */
double random__unit(struct random *r);
/* 0 to n - 1 by Zipf's law with the given exponent (not 1), hot ones first. */
__u64 random__zipf(struct random *r, __u64 n, double exponent);

#endif
