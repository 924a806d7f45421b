/* SPDX-License-Identifier: GPL-2.0 */
/* Curves of intervals, told as they end: a line of text, or a table; CSV rows; JSON. */
#ifndef HVTRACE_MRC_EVERY_H
#define HVTRACE_MRC_EVERY_H

#include <stdio.h>

#include "../analysis/recent.h"
#include "mrc_options.h"
#include "mrc_past.h"

struct mrc_every {
	const struct mrc_options *o;
	FILE *csv; /* NULL: none */
	struct past_sizes sizes;
	const char *trace; /* that the last heading was of */
};

/* Whose interval it is. */
struct mrc_every_of {
	const char *trace; /* its name, */
	const char *vm;	   /* and the VM's; NULL: a foreign trace */
	enum page_space space;
	const char *order;
};

/* With the CSV file opened, if there is to be one. An exit status, after a line if it is not
 * CLI_DONE. */
int mrc_every__init(struct mrc_every *e, const struct mrc_options *o);
void mrc_every__free(struct mrc_every *e);
/* -ENOMEM; -ECANCELED: cannot be written, which was said. */
int mrc_every__tell(struct mrc_every *e, const struct mrc_every_of *of, const struct interval *i);

#endif
