/* SPDX-License-Identifier: GPL-2.0 */
/* A plan as a table, JSON, CSV and a picture. */
#ifndef HVTRACE_PLAN_SHOW_H
#define HVTRACE_PLAN_SHOW_H

#include <stdio.h>

#include "plan_case.h"

/* A VM before and after. */
struct plan_row {
	const struct plan_seat *seat;
	const char *host; /* NULL: there is but one */
	__u64 size;	  /* pages that it is to have */
	double cost;
	struct appetite_loss now, then; /* now: all NAN if nothing is known of it */
	struct appetite_slower slower;	/* than with the baseline; NAN without one */
};

/* All together. */
struct plan_totals {
	double now;		    /* ms a second that are lost now; NAN: not known of all */
	struct appetite_range then; /* and with the plan */
	double misses_now, misses;  /* a second */
	bool guessed;		    /* some of it is below what a curve shows */
};

struct plan_rows {
	const struct plan_case *c;
	struct plan_row *rows;
	size_t n;
	struct plan_totals totals;
	double as_is; /* cost of the best plan for the VMs and the memory there are; NAN: that is
			 what was planned, or it is not known */
};

/* Of a plan without clashes. -ENOMEM. */
int plan_rows__make(struct plan_rows *r, const struct plan_case *c);
void plan_rows__free(struct plan_rows *r);

void plan_show__table(FILE *out, const struct plan_rows *r);
void plan_show__json(FILE *out, const struct plan_rows *r);
void plan_show__csv(FILE *out, const struct plan_rows *r);
/* Its clashes, one JSON object a line. */
void plan_show__clashes(FILE *out, const struct plan_case *c);

/* A gnuplot script. */
void plan_picture__write(FILE *script, const struct plan_rows *r, bool png);

#endif
