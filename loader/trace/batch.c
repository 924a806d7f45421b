// SPDX-License-Identifier: GPL-2.0
/* Records to batches of references. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "trace_internal.h"

static int malformed(struct trace *t)
{
	const char *unit = t->format->record ? "record" : "line";

	t->bad++;
	if (t->skip_bad)
		return 0;
	t->bad = 0;
	t->fault.record = t->record;
	return trace__fail(t, -EINVAL, "%s %llu: %s; --skip-bad leaves such %ss out", unit,
			   t->record, t->parser->why, unit);
}

static int truncated(struct trace *t, size_t bytes)
{
	t->record++;
	parser__bad(t->parser, "truncated, %zu of %zu bytes", bytes, t->format->record);
	return malformed(t);
}

static int fill(struct trace *t)
{
	int got = stream__fill(t->stream);

	return got < 0 ? trace__fail(t, got, "%s", stream__why(t->stream)) : got;
}

/* --- page numbers where they lie --- */

#define WORD sizeof(__u64)

static int give_words(struct trace *t, struct trace_batch *b, const void *data, size_t n)
{
	*b = (struct trace_batch){.pages = data, .n = n};
	t->record += n;
	return 1;
}

static int next_mapped(struct trace *t, struct trace_batch *b)
{
	const void *data;
	size_t n;
	int got = mapping__next(t->map, &data, &n);

	if (got < 0)
		return trace__fail(t, got,
				   "cannot be read to its end: cut short meanwhile, or a "
				   "disk's fault; read a copy");
	if (got && n >= WORD) {
		t->map_rest = n % WORD;
		return give_words(t, b, data, n / WORD);
	}
	n = got ? n : t->map_rest;
	t->map_rest = 0;
	return n ? truncated(t, n) : 0;
}

static int next_words(struct trace *t, struct trace_batch *b)
{
	const char *data;
	size_t n;
	int got = 1;

	while (data = stream__data(t->stream, &n), n < WORD && got > 0)
		got = fill(t);
	if (got < 0)
		return got;
	stream__skip(t->stream, got ? n - n % WORD : n);
	if (got)
		return give_words(t, b, data, n / WORD);
	return n ? truncated(t, n) : 0;
}

/* --- records --- */

static void expand(struct trace *t)
{
	struct request *r = &t->pending;
	size_t n = BATCH_REFS - t->n;

	if (n > r->n)
		n = r->n;
	for (size_t i = 0; i < n; i++) {
		t->pages[t->n + i] = r->page + i;
		t->times[t->n + i] = r->time;
	}
	t->n += n;
	r->page += n;
	r->n -= n;
}

/* To ns since the first reference. Times that go back, as among requests of several CPUs, are
 * taken to be the latest so far. */
static int set_time(struct trace *t, struct request *r)
{
	if (!t->clock_set)
		t->first_time = t->last_time = r->time;
	t->clock_set = true;
	if (r->time < t->last_time)
		r->time = t->last_time;
	if (r->time - t->first_time > t->time_limit)
		return parser__bad(t->parser, "time is centuries after the first");
	t->last_time = r->time;
	r->time = (r->time - t->first_time) * t->format->tick;
	return PARSED_REFS;
}

static void give(struct trace *t, const struct request *r)
{
	if (r->n != 1) {
		t->pending = *r;
		return expand(t);
	}
	t->pages[t->n] = r->page;
	t->times[t->n] = r->time;
	t->n++;
}

/* There is room for one reference at least. */
static int use_record(struct trace *t, const char *p, size_t n)
{
	struct request r;
	int got = t->format->parse(t->parser, p, n, &r);

	t->record++;
	if (got == PARSED_REFS && t->format->tick)
		got = set_time(t, &r);
	if (got == -EINVAL)
		return malformed(t);
	if (got < 0)
		return trace__fail(t, got, "out of memory");
	if (got == PARSED_REFS)
		give(t, &r);
	return 0;
}

/* A line that is too long for the window: passes over it. It counts where it begins. */
static int skip_long_line(struct trace *t, size_t n)
{
	bool begins = !t->in_long_line;

	t->in_long_line = true;
	stream__skip(t->stream, n);
	if (!begins)
		return 0;
	t->record++;
	parser__bad(t->parser, "longer than %d bytes", LINE_MAX_BYTES);
	return malformed(t);
}

/* Whole lines into the batch, as many as are in the window or fit. */
static int use_lines(struct trace *t)
{
	size_t n;
	const char *start = stream__data(t->stream, &n), *p = start, *end = start + n, *nl = start;
	int err = 0;

	while (!err && t->n < BATCH_REFS && (nl = memchr(p, '\n', end - p))) {
		if (!t->in_long_line)
			err = use_record(t, p, text__line_bytes(p, nl));
		t->in_long_line = false;
		p = nl + 1;
	}
	stream__skip(t->stream, p - start);
	if (!nl && (end - p >= LINE_MAX_BYTES || t->in_long_line))
		err = skip_long_line(t, end - p);
	return err;
}

static int use_records(struct trace *t)
{
	size_t n, size = t->format->record;
	const char *start = stream__data(t->stream, &n), *p = start, *end = start + n;
	int err = 0;

	for (; !err && t->n < BATCH_REFS && (size_t)(end - p) >= size; p += size)
		err = use_record(t, p, size);
	stream__skip(t->stream, p - start);
	return err;
}

/* At the end of the bytes: the last line may lack its end, a record not. */
static int use_rest(struct trace *t)
{
	size_t n;
	const char *p = stream__data(t->stream, &n);
	int err = 0;

	stream__skip(t->stream, n);
	if (n && t->format->record)
		err = truncated(t, n);
	else if (n && !t->in_long_line)
		err = use_record(t, p, text__line_bytes(p, p + n));
	return err;
}

static int collect(struct trace *t)
{
	expand(t);
	return t->format->record ? use_records(t) : use_lines(t);
}

static int next_records(struct trace *t, struct trace_batch *b)
{
	int got = 1, err = 0;

	t->n = 0;
	/* What is there goes out before more is waited for: a pipe may be slow. */
	while (!err && got > 0 && !t->n) {
		err = collect(t);
		if (!err && !t->n)
			got = fill(t);
		if (!got)
			err = use_rest(t);
	}
	if (!t->n)
		return err ? err : got;
	*b = (struct trace_batch){
		.pages = t->pages, .times = t->format->tick ? t->times : NULL, .n = t->n};
	return 1;
}

int trace__next_batch(struct trace *t, struct trace_batch *b)
{
	if (t->err)
		return t->err;
	if (t->map)
		return next_mapped(t, b);
	return t->format == &format_u64 ? next_words(t, b) : next_records(t, b);
}
