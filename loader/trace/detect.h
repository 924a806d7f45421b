/* SPDX-License-Identifier: GPL-2.0 */
/* Which format a trace is of, by its first bytes. */
#ifndef HVTRACE_DETECT_H
#define HVTRACE_DETECT_H

#include "parser.h"

struct head {
	const char *data;
	size_t n;
	bool whole; /* that is all there is */
};

/* Enough for hundreds of records, little to wait for on a pipe. */
#define HEAD_BYTES (64 * 1024)

extern const char *const format_names[]; /* NULL after the last */
#define FORMAT_OWN "own"

bool head__is_recording(const struct head *h);
/* Hardly a byte that a text would not have: a damaged one is a text still. */
bool head__is_text(const struct head *h);
/* By content, among those of that name (NULL: all but u64). 0 with *format, NULL when none fits;
 * -ENOMEM. */
int head__find_format(const struct head *h, const char *name, const struct trace_format **format);
/* The first of that name, NULL: no such format. */
const struct trace_format *format__by_name(const char *name);

#endif
