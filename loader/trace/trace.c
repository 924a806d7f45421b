// SPDX-License-Identifier: GPL-2.0
#include "trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace_internal.h"

int trace__fail(struct trace *t, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(t->fault.reason, sizeof(t->fault.reason), fmt, args);
	va_end(args);
	t->err = err;
	return err;
}

static int no_such_format(struct trace *t, const char *name)
{
	char names[100] = "";

	for (const char *const *f = format_names; *f; f++) {
		strcat(names, *f);
		strcat(names, f[1] ? ", " : "");
	}
	return trace__fail(t, -EINVAL, "there is no format '%.40s'; known are %s", name, names);
}

static bool is_known(const char *name)
{
	return !strcmp(name, FORMAT_OWN) || format__by_name(name);
}

/* All that a format is told by, at once: the window grows to it. */
static int read_head(struct trace *t, struct head *h)
{
	int got = 1;

	while (h->data = stream__data(t->stream, &h->n), h->n < HEAD_BYTES && got > 0)
		got = stream__fill(t->stream);
	h->whole = !got;
	return got < 0 ? trace__fail(t, got, "%s", stream__why(t->stream)) : 0;
}

/* Some systems mark UTF-8 so. */
static size_t bom_bytes(const struct head *h)
{
	return h->n >= 3 && !memcmp(h->data, "\xef\xbb\xbf", 3) && head__is_text(h) ? 3 : 0;
}

static bool ends_in(const char *path, size_t n, const char *with)
{
	return n >= strlen(with) && !memcmp(path + n - strlen(with), with, strlen(with));
}

/* Page numbers alone look like nothing else: only a name can tell before all else was tried. */
static bool is_named_u64(const char *path)
{
	size_t n = strlen(path);

	if (ends_in(path, n, ".gz"))
		n -= strlen(".gz");
	else if (ends_in(path, n, ".zst"))
		n -= strlen(".zst");
	return ends_in(path, n, ".u64");
}

static int no_format_fits(struct trace *t, const struct head *h)
{
	__u64 bytes = stream__plain_file(t->stream) >= 0 ? stream__total(t->stream) : 0;

	if (!h->n)
		return trace__fail(t, -EINVAL, "is empty; if that is right, say so with --format");
	if (head__is_text(h))
		return trace__fail(t, -EINVAL,
				   "a text of no known format; if it is one, say which with "
				   "--format csv, blkparse or msr");
	if (bytes % format_u64.record)
		return trace__fail(t, -EINVAL,
				   "of no known format, and %llu bytes are no whole page numbers; "
				   "say what it is with --format",
				   bytes);
	t->format = &format_u64;
	return 0;
}

static int choose_format(struct trace *t, const char *path, const char *name, const struct head *h)
{
	int err;

	if (name ? !strcmp(name, FORMAT_OWN) : head__is_recording(h))
		return 0;
	if (!name && is_named_u64(path))
		name = format_u64.name;
	err = head__find_format(h, name, &t->format);
	if (err)
		return trace__fail(t, err, "out of memory");
	if (t->format)
		return 0;
	if (!name)
		return no_format_fits(t, h);
	t->format = format__by_name(name);
	return 0;
}

/* What reading in the format takes. */
static int prepare(struct trace *t)
{
	if (!t->format) {
		t->recording = stream__file(t->stream);
		return t->recording ? 0 : -ENOMEM;
	}
	if (t->format->tick)
		t->time_limit = UINT64_MAX / t->format->tick;
	t->parser = parser__new();
	if (!t->parser)
		return -ENOMEM;
	if (t->format == &format_u64 && stream__plain_file(t->stream) >= 0) {
		t->map = mapping__new(stream__plain_file(t->stream), stream__total(t->stream));
		return 0;
	}
	t->pages = calloc(BATCH_REFS, sizeof(*t->pages));
	t->times = calloc(BATCH_REFS, sizeof(*t->times));
	return t->pages && t->times ? 0 : -ENOMEM;
}

static int open_trace(struct trace *t, const char *path, const char *format)
{
	struct head head;
	size_t bom;
	int err;

	if (format && !is_known(format))
		return no_such_format(t, format);
	t->stream = stream__open(path);
	if (!t->stream)
		return trace__fail(t, -errno, "cannot be opened: %s", strerror(errno));
	err = read_head(t, &head);
	if (err)
		return err;
	bom = bom_bytes(&head);
	head.data += bom;
	head.n -= bom;
	err = choose_format(t, path, format, &head);
	if (err)
		return err;
	if (t->format && !t->format->record)
		stream__skip(t->stream, bom);
	err = prepare(t);
	return err ? trace__fail(t, err, "out of memory") : 0;
}

struct trace *trace__open(const char *path, const struct trace_opts *opts,
			  struct trace_fault *fault)
{
	struct trace *t = calloc(1, sizeof(*t));
	struct trace_opts o = {0};
	int err;

	if (fault)
		*fault = (struct trace_fault){.reason = "out of memory"};
	if (!t)
		return NULL;
	memcpy(&o, opts, opts->sz < sizeof(o) ? opts->sz : sizeof(o));
	t->skip_bad = o.skip_bad;
	err = open_trace(t, path, o.format);
	if (!err)
		return t;
	if (fault)
		*fault = t->fault;
	trace__close(t);
	errno = -err;
	return NULL;
}

void trace__close(struct trace *t)
{
	if (!t)
		return;
	if (t->recording)
		fclose(t->recording);
	mapping__free(t->map);
	stream__close(t->stream);
	parser__free(t->parser);
	free(t->pages);
	free(t->times);
	free(t);
}

int trace__next(struct trace *t, struct trace_batch *b)
{
	if (!t->format)
		return trace__fail(t, -EINVAL, "a recording of events, not of references");
	return trace__next_batch(t, b);
}

const struct trace_fault *trace__fault(const struct trace *t)
{
	return &t->fault;
}

const char *trace__format(const struct trace *t)
{
	return t->format ? t->format->name : FORMAT_OWN;
}

bool trace__timed(const struct trace *t)
{
	return t->format && t->format->tick;
}

__u64 trace__bytes_done(const struct trace *t)
{
	return t->map ? mapping__done(t->map) : stream__done(t->stream);
}

__u64 trace__bytes_total(const struct trace *t)
{
	return stream__total(t->stream);
}

__u64 trace__bad(const struct trace *t)
{
	return t->bad;
}

FILE *trace__recording(struct trace *t)
{
	return t->recording;
}

const char *const *trace__formats(void)
{
	return format_names;
}
