/* SPDX-License-Identifier: GPL-2.0 */
/*
 * HOSTS.csv: hosts that VMs may be put on.
 *
 *	host,memory,curves
 *	kvm01,248GiB,kvm01/curve.csv
 *
 * memory is what its VMs may have together, curves a curve.csv of those that run there now; it may
 *be empty, and the whole column may be missing.
 */
#ifndef HVTRACE_HOSTS_CSV_H
#define HVTRACE_HOSTS_CSV_H

#include "../csv_text.h"

struct host_row {
	char *name;   /* one line, no two alike */
	__u64 memory; /* pages */
	char *curves; /* NULL: none */
};

struct hosts_csv {
	struct host_row *hosts; /* in the order of the file */
	size_t n;
};

/* text holds len bytes and a NUL after them; it is taken apart. 0, or with *out empty: -EINVAL: not
 * such a file, or no host in it; fault says where and why; -ENOMEM. */
int hosts_csv__parse(struct hosts_csv *out, char *text, size_t len, struct csv_fault *fault);
void hosts_csv__free(struct hosts_csv *h);
/* Index of a host by its name, or -1. */
int hosts_csv__find(const struct hosts_csv *h, const char *name);

#endif
