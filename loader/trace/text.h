/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers and fields of a line of text, without a terminating NUL. */
#ifndef HVTRACE_TEXT_H
#define HVTRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* What is left of the line. */
struct text {
	const char *p, *end;
};

static inline bool text__at_digit(const struct text *t)
{
	return t->p < t->end && *t->p >= '0' && *t->p <= '9';
}

static inline bool text__take(struct text *t, char c)
{
	bool there = t->p < t->end && *t->p == c;

	t->p += there;
	return there;
}

static inline void text__skip_blanks(struct text *t)
{
	while (t->p < t->end && (*t->p == ' ' || *t->p == '\t'))
		t->p++;
}

/* A line without its end, which may be that of other systems. */
static inline size_t text__line_bytes(const char *p, const char *end)
{
	return end - p - (end > p && end[-1] == '\r');
}

/* Up to the next c, or all; c itself is taken but not given. */
struct text text__field(struct text *t, char c);
/* Up to the next blank. */
struct text text__word(struct text *t);
bool text__is(const struct text *t, const char *word);
bool text__is_nocase(const struct text *t, const char *word);
bool text__starts(const struct text *t, const char *with);

/* These return NULL, or what is wrong with the number ("is negative"), and then leave t as it is.
 */
const char *text__number(struct text *t, __u64 *v);   /* decimal, or hex with 0x */
const char *text__seconds(struct text *t, __u64 *ns); /* digits beyond 9 decimals are dropped */

/* The first bytes of the line, to be shown to a person. */
#define TEXT_QUOTE 25
const char *text__quote(const struct text *t, char out[TEXT_QUOTE]);

#endif
