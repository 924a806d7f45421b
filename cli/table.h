/* SPDX-License-Identifier: GPL-2.0 */
/* The live table. One table of columns drives the terminal and the JSON alike. */
#ifndef HVTRACE_TABLE_H
#define HVTRACE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>

#include "../bpf/page_event.h"

/* Columns a line may have. */
#define TABLE_WIDTH 99
/* Sizes for which the change of the misses is told: percent of guest memory added. */
#define TABLE_GROWTHS 3
extern const unsigned table_growth[TABLE_GROWTHS];

/* What a line says of one VM over one interval. NAN: not known. */
struct table_row {
	const char *name;
	__u32 pid;
	bool mem_estimated; /* mem_pages are the pages seen resident, not the guest's memory */
	double mem_pages;
	double fills, writebacks, evictions, refaults, faults; /* a second */
	double p50, p99;				       /* I/O latency, ns */
	double change[TABLE_GROWTHS]; /* of the misses, relative: -0.38 = 38 % fewer */
};

void table__head(FILE *out);
void table__row(FILE *out, const struct table_row *row);
/* The same as members of a JSON object, each with a comma ahead. */
void table__json(FILE *out, const struct table_row *row);

/* Latency at quantile q (0..1) of a histogram, interpolated within its bucket; ns, NAN when nothing
 * was counted. */
double table__quantile(const __u64 counts[PE_LATENCY_BUCKETS], double q);
/* Latency at quantile q (0..1) of a difference of two histograms, read and write together,
 * interpolated within its bucket; ns, NAN when nothing was completed. */
double table__latency(const struct vm_counters *now, const struct vm_counters *before, double q);

/* All time of a histogram's latencies, as if each were in the middle of its bucket; ns. */
double table__latency_sum(const __u64 counts[PE_LATENCY_BUCKETS]);

#endif
