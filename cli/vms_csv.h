/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vms.csv, beside curve.csv: what a plan has to know of VMs that no curve says.
 *
 *	vm,space,memory_bytes,direct_bytes,accesses_per_s,miss_latency_ns
 *
 * An empty field is not known.
 */
#ifndef HVTRACE_VMS_CSV_H
#define HVTRACE_VMS_CSV_H

#include "../analysis/csv_text.h"
#include "../bpf/page_event.h"

struct vms_csv_row {
	char *vm;
	enum page_space space;
	double memory;	 /* bytes that it has; NAN: not known, as all below */
	double direct;	 /* ... where the curve's size is 0 */
	double accesses; /* of the curve, a second */
	double latency;	 /* ns that a miss takes on average */
};

struct vms_csv {
	struct vms_csv_row *rows;
	size_t n;
};

/* text holds len bytes and a NUL after them; it is taken apart. 0, or with *out empty: -EINVAL,
 * -ENOMEM. */
int vms_csv__parse(struct vms_csv *out, char *text, size_t len, struct csv_fault *fault);
void vms_csv__free(struct vms_csv *c);

/* To a folder that is there. An exit status, after a line if it is not CLI_DONE. */
int vms_csv__write(const char *dir, const struct vms_csv_row *rows, size_t n);

#endif
