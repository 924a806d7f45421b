// SPDX-License-Identifier: GPL-2.0
#include "span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ULL
/* Sums of times, and of references, stay far from the end of 64 bits. */
#define MAX_N 1000000000000000000ULL

static const struct unit {
	const char *suffix;
	__u64 ns;
} units[] = {
	{"d", 86400 * SECOND}, {"h", 3600 * SECOND},	 {"m", 60 * SECOND}, {"s", SECOND},
	{"ms", SECOND / 1000}, {"us", SECOND / 1000000}, {"", SECOND},
};

#define NR_UNITS (sizeof(units) / sizeof(units[0]))

static const struct unit *find_unit(const char *suffix)
{
	for (size_t i = 0; i < NR_UNITS; i++)
		if (!strcmp(units[i].suffix, suffix))
			return &units[i];
	return NULL;
}

static int parse_references(const char *text, struct span *out)
{
	__u64 n;

	errno = 0;
	n = strtoull(text, NULL, 10);
	if (errno || !n || n > MAX_N)
		return -EINVAL;
	*out = (struct span){.n = n, .refs = true};
	return 0;
}

int span__parse(const char *text, struct span *out)
{
	size_t whole = strspn(text, "0123456789"), digits = strspn(text, "0123456789.");
	const struct unit *unit = find_unit(text + digits);
	double ns;
	char *end;

	if (whole && !strcmp(text + whole, "r"))
		return parse_references(text, out);
	/* No signs, "inf", "nan" or hexadecimals, which strtod would take. */
	if (!digits || !unit)
		return -EINVAL;
	ns = strtod(text, &end) * unit->ns;
	if (end != text + digits || !(ns >= 1) || ns > MAX_N)
		return -EINVAL;
	*out = (struct span){.n = ns + 0.5};
	return 0;
}

/* The largest unit that it is a multiple of, from minutes up; else seconds, or parts of one. */
static const struct unit *best_unit(__u64 ns)
{
	for (const struct unit *u = units; u->ns > SECOND; u++)
		if (ns % u->ns == 0)
			return u;
	return find_unit(ns >= SECOND ? "s" : "ms");
}

const char *span__format(const struct span *s, char buf[SPAN_TEXT])
{
	const struct unit *u = best_unit(s->n);

	if (s->refs)
		snprintf(buf, SPAN_TEXT, "%llu references", s->n);
	else
		snprintf(buf, SPAN_TEXT, "%.10g %s", (double)s->n / u->ns, u->suffix);
	return buf;
}

double span__value(const struct span *s)
{
	return s->refs ? s->n : (double)s->n / SECOND;
}

/* --- which part --- */

bool past__limited(const struct past *p)
{
	return p->window.n || p->half_life.n;
}

const struct span *past__span(const struct past *p)
{
	return p->window.n ? &p->window : &p->half_life;
}

const char *past__format(const struct past *p, char buf[PAST_TEXT])
{
	char span[SPAN_TEXT];

	snprintf(buf, PAST_TEXT, "%s%s",
		 p->window.n	  ? "the last "
		 : p->half_life.n ? "half-life "
				  : "all",
		 past__limited(p) ? span__format(past__span(p), span) : "");
	return buf;
}

void past__json(FILE *out, const struct past *p)
{
	const struct span *s = past__span(p);

	if (past__limited(p))
		fprintf(out, ",\"%s_%s\":%.15g", p->window.n ? "window" : "half_life",
			s->refs ? "references" : "s", span__value(s));
}
