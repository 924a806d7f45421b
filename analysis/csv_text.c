// SPDX-License-Identifier: GPL-2.0
#include "csv_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int csv_text__wrong(struct csv_text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	t->fault->line = t->line;
	vsnprintf(t->fault->reason, sizeof(t->fault->reason), fmt, args);
	va_end(args);
	/* It quotes the file, and goes to a terminal. */
	for (char *s = t->fault->reason; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	return -EINVAL;
}

int csv_text__init(struct csv_text *t, char *text, size_t len, struct csv_fault *fault)
{
	*t = (struct csv_text){.at = text, .end = text + len, .line = 1, .next = 1, .fault = fault};
	return memchr(text, '\0', len) ? csv_text__wrong(t, "not a text: it has a NUL byte") : 0;
}

/* --- rows and fields --- */

/* From behind the opening quote to behind the closing one; the text moves up over doubled ones. */
static char *unquote(struct csv_text *t, char *s)
{
	char *to = s;

	for (; s < t->end; s++) {
		if (*s == '"' && *++s != '"') {
			*to = '\0';
			return s;
		}
		t->next += *s == '\n';
		*to++ = *s;
	}
	return NULL;
}

/* One field, made a string. *last: the row ends with it. */
static int next_field(struct csv_text *t, char **field, bool *last)
{
	bool quoted = *t->at == '"';
	char *s = t->at, end;

	*field = quoted ? s + 1 : s;
	s = quoted ? unquote(t, s + 1) : s + strcspn(s, ",\r\n\"");
	if (!s)
		return csv_text__wrong(t, "a quoted field has no end");
	end = *s;
	if (end == '\r' && s[1] == '\n')
		*s++ = '\0';
	else if (end == '\r' || end == '"' || (quoted && end && !strchr(",\n", end)))
		return csv_text__wrong(t, "a stray '%s' in a field", end == '\r' ? "\\r" : "\"");
	*last = end != ',';
	t->next += *last;
	*s = '\0';
	t->at = s < t->end ? s + 1 : t->end;
	return 0;
}

static int take_row(struct csv_text *t, char **fields, size_t columns)
{
	bool last = false;
	size_t n = 0;
	char *rest;

	t->line = t->next;
	while (!last) {
		int err = next_field(t, n < columns ? &fields[n] : &rest, &last);

		if (err)
			return err;
		n++;
	}
	if (n != columns)
		return csv_text__wrong(t, "%zu columns instead of %zu", n, columns);
	return 1;
}

int csv_text__row(struct csv_text *t, char **fields, size_t columns)
{
	return t->at < t->end ? take_row(t, fields, columns) : 0;
}

int csv_text__heading(struct csv_text *t, const char *const *columns, size_t n, const char *what)
{
	char **fields = calloc(n, sizeof(*fields));
	bool right;

	if (!fields)
		return -ENOMEM;
	/* An empty file has one row, of one field. */
	right = take_row(t, fields, n) == 1;
	for (size_t i = 0; right && i < n; i++)
		right = !strcmp(fields[i], columns[i]);
	free(fields);
	return right ? 0 : csv_text__wrong(t, "not the heading of %s", what);
}

/* --- values --- */

int csv_text__number(struct csv_text *t, const char *column, const char *text, double max,
		     double *out)
{
	char *end;

	/* No sign, "inf", "nan" or hexadecimals, which strtod would take. */
	if (!text[0] || text[strspn(text, "0123456789.e+-")] || text[0] == '-' || text[0] == '+')
		return csv_text__wrong(t, "%s '%.32s' is not a number of 0 or more", column, text);
	*out = strtod(text, &end);
	if (*end)
		return csv_text__wrong(t, "%s '%.32s' is not a number of 0 or more", column, text);
	if (*out > max)
		return csv_text__wrong(t, "%s '%.32s' is above %g", column, text, max);
	return 0;
}

int csv_text__whole(struct csv_text *t, const char *column, const char *text, __u64 *out)
{
	*out = 0;
	for (const char *s = text; *s; s++) {
		if (*s < '0' || *s > '9' || *out > (~0ULL - 9) / 10)
			return csv_text__wrong(t, "%s '%.32s' is not a whole number", column, text);
		*out = *out * 10 + (*s - '0');
	}
	return *text ? 0 : csv_text__wrong(t, "%s is missing", column);
}
