/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Contents that tell where they belong: what a sector holds follows from its number and a version,
 * so whoever reads it can say what is wrong with it. Version 0 is all zeroes.
 *
 * For the programs of this folder, each of which is one file.
 */
#ifndef HVTRACE_TESTS_SECTORS_H
#define HVTRACE_TESTS_SECTORS_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512UL
#define PAGE 4096UL
#define WORDS (SECTOR / sizeof(uint64_t))

/* xorshift64*: the same numbers for the same seed, everywhere. */
static inline uint64_t next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static inline uint64_t below(uint64_t *state, uint64_t n)
{
	return (next(state) >> 11) % n;
}

/* A state for next(): never 0. */
static inline uint64_t seeded(uint64_t a, uint64_t b)
{
	uint64_t s = a * 0x9e3779b97f4a7c15ULL ^ (b + 1) * 0xbf58476d1ce4e5b9ULL;

	return s ? s : 1;
}

static inline void sector_fill(void *to, uint64_t sector, uint64_t version)
{
	uint64_t word[WORDS], state = seeded(sector, version);

	memset(word, 0, sizeof(word));
	if (version) {
		word[0] = sector;
		word[1] = version;
		for (size_t i = 2; i < WORDS; i++)
			word[i] = next(&state);
	}
	memcpy(to, word, SECTOR);
}

/* What version of the sector this is; UINT64_MAX: none. */
static inline uint64_t sector_version(const void *at, uint64_t sector)
{
	uint64_t is[WORDS], should[WORDS];

	memcpy(is, at, SECTOR);
	sector_fill(should, sector, is[1]);
	return memcmp(is, should, SECTOR) ? UINT64_MAX : is[1];
}

static inline int failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static inline uint64_t number(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 0);

	if (*s && !*end)
		return n;
	fprintf(stderr, "'%s' is not a number\n", s);
	exit(2);
}

#endif
