/* SPDX-License-Identifier: GPL-2.0 */
/* What is told of a VM at the end: counts, histograms, curves. The same in live and mrc. */
#ifndef HVTRACE_SUMMARY_H
#define HVTRACE_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "../analysis/report.h"

struct summary_vm {
	__u32 pid;	 /* 0 = not known */
	const char *vmm; /* "" = not known */
	__u64 mem_pages; /* 0 = not known */
	bool ended;	 /* before the end of the run */
};

/* For people. */
void summary__print(FILE *out, const struct summary_vm *vm, const struct vm_report *r);
/* The curve at the sizes the report was made for, a line each. */
void summary__sizes(FILE *out, const struct vm_report *r);
/* One JSON object with what is known of the VM and its counters, then the report's lines. 0, or
 * -errno of a write that failed. */
int summary__json(FILE *out, const struct summary_vm *vm, const struct vm_report *r);

#endif
