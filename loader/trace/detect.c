// SPDX-License-Identifier: GPL-2.0
#include "detect.h"

#include <errno.h>
#include <string.h>

/* The stricter first. A name may stand for several. */
static const struct trace_format *const formats[] = {
	&format_vscsi_v2, &format_vscsi_v1, &format_oracle_general, &format_blkparse,
	&format_msr,	  &format_csv,	    &format_csv_pages,	    &format_u64,
};

const char *const format_names[] = {"u64",	"csv", "oracleGeneral", "vscsi",
				    "blkparse", "msr", FORMAT_OWN,	NULL};

#define NR_FORMATS (sizeof(formats) / sizeof(*formats))

bool head__is_recording(const struct head *h)
{
	return h->n >= 8 && !memcmp(h->data, "hvtrace\n", 8);
}

static bool is_text_byte(unsigned char c)
{
	return c >= ' ' ? c != 0x7f : c == '\t' || c == '\n' || c == '\r';
}

bool head__is_text(const struct head *h)
{
	size_t odd = 0;

	for (size_t i = 0; i < h->n; i++)
		odd += !is_text_byte(h->data[i]);
	return odd <= h->n / 32;
}

/* What a parser says of the head's records. */
struct verdict {
	size_t refs, good, bad;
};

static int try_record(struct parser *s, const struct trace_format *f, const char *p, size_t n,
		      struct verdict *v)
{
	struct request r;
	int got = f->parse(s, p, n, &r);

	if (got < 0 && got != -EINVAL)
		return got;
	v->bad += got < 0;
	v->good += got > PARSED_NOTHING;
	v->refs += got == PARSED_REFS;
	return 0;
}

static int try_lines(struct parser *s, const struct trace_format *f, const struct head *h,
		     struct verdict *v)
{
	const char *p = h->data, *end = h->data + h->n;
	int err = 0;

	while (p < end && !err) {
		const char *nl = memchr(p, '\n', end - p);

		if (!nl && !h->whole)
			break;
		err = try_record(s, f, p, text__line_bytes(p, nl ? nl : end), v);
		p = nl ? nl + 1 : end;
	}
	return err;
}

static int try_records(struct parser *s, const struct trace_format *f, const struct head *h,
		       struct verdict *v)
{
	int err = 0;

	for (size_t at = 0; at + f->record <= h->n && !err; at += f->record)
		err = try_record(s, f, h->data + at, f->record, v);
	return err;
}

/* Malformed records must not hide the format: of a text's, half may be. Binary records say less
 * each: only an eighth, and one at least must be of a kind that counts. */
static bool is_likely(const struct trace_format *f, const struct verdict *v)
{
	return f->record ? v->refs && v->bad <= v->good / 8 : v->good && v->bad <= v->good;
}

/* 1: fits; 0: does not; -ENOMEM. */
static int fits(const struct trace_format *f, const struct head *h)
{
	struct parser *s = parser__new();
	struct verdict v = {0};
	int err;

	if (!s)
		return -ENOMEM;
	err = (f->record ? try_records : try_lines)(s, f, h, &v);
	parser__free(s);
	if (err)
		return err;
	return is_likely(f, &v) && (!f->match || f->match(h->data, h->n));
}

int head__find_format(const struct head *h, const char *name, const struct trace_format **format)
{
	bool text = head__is_text(h);

	*format = NULL;
	for (size_t i = 0; i < NR_FORMATS; i++) {
		int got;

		if (name ? strcmp(formats[i]->name, name) : text != !formats[i]->record)
			continue;
		got = fits(formats[i], h);
		if (got < 0)
			return got;
		if (got) {
			*format = formats[i];
			return 0;
		}
	}
	return 0;
}

const struct trace_format *format__by_name(const char *name)
{
	for (size_t i = 0; i < NR_FORMATS; i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}
