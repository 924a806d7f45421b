// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slot_set.h"

#define MAX_SLOTS (1ULL << 32)

/* Grow an array to n elements, the new ones zero. */
static int grow(void *array, size_t size, size_t old, size_t n)
{
	char *p = realloc(*(void **)array, n * size);

	if (!p)
		return -ENOMEM;
	memset(p + old * size, 0, (n - old) * size);
	*(void **)array = p;
	return 0;
}

static size_t nr_lines(__u64 slots)
{
	return slots >> SLOT_LINE_SHIFT;
}

static size_t nr_groups(__u64 slots)
{
	return (nr_lines(slots) + SLOT_FANOUT - 1) >> SLOT_FANOUT_SHIFT;
}

static size_t nr_supers(__u64 slots)
{
	return (nr_groups(slots) + SLOT_FANOUT - 1) >> SLOT_FANOUT_SHIFT;
}

static int grow_arrays(struct slot_set *s, __u64 slots)
{
	__u64 old = s->room;

	if (grow(&s->count, sizeof(*s->count), nr_lines(old), nr_lines(slots)) ||
	    grow(&s->prefix, sizeof(*s->prefix), nr_lines(old), nr_lines(slots)) ||
	    grow(&s->group, sizeof(*s->group), nr_groups(old), nr_groups(slots)) ||
	    grow(&s->super, sizeof(*s->super), nr_supers(old), nr_supers(slots)))
		return -ENOMEM;
	s->heap = nr_lines(slots) * (sizeof(*s->count) + sizeof(*s->prefix)) +
		  (nr_groups(slots) + nr_supers(slots)) * sizeof(*s->group);
	s->room = slots;
	return 0;
}

int slot_set__reserve(struct slot_set *s, struct arena *a, __u32 n)
{
	while (s->room < n) {
		__u64 slots = (__u64)(s->bits.nr + 1) << SLOT_BLOCK_SHIFT;

		if (slots >= MAX_SLOTS)
			return -ENOMEM;
		if (arena_table__grow(&s->bits, a))
			return -ENOMEM;
		if (grow_arrays(s, slots)) {
			arena__put(a, s->bits.block[--s->bits.nr]);
			return -ENOMEM;
		}
	}
	return 0;
}

void slot_set__free(struct slot_set *s, struct arena *a)
{
	arena_table__clear(&s->bits, a);
	free(s->count);
	free(s->prefix);
	free(s->group);
	free(s->super);
	*s = (struct slot_set){0};
}

/* Word w of a bitmap that holds from..to-1. */
static __u64 range_word(__u32 w, __u32 from, __u32 to)
{
	__u64 first = (__u64)w * 64, bits = ~0ULL;

	if (first + 64 <= from || first >= to)
		return 0;
	if (first < from)
		bits &= ~0ULL << (from - first);
	if (first + 64 > to)
		bits &= ~0ULL >> (first + 64 - to);
	return bits;
}

void slot_set__assign(struct slot_set *s, __u32 from, __u32 to)
{
	memset(s->group, 0, nr_groups(s->room) * sizeof(*s->group));
	memset(s->super, 0, nr_supers(s->room) * sizeof(*s->super));
	s->live = 0;
	for (__u32 line = 0; line < nr_lines(s->room); line++) {
		__u64 *words = slot_set__line(s, line << SLOT_LINE_SHIFT);
		__u32 n = 0;

		for (__u32 i = 0; i < SLOT_LINE_WORDS; i++) {
			words[i] = range_word(line * SLOT_LINE_WORDS + i, from, to);
			n += __builtin_popcountll(words[i]);
		}
		s->count[line] = 0;
		slot_set__count(s, line << SLOT_LINE_SHIFT, n);
	}
}

__u32 slot_set__next(const struct slot_set *s, __u32 slot)
{
	__u32 line = slot >> SLOT_LINE_SHIFT, word = slot / 64 % SLOT_LINE_WORDS;
	__u64 *words = slot_set__line(s, slot);
	__u64 bits = words[word] & ~0ULL << slot % 64;

	while (!bits) {
		if (++word == SLOT_LINE_WORDS) {
			do
				line++;
			while (!s->count[line]);
			words = slot_set__line(s, line << SLOT_LINE_SHIFT);
			word = 0;
		}
		bits = words[word];
	}
	return (line << SLOT_LINE_SHIFT) + word * 64 + __builtin_ctzll(bits);
}

void slot_set__rank_all(struct slot_set *s, __u32 used)
{
	__u32 lines = (used >> SLOT_LINE_SHIFT) + 1, n = 0;

	for (__u32 line = 0; line < lines && line < nr_lines(s->room); line++) {
		s->prefix[line] = n;
		n += s->count[line];
	}
}
