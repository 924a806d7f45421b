// SPDX-License-Identifier: GPL-2.0
#include "text.h"

#include <string.h>
#include <strings.h>

#define NS_PER_S 1000000000ULL

struct text text__field(struct text *t, char c)
{
	struct text field = {.p = t->p, .end = t->end};
	const char *at = t->p < t->end ? memchr(t->p, c, t->end - t->p) : NULL;

	if (at)
		field.end = at;
	t->p = at ? at + 1 : t->end;
	return field;
}

struct text text__word(struct text *t)
{
	struct text word = {.p = t->p};

	while (t->p < t->end && *t->p != ' ' && *t->p != '\t')
		t->p++;
	word.end = t->p;
	return word;
}

bool text__is(const struct text *t, const char *word)
{
	return (size_t)(t->end - t->p) == strlen(word) && !memcmp(t->p, word, strlen(word));
}

bool text__is_nocase(const struct text *t, const char *word)
{
	return (size_t)(t->end - t->p) == strlen(word) && !strncasecmp(t->p, word, strlen(word));
}

bool text__starts(const struct text *t, const char *with)
{
	return (size_t)(t->end - t->p) >= strlen(with) && !memcmp(t->p, with, strlen(with));
}

static const char *no_number(const struct text *t)
{
	if (t->p == t->end)
		return "is missing";
	return *t->p == '-' ? "is negative" : "is not a number";
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *hex_number(struct text *t, __u64 *v)
{
	const char *p = t->p + 2;
	__u64 sum = 0;
	int digit;

	if (p == t->end || hex_digit(*p) < 0)
		return "is not a number";
	for (; p < t->end && (digit = hex_digit(*p)) >= 0; p++) {
		if (sum >> 60)
			return "does not fit 64 bits";
		sum = sum << 4 | digit;
	}
	t->p = p;
	*v = sum;
	return NULL;
}

const char *text__number(struct text *t, __u64 *v)
{
	const char *p = t->p;
	__u64 sum = 0;

	if (!text__at_digit(t))
		return no_number(t);
	if (t->end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
		return hex_number(t, v);
	for (; p < t->end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, *p - '0', &sum))
			return "does not fit 64 bits";
	t->p = p;
	*v = sum;
	return NULL;
}

/* The digits after the point, as nanoseconds. */
static __u64 decimals(struct text *t)
{
	__u64 ns = 0, weight = NS_PER_S / 10;

	for (; text__at_digit(t); t->p++, weight /= 10)
		ns += weight * (*t->p - '0');
	return ns;
}

const char *text__seconds(struct text *t, __u64 *ns)
{
	struct text at = *t;
	__u64 s, fraction = 0;
	const char *wrong = text__number(&at, &s);

	if (wrong)
		return wrong;
	if (text__take(&at, '.'))
		fraction = decimals(&at);
	if (__builtin_mul_overflow(s, NS_PER_S, &s) || __builtin_add_overflow(s, fraction, ns))
		return "is too large for seconds";
	*t = at;
	return NULL;
}

const char *text__quote(const struct text *t, char out[TEXT_QUOTE])
{
	size_t n = t->end - t->p, i;

	for (i = 0; i < n && i < TEXT_QUOTE - 1; i++)
		out[i] = t->p[i] >= ' ' && t->p[i] <= '~' ? t->p[i] : '?';
	out[i] = 0;
	return out;
}
