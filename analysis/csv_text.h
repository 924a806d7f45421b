/* SPDX-License-Identifier: GPL-2.0 */
/* CSV (RFC 4180) row by row, and the figures in its fields. What is wrong is told with its line. */
#ifndef HVTRACE_CSV_TEXT_H
#define HVTRACE_CSV_TEXT_H

#include <stddef.h>
#include <linux/types.h>

struct csv_fault {
	__u64 line; /* from 1 */
	char reason[160];
};

struct csv_text {
	char *at, *end;
	__u64 line; /* of the row in hand */
	__u64 next; /* ... of the one after it: a quoted field may hold several */
	struct csv_fault *fault;
};

/* text holds len bytes and a NUL after them; it is taken apart. -EINVAL: a NUL within; with the
 * fault filled in, as all below. */
int csv_text__init(struct csv_text *t, char *text, size_t len, struct csv_fault *fault);
/* One row: its fields (as many as there are columns) as strings. 1; 0: the end; -EINVAL. */
int csv_text__row(struct csv_text *t, char **fields, size_t columns);
/* The heading has to be this. `what` the file is, for the message. -EINVAL, -ENOMEM. */
int csv_text__heading(struct csv_text *t, const char *const *columns, size_t n, const char *what);

/* A number of 0 or more, up to max. -EINVAL. */
int csv_text__number(struct csv_text *t, const char *column, const char *text, double max,
		     double *out);
/* A whole number. -EINVAL. */
int csv_text__whole(struct csv_text *t, const char *column, const char *text, __u64 *out);

/* Fill in the fault. Returns -EINVAL. */
int csv_text__wrong(struct csv_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
