/* SPDX-License-Identifier: GPL-2.0 */
/* How far back: a time, or a number of references. */
#ifndef ANALYSIS_SPAN_H
#define ANALYSIS_SPAN_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

struct span {
	__u64 n;   /* ns or references; 0: none */
	bool refs; /* references */
};

/* "10" and "10s" (seconds), "500ms", "150us", "5m", "2h", "1.5d", or "1000000r" (references).
 * -EINVAL: not one, or none at all, or beyond 10^9 seconds or 10^18 references. */
int span__parse(const char *text, struct span *out);
/* "10 s", "5 m", "1000000 references". Returns buf. */
#define SPAN_TEXT 40
const char *span__format(const struct span *s, char buf[SPAN_TEXT]);
/* In seconds, or references. */
double span__value(const struct span *s);

/* Which part of the past a curve is of: one of the two, or all of it. */
struct past {
	struct span window, half_life;
};

bool past__limited(const struct past *p);
/* The one that is there. */
const struct span *past__span(const struct past *p);
/* "the last 10 s", "half-life 5 m", "all". Returns buf. */
#define PAST_TEXT 56
const char *past__format(const struct past *p, char buf[PAST_TEXT]);
/* ,"window_s":10 or the like, to go into an object; nothing if it is all. */
void past__json(FILE *out, const struct past *p);

#endif
