/* SPDX-License-Identifier: GPL-2.0 */
/* A fuzzer's input that is read as a script: numbers and bytes, zeroes beyond its end. */
#ifndef TESTS_FUZZ_SCRIPT_H
#define TESTS_FUZZ_SCRIPT_H

#include "fuzz.h"

struct script {
	const uint8_t *at;
	size_t left;
};

static inline void script__bytes(struct script *s, void *to, size_t n)
{
	size_t there = n < s->left ? n : s->left;

	memset(to, 0, n);
	if (there)
		memcpy(to, s->at, there);
	s->at += there;
	s->left -= there;
}

static inline uint8_t script__u8(struct script *s)
{
	uint8_t v;

	script__bytes(s, &v, sizeof(v));
	return v;
}

/* Little-endian, as machines are that fuzzers run on. */
static inline uint16_t script__u16(struct script *s)
{
	uint16_t v;

	script__bytes(s, &v, sizeof(v));
	return v;
}

static inline uint32_t script__u32(struct script *s)
{
	uint32_t v;

	script__bytes(s, &v, sizeof(v));
	return v;
}

#endif
