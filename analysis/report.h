/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A report: all that is known of one VM, copied out of the engine, so that it outlives the VM
 * there. What export and chart work on.
 */
#ifndef HVTRACE_REPORT_H
#define HVTRACE_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "engine.h"
#include "self_check.h"
#include "span.h"

/* Log2 buckets as bcc has them: bucket 0 holds 0 and 1, bucket b holds 2^b to 2^(b+1) - 1. */
#define REPORT_BUCKETS 64
/* Points of a curve when no sizes are asked for. */
#define REPORT_POINTS 128

struct space_report {
	bool seen; /* false: all else is zero */
	struct engine_counts counts;
	const char *order;	     /* "eviction" or "access" */
	__u64 max_distance;	     /* pages: the curve is flat from here on */
	__u64 reuse[REPORT_BUCKETS]; /* refaults by reuse distance in pages, estimates */
	struct curve_point *curve;   /* ascending sizes */
	size_t nr_points;
	struct past past; /* which part of it the curve is of; all else is of all */
};

struct vm_report {
	char *name;
	__u16 vm;
	bool has_counters;
	struct vm_counters counters; /* all zero without has_counters (foreign traces) */
	struct space_report space[PAGE_SPACES];
	struct check *checks; /* of changes of its memory, in the order of time */
	size_t nr_checks;
};

/*
 * Copies what the engine holds of a VM. counters may be NULL. The curve is taken at sizes
 * (n, ascending, pages), or at size__defaults() of each space when sizes is NULL.
 * NULL with errno when memory is short.
 */
struct vm_report *vm_report__new(const struct engine *e, __u16 vm, const char *name,
				 const struct vm_counters *counters, const __u64 *sizes, size_t n);
/* The same of a trace of accesses, as the disk space of a VM: a reference counts as a fill. */
struct vm_report *vm_report__of_trace(const struct mrc *m, const char *name, const __u64 *sizes,
				      size_t n);
/* A curve that is known already, and nothing else; points are copied. */
struct vm_report *vm_report__of_curve(const char *name, enum page_space space, const char *order,
				      const struct curve_point *points, size_t n);
/* Have the curve of a part of the past instead; points are copied. -ENOMEM: nothing changed. */
int space_report__tell_past(struct space_report *r, const struct past *past,
			    const struct curve_point *points, size_t n);
void vm_report__free(struct vm_report *r); /* NULL is fine */

/* "disk" or "mem". */
const char *page_space__name(enum page_space space);

#endif
