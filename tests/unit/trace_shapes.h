/* SPDX-License-Identifier: GPL-2.0 */
/* Made-up page references of the shapes that tell replacement policies apart. */
#ifndef TESTS_UNIT_TRACE_SHAPES_H
#define TESTS_UNIT_TRACE_SHAPES_H

#include <stddef.h>

#include "random.h"

enum trace_shape {
	SHAPE_UNIFORM,
	SHAPE_ZIPF,
	SHAPE_LOOP,   /* a part of the pages over and over */
	SHAPE_SCANS,  /* Zipf, with runs of neighbours now and then */
	SHAPE_PHASES, /* a hot part that moves on */
	SHAPES
};

const char *trace_shape__name(enum trace_shape shape);
/* n references to pages below `pages`. */
void trace_shape__fill(enum trace_shape shape, struct random *r, __u64 pages, __u64 *out, size_t n);

#endif
