/* SPDX-License-Identifier: GPL-2.0 */
/* What opening a trace and reading it share. */
#ifndef HVTRACE_TRACE_INTERNAL_H
#define HVTRACE_TRACE_INTERNAL_H

#include "detect.h"
#include "mapping.h"
#include "parser.h"
#include "stream.h"
#include "trace.h"

/* References of a batch that is not handed out where it lies. */
#define BATCH_REFS 32768
#define LINE_MAX_BYTES 65536

struct trace {
	struct stream *stream;
	const struct trace_format *format; /* NULL: an own recording */
	FILE *recording;		   /* of which this is, then */
	struct mapping *map;		   /* u64 in a plain file */
	size_t map_rest;		   /* bytes after its last whole word */
	struct parser *parser;
	bool skip_bad;
	bool in_long_line; /* its end is still to come */
	__u64 record, bad;
	bool clock_set;
	__u64 first_time, last_time; /* in the format's unit */
	__u64 time_limit;	     /* since the first; more does not fit ns */
	struct request pending;	     /* what did not fit the last batch; its time in ns */
	__u64 *pages, *times;	     /* the batch */
	size_t n;
	int err; /* sticks */
	struct trace_fault fault;
};

/* Notes the fault; returns err. */
__attribute__((format(printf, 3, 4))) int trace__fail(struct trace *t, int err, const char *fmt,
						      ...);
/* References in the order of the trace, as trace__next(). */
int trace__next_batch(struct trace *t, struct trace_batch *b);

#endif
