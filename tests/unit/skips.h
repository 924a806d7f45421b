/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests that a host has not got what it takes for: each says why, and the program then ends with
 * 77, its last line the reason, so that whoever runs it knows.
 */
#ifndef TESTS_SKIPS_H
#define TESTS_SKIPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

struct skips {
	unsigned nr;
	const char *why; /* of the last one */
};

static inline struct skips *skips__all(void)
{
	static struct skips skips;

	return &skips;
}

/* Leaves the test. */
static inline void because(const char *why)
{
	printf("skipped: %s\n", why);
	skips__all()->nr++;
	skips__all()->why = why;
	skip();
}

/* The program's exit status, from what cmocka_run_group_tests() returned: how many failed. */
static inline int skips__status(int failed)
{
	const struct skips *s = skips__all();

	if (failed || !s->nr)
		return failed;
	fflush(stderr);
	printf("%u skipped: %s\n", s->nr, s->why);
	return 77;
}

#endif
