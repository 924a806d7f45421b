// SPDX-License-Identifier: GPL-2.0
/*
 * libCacheSim's oracleGeneral (doc/quickstart_lib.md there): time:4 (s) object:8 size:4 next:8,
 * little-endian. `next` is when the object is asked for again, in requests; -1 or the largest
 * number: never. An object is a page here; without a size it is not asked for, as there.
 */
#include <stdint.h>

#include "parser.h"

#define RECORD_BYTES 24

static __u32 time_of(const char *p)
{
	return get32(p);
}

static __u64 object_of(const char *p)
{
	return get64(p + 4);
}

static __u32 size_of(const char *p)
{
	return get32(p + 12);
}

static __s64 next_of(const char *p)
{
	return get64(p + 16);
}

static int oracle__parse(struct parser *s, const char *p, size_t n, struct request *r)
{
	/* -2 is what libCacheSim writes where it was not looked for. */
	if (next_of(p) < -2)
		return parser__bad(s, "next access %lld is negative", next_of(p));
	if (!size_of(p))
		return PARSED_NONE;
	*r = (struct request){.page = object_of(p), .n = 1, .time = time_of(p)};
	return PARSED_REFS;
}

static bool is_never(__s64 next)
{
	return next == -1 || next == INT64_MAX;
}

/* The record that `next` leads to is in the head, and of the same object. Requests are counted
 * from 0 or from 1. */
static bool is_proved(const char *head, size_t records, size_t i)
{
	__s64 next = next_of(head + i * RECORD_BYTES);
	__u64 object = object_of(head + i * RECORD_BYTES);

	if (next < 1)
		return false;
	for (__s64 at = next - 1; at <= next; at++)
		if (at > (__s64)i && at < (__s64)records &&
		    object_of(head + at * RECORD_BYTES) == object)
			return true;
	return false;
}

static bool is_odd(const char *head, size_t i)
{
	const char *p = head + i * RECORD_BYTES;
	__s64 next = next_of(p);

	return (i && time_of(p) < time_of(p - RECORD_BYTES)) ||
	       (!is_never(next) && next <= (__s64)i);
}

/* Page numbers that count up look like times and next accesses, too: one record at least must
 * show that its `next` is one. */
static bool oracle__match(const char *head, size_t n)
{
	size_t records = n / RECORD_BYTES, odd = 0, proved = 0;

	for (size_t i = 0; i < records; i++) {
		odd += is_odd(head, i);
		proved += is_never(next_of(head + i * RECORD_BYTES)) || is_proved(head, records, i);
	}
	return odd <= records / 8 && proved;
}

const struct trace_format format_oracle_general = {
	.name = "oracleGeneral",
	.record = RECORD_BYTES,
	.tick = 1000000000,
	.parse = oracle__parse,
	.match = oracle__match,
};
