/* SPDX-License-Identifier: GPL-2.0 */
/* What is told of a VM at the end: counts, histograms, curves. The same in live and mrc. */
#ifndef HVTRACE_SUMMARY_H
#define HVTRACE_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "../analysis/report.h"
#include "findings.h"

struct summary_vm {
	__u32 pid;		    /* 0 = not known */
	const char *vmm;	    /* "" = not known */
	__u64 mem_pages;	    /* 0 = not known */
	bool ended;		    /* before the end of the run */
	const struct wss_list *wss; /* what to read off the curves */
};

/* For people. Each 0, or -errno. */
int summary__print(FILE *out, const struct summary_vm *vm, const struct vm_report *r);
/* "== NAME", what it is called kept off the terminal's controls; for a title to go on. */
void summary__title(FILE *out, const char *name);
/* One line: the memory that a VM has and had, what its curve predicted, and what came. */
void summary__check(FILE *out, const char *name, const struct check *c);
/* The reuse distances and the curve of one space, drawn. */
void summary__draw(FILE *out, const struct space_report *s);
/* The curve at the sizes the report was made for, a line each. */
void summary__sizes(FILE *out, const struct vm_report *r);
/* One JSON object with what is known of the VM and its counters, then the report's lines. 0, or
 * -errno of a write that failed. */
int summary__json(FILE *out, const struct summary_vm *vm, const struct vm_report *r);

#endif
