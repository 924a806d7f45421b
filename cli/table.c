// SPDX-License-Identifier: GPL-2.0
#include "table.h"

#include <math.h>

#include "columns.h"

const unsigned table_growth[TABLE_GROWTHS] = {25, 50, 100};

/* --- formats --- */

static void format_pid(char buf[COLUMN_TEXT], double v)
{
	snprintf(buf, COLUMN_TEXT, "%.0f", v);
}

static void format_change(char buf[COLUMN_TEXT], double v)
{
	double percent = round(v * 100);

	snprintf(buf, COLUMN_TEXT, percent ? "%+.0f%%" : "%.0f%%", percent ? percent : 0.0);
}

/* --- columns --- */

#define VALUE(name, expr)                                                                          \
	static double name(const void *of)                                                         \
	{                                                                                          \
		const struct table_row *row = of;                                                  \
                                                                                                   \
		return expr;                                                                       \
	}
VALUE(pid_of, row->pid)
VALUE(mem_of, row->mem_pages)
VALUE(fills_of, row->fills)
VALUE(writebacks_of, row->writebacks)
VALUE(evictions_of, row->evictions)
VALUE(refaults_of, row->refaults)
VALUE(faults_of, row->faults)
VALUE(p50_of, row->p50)
VALUE(p99_of, row->p99)
VALUE(change_0_of, row->change[0])
VALUE(change_1_of, row->change[1])
VALUE(change_2_of, row->change[2])

static bool mem_is_rough(const void *of)
{
	const struct table_row *row = of;

	return row->mem_estimated;
}

static const struct column columns[] = {
	{"VM", "vm", 14, NULL, NULL, NULL},
	{"PID", "pid", 7, pid_of, format_pid, NULL},
	{"MEM", "mem_pages", 6, mem_of, columns__format_pages, mem_is_rough},
	{"FILLS/s", "fills_per_s", 7, fills_of, columns__format_count, NULL},
	{"WRBCK/s", "writebacks_per_s", 7, writebacks_of, columns__format_count, NULL},
	{"EVICT/s", "evictions_per_s", 7, evictions_of, columns__format_count, NULL},
	{"REFLT/s", "refaults_per_s", 7, refaults_of, columns__format_count, NULL},
	{"FAULT/s", "kvm_faults_per_s", 7, faults_of, columns__format_count, NULL},
	{"P50", "latency_p50_ns", 5, p50_of, columns__format_ns, NULL},
	{"P99", "latency_p99_ns", 5, p99_of, columns__format_ns, NULL},
	{"+25%", "misses_change_25", 5, change_0_of, format_change, NULL},
	{"+50%", "misses_change_50", 5, change_1_of, format_change, NULL},
	{"+100%", "misses_change_100", 5, change_2_of, format_change, NULL},
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

void table__head(FILE *out)
{
	columns__head(out, columns, NR_COLUMNS);
}

void table__row(FILE *out, const struct table_row *row)
{
	columns__row(out, columns, NR_COLUMNS, row->name, row);
}

void table__json(FILE *out, const struct table_row *row)
{
	columns__json(out, columns, NR_COLUMNS, row->name, row);
	fprintf(out, ",\"mem_estimated\":%s", row->mem_estimated ? "true" : "false");
}

/* --- latency --- */

double table__quantile(const __u64 counts[PE_LATENCY_BUCKETS], double q)
{
	__u64 total = 0;
	double left;

	for (size_t b = 0; b < PE_LATENCY_BUCKETS; b++)
		total += counts[b];
	left = q * total;
	for (__u32 b = 0; total && b < PE_LATENCY_BUCKETS; b++) {
		double low = pe_latency_low(b), high = pe_latency_low(b + 1);

		if (counts[b] && counts[b] >= left)
			return low + (high - low) * left / counts[b];
		left -= counts[b];
	}
	return NAN;
}

double table__latency(const struct vm_counters *now, const struct vm_counters *before, double q)
{
	__u64 counts[PE_LATENCY_BUCKETS];

	for (size_t b = 0; b < PE_LATENCY_BUCKETS; b++) {
		counts[b] = now->latency[0][b] - before->latency[0][b];
		counts[b] += now->latency[1][b] - before->latency[1][b];
	}
	return table__quantile(counts, q);
}

double table__latency_sum(const __u64 counts[PE_LATENCY_BUCKETS])
{
	double sum = 0;

	for (__u32 b = 0; b < PE_LATENCY_BUCKETS; b++)
		sum += counts[b] * ((double)pe_latency_low(b) + pe_latency_low(b + 1)) / 2;
	return sum;
}
