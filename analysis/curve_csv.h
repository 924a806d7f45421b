/* SPDX-License-Identifier: GPL-2.0 */
/* curve.csv, read back: the curves of a file as export__curve_csv() writes them. */
#ifndef HVTRACE_CURVE_CSV_H
#define HVTRACE_CURVE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "../bpf/page_event.h"
#include "csv_text.h"
#include "hvanalysis.h"

struct named_curve {
	char *vm;
	enum page_space space;
	bool added; /* in the order of eviction: sizes are memory added */
	struct curve_point *points;
	size_t n;
};

struct curve_csv {
	struct named_curve *curves; /* in the order of the file */
	size_t n;
};

/*
 * text holds len bytes and a NUL after them; it is taken apart. 0, or with *out empty:
 * -EINVAL: not such a file, fault says where and why; -ENOMEM.
 */
int curve_csv__parse(struct curve_csv *out, char *text, size_t len, struct csv_fault *fault);
void curve_csv__free(struct curve_csv *c);

#endif
