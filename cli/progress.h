/* SPDX-License-Identifier: GPL-2.0 */
/* How far a long input has come: one line on stderr, drawn over, gone at the end. */
#ifndef HVTRACE_PROGRESS_H
#define HVTRACE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct progress {
	bool on;    /* stderr is a terminal, and words are wanted */
	bool drawn; /* a line stands there */
	double begun, last;
};

/* What there is to tell. */
struct progress_now {
	__u64 done, total; /* bytes of the input; total 0: not known */
	__u64 refs;	   /* references so far */
	double seconds;	   /* since the begin */
};

void progress__begin(struct progress *p, bool quiet);
/* Call often: draws five times a second at most. */
void progress__show(struct progress *p, __u64 done, __u64 total, __u64 refs);
/* Wipe the line. */
void progress__end(struct progress *p);

/* The line itself, without an end: "1.2GiB of 4GiB, 30 %, 14.2 M refs/s, 2 min 5 s left". */
#define PROGRESS_TEXT 96
const char *progress__format(const struct progress_now *now, char buf[PROGRESS_TEXT]);

#endif
