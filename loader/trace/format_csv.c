// SPDX-License-Identifier: GPL-2.0
/*
 * Time in seconds and page, or page alone, a line each; between them a comma, a semicolon, a tab
 * or spaces. A first line that begins with no number is a header, lines that begin with # are
 * comments.
 */
#include "parser.h"

/* 1: there was one (or blanks only); 0: the line is at its end; -1: something else. */
static int take_separator(struct text *t)
{
	const char *before = t->p;

	text__skip_blanks(t);
	if (t->p == t->end)
		return 0;
	if (text__take(t, ',') || text__take(t, ';')) {
		text__skip_blanks(t);
		return 1;
	}
	return t->p > before ? 1 : -1;
}

/* Names of columns, not a number gone wrong. */
static bool is_header(const struct text *t)
{
	return !text__at_digit(t) && *t->p != '-' && *t->p != '+' && *t->p != '.';
}

/* A line that is no record. */
static bool is_aside(struct parser *s, struct text *t)
{
	bool first = !s->begun;

	text__skip_blanks(t);
	if (t->p == t->end || *t->p == '#')
		return true;
	s->begun = true;
	return first && is_header(t);
}

static int take_page(struct parser *s, struct text *t, struct request *r)
{
	const char *wrong = text__number(t, &r->page);

	if (wrong)
		return parser__bad_number(s, "page", wrong, t);
	r->n = 1;
	switch (take_separator(t)) {
	case 0:
		return PARSED_REFS;
	case 1:
		return parser__bad(s, "a column too many");
	default:
		return parser__bad_number(s, "page", "is not a whole number", t);
	}
}

static int csv__parse(struct parser *s, const char *p, size_t n, struct request *r)
{
	struct text t = {.p = p, .end = p + n};
	const char *wrong;

	if (is_aside(s, &t))
		return PARSED_NOTHING;
	wrong = text__seconds(&t, &r->time);
	if (wrong)
		return parser__bad_number(s, "time", wrong, &t);
	switch (take_separator(&t)) {
	case 0:
		return parser__bad(s, "page is missing");
	case 1:
		return take_page(s, &t, r);
	default:
		return parser__bad_number(s, "time", "is not a number", &t);
	}
}

static int csv_pages__parse(struct parser *s, const char *p, size_t n, struct request *r)
{
	struct text t = {.p = p, .end = p + n};

	return is_aside(s, &t) ? PARSED_NOTHING : take_page(s, &t, r);
}

const struct trace_format format_csv = {
	.name = "csv",
	.tick = 1,
	.parse = csv__parse,
};

const struct trace_format format_csv_pages = {
	.name = "csv",
	.parse = csv_pages__parse,
};
