// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curve_csv.h"

static const char *const columns[] = {"vm",	    "space",	  "order",
				      "size_pages", "size_bytes", "misses",
				      "accesses",   "miss_ratio", "error"};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))
/* What a size in pages may be, as everywhere. */
#define MAX_PAGES (1ULL << 52)

struct reader {
	struct curve_csv *out;
	char *at, *end;
	__u64 line; /* of the row in hand */
	__u64 next; /* ... of the one after it: a quoted field may hold several */
	struct curve_csv_fault *fault;
};

__attribute__((format(printf, 2, 3))) static int bad(struct reader *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	r->fault->line = r->line;
	vsnprintf(r->fault->reason, sizeof(r->fault->reason), fmt, args);
	va_end(args);
	/* It quotes the file, and goes to a terminal. */
	for (char *s = r->fault->reason; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	return -EINVAL;
}

/* --- rows and fields (RFC 4180) --- */

/* From behind the opening quote to behind the closing one; the text moves up over doubled ones. */
static char *unquote(struct reader *r, char *s)
{
	char *to = s;

	for (; s < r->end; s++) {
		if (*s == '"' && *++s != '"') {
			*to = '\0';
			return s;
		}
		r->next += *s == '\n';
		*to++ = *s;
	}
	return NULL;
}

/* One field, made a string. *last: the row ends with it. */
static int next_field(struct reader *r, char **field, bool *last)
{
	bool quoted = *r->at == '"';
	char *s = r->at, end;

	*field = quoted ? s + 1 : s;
	s = quoted ? unquote(r, s + 1) : s + strcspn(s, ",\r\n\"");
	if (!s)
		return bad(r, "a quoted field has no end");
	end = *s;
	if (end == '\r' && s[1] == '\n')
		*s++ = '\0';
	else if (end == '\r' || end == '"' || (quoted && end && !strchr(",\n", end)))
		return bad(r, "a stray '%s' in a field", end == '\r' ? "\\r" : "\"");
	*last = end != ',';
	r->next += *last;
	*s = '\0';
	r->at = s < r->end ? s + 1 : r->end;
	return 0;
}

static int next_row(struct reader *r, char *fields[COLUMNS])
{
	bool last = false;
	size_t n = 0;
	char *rest;

	r->line = r->next;
	while (!last) {
		int err = next_field(r, n < COLUMNS ? &fields[n] : &rest, &last);

		if (err)
			return err;
		n++;
	}
	if (n != COLUMNS)
		return bad(r, "%zu columns instead of %zu", n, COLUMNS);
	return 0;
}

/* --- values --- */

static int take_number(struct reader *r, const char *column, const char *text, double max,
		       double *out)
{
	char *end;

	/* No sign, "inf", "nan" or hexadecimals, which strtod would take. */
	if (!text[0] || text[strspn(text, "0123456789.e+-")] || text[0] == '-' || text[0] == '+')
		return bad(r, "%s '%.32s' is not a number of 0 or more", column, text);
	*out = strtod(text, &end);
	if (*end)
		return bad(r, "%s '%.32s' is not a number of 0 or more", column, text);
	if (*out > max)
		return bad(r, "%s '%.32s' is above %g", column, text, max);
	return 0;
}

static int take_whole(struct reader *r, const char *column, const char *text, __u64 *out)
{
	*out = 0;
	for (const char *s = text; *s; s++) {
		if (*s < '0' || *s > '9' || *out > (~0ULL - 9) / 10)
			return bad(r, "%s '%.32s' is not a whole number", column, text);
		*out = *out * 10 + (*s - '0');
	}
	return *text ? 0 : bad(r, "%s is missing", column);
}

static int take_size(struct reader *r, char *const fields[COLUMNS], __u64 *size)
{
	__u64 bytes;
	int err = take_whole(r, columns[3], fields[3], size);

	if (!err)
		err = take_whole(r, columns[4], fields[4], &bytes);
	if (!err && (*size > MAX_PAGES || bytes != *size * PAGE_BYTES))
		err = bad(r, "size_bytes %llu are not size_pages %llu", bytes, *size);
	return err;
}

static int take_point(struct reader *r, char *const fields[COLUMNS], struct curve_point *p)
{
	double ratio;
	int err = take_size(r, fields, &p->size);

	if (!err)
		err = take_number(r, columns[5], fields[5], 1e300, &p->misses);
	if (!err)
		err = take_number(r, columns[6], fields[6], 1e300, &p->accesses);
	if (!err)
		err = take_number(r, columns[7], fields[7], 1e300, &ratio);
	if (!err)
		err = take_number(r, columns[8], fields[8], 1, &p->error);
	return err;
}

static int take_key(struct reader *r, char *const fields[COLUMNS], struct named_curve *key)
{
	*key = (struct named_curve){.vm = fields[0]};
	if (!strcmp(fields[1], "mem"))
		key->space = SPACE_MEM;
	else if (strcmp(fields[1], "disk"))
		return bad(r, "space '%.32s' is neither disk nor mem", fields[1]);
	key->added = !strcmp(fields[2], "eviction");
	if (!key->added && strcmp(fields[2], "access"))
		return bad(r, "order '%.32s' is neither eviction nor access", fields[2]);
	return 0;
}

/* --- curves --- */

static bool same_curve(const struct named_curve *a, const struct named_curve *b)
{
	return a->space == b->space && a->added == b->added && !strcmp(a->vm, b->vm);
}

/* Arrays double in size: room is needed when n is 0 or a power of two. */
static void *with_room(void *v, size_t n, size_t size)
{
	return n & (n - 1) ? v : reallocarray(v, n ? 2 * n : 1, size);
}

static int add_curve(struct reader *r, const struct named_curve *key)
{
	struct curve_csv *out = r->out;
	struct named_curve *curves;

	for (size_t i = 0; i < out->n; i++)
		if (same_curve(&out->curves[i], key))
			return bad(r, "the rows of '%.64s' are not together", key->vm);
	curves = with_room(out->curves, out->n, sizeof(*curves));
	if (!curves)
		return -ENOMEM;
	out->curves = curves;
	curves[out->n] = *key;
	curves[out->n].vm = strdup(key->vm);
	return curves[out->n++].vm ? 0 : -ENOMEM;
}

static int add_point(struct reader *r, const struct named_curve *key, const struct curve_point *p)
{
	struct curve_csv *out = r->out;
	struct curve_point *points;
	struct named_curve *c;

	if (!out->n || !same_curve(&out->curves[out->n - 1], key)) {
		int err = add_curve(r, key);

		if (err)
			return err;
	}
	c = &out->curves[out->n - 1];
	if (c->n && p->size <= c->points[c->n - 1].size)
		return bad(r, "the sizes of '%.64s' do not ascend", c->vm);
	points = with_room(c->points, c->n, sizeof(*points));
	if (!points)
		return -ENOMEM;
	c->points = points;
	points[c->n++] = *p;
	return 0;
}

static int take_row(struct reader *r)
{
	struct named_curve key;
	struct curve_point p = {0};
	char *fields[COLUMNS];
	int err = next_row(r, fields);

	if (!err)
		err = take_key(r, fields, &key);
	if (!err)
		err = take_point(r, fields, &p);
	return err ?: add_point(r, &key, &p);
}

static int take_heading(struct reader *r)
{
	char *fields[COLUMNS];
	bool right = !next_row(r, fields);

	for (size_t i = 0; right && i < COLUMNS; i++)
		right = !strcmp(fields[i], columns[i]);
	return right ? 0
		     : bad(r, "not the heading of a curve.csv, as 'hvtrace mrc --csv' writes it");
}

int curve_csv__parse(struct curve_csv *out, char *text, size_t len, struct curve_csv_fault *fault)
{
	struct reader r = {
		.out = out, .at = text, .end = text + len, .line = 1, .next = 1, .fault = fault};
	int err;

	*out = (struct curve_csv){0};
	if (memchr(text, '\0', len))
		return bad(&r, "not a text: it has a NUL byte");
	err = take_heading(&r);
	while (!err && r.at < r.end)
		err = take_row(&r);
	if (err)
		curve_csv__free(out);
	return err;
}

void curve_csv__free(struct curve_csv *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->curves[i].vm);
		free(c->curves[i].points);
	}
	free(c->curves);
	*c = (struct curve_csv){0};
}
