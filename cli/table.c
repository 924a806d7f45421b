// SPDX-License-Identifier: GPL-2.0
#include "table.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "../analysis/export.h"

const unsigned table_growth[TABLE_GROWTHS] = {25, 50, 100};

struct column {
	const char *head;
	const char *key; /* in JSON */
	int width;
	double (*value)(const struct table_row *row); /* NULL: the name */
	void (*format)(char buf[TABLE_TEXT], double v);
	bool rough; /* marked by a tilde when the memory is an estimate */
};

/* --- formats --- */

void table__format_count(char buf[TABLE_TEXT], double v)
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;

	if (v >= 999999.5) {
		for (v /= 1000; v >= 999.5 && unit + 2 < sizeof(units); v /= 1000)
			unit++;
		snprintf(buf, TABLE_TEXT, v < 99.95 ? "%.1f%c" : "%.0f%c", v, units[unit]);
	} else if (v > 0 && v < 9.95) {
		snprintf(buf, TABLE_TEXT, "%.1f", v);
	} else {
		snprintf(buf, TABLE_TEXT, "%.0f", v);
	}
}

void table__format_pages(char buf[TABLE_TEXT], double pages)
{
	static const char units[] = "KMGTPE";
	double v = pages * (PAGE_BYTES / 1024);
	size_t unit = 0;

	for (; v >= 1023.5 && unit + 2 < sizeof(units); v /= 1024)
		unit++;
	/* A whole number needs no decimal, and a long one has no room for it. */
	if (v >= 99.95 || fabs(v - round(v)) < 0.05)
		snprintf(buf, TABLE_TEXT, "%.0f%c", v, units[unit]);
	else
		snprintf(buf, TABLE_TEXT, "%.1f%c", v, units[unit]);
}

void table__format_ns(char buf[TABLE_TEXT], double ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	size_t unit = 0;

	for (; ns >= 999.5 && unit < 3; ns /= 1000)
		unit++;
	snprintf(buf, TABLE_TEXT, unit && ns < 9.95 ? "%.1f%s" : "%.0f%s", ns, units[unit]);
}

static void format_pid(char buf[TABLE_TEXT], double v)
{
	snprintf(buf, TABLE_TEXT, "%.0f", v);
}

static void format_change(char buf[TABLE_TEXT], double v)
{
	double percent = round(v * 100);

	snprintf(buf, TABLE_TEXT, percent ? "%+.0f%%" : "%.0f%%", percent ? percent : 0.0);
}

/* --- columns --- */

#define VALUE(name, expr)                                                                          \
	static double name(const struct table_row *row)                                            \
	{                                                                                          \
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

static const struct column columns[] = {
	{"VM", "vm", 14, NULL, NULL, false},
	{"PID", "pid", 7, pid_of, format_pid, false},
	{"MEM", "mem_pages", 6, mem_of, table__format_pages, true},
	{"FILLS/s", "fills_per_s", 7, fills_of, table__format_count, false},
	{"WRBCK/s", "writebacks_per_s", 7, writebacks_of, table__format_count, false},
	{"EVICT/s", "evictions_per_s", 7, evictions_of, table__format_count, false},
	{"REFLT/s", "refaults_per_s", 7, refaults_of, table__format_count, false},
	{"FAULT/s", "kvm_faults_per_s", 7, faults_of, table__format_count, false},
	{"P50", "latency_p50_ns", 5, p50_of, table__format_ns, false},
	{"P99", "latency_p99_ns", 5, p99_of, table__format_ns, false},
	{"+25%", "misses_change_25", 5, change_0_of, format_change, false},
	{"+50%", "misses_change_50", 5, change_1_of, format_change, false},
	{"+100%", "misses_change_100", 5, change_2_of, format_change, false},
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* A name comes from a command line: nothing in it may reach the terminal as a control code.
 * Cut in the middle, since what tells VMs apart is mostly at the end. */
static void put_name(FILE *out, const char *name, int width)
{
	int n = strlen(name), head = n > width ? width / 2 : n;

	for (int i = 0; i < head; i++)
		fputc(iscntrl((unsigned char)name[i]) ? '?' : name[i], out);
	if (n <= width) {
		fprintf(out, "%*s", width - n, "");
		return;
	}
	fputc('~', out);
	for (int i = n - (width - head - 1); i < n; i++)
		fputc(iscntrl((unsigned char)name[i]) ? '?' : name[i], out);
}

static void put_cell(FILE *out, const struct column *c, const struct table_row *row)
{
	double v = c->value(row);
	char text[1 + TABLE_TEXT] = "~";

	if (isnan(v))
		text[0] = '-';
	else
		c->format(text + (c->rough && row->mem_estimated), v);
	fprintf(out, " %*s", c->width, text);
}

void table__head(FILE *out)
{
	fprintf(out, "%-*s", columns[0].width, columns[0].head);
	for (size_t i = 1; i < NR_COLUMNS; i++)
		fprintf(out, " %*s", columns[i].width, columns[i].head);
	fputc('\n', out);
}

void table__row(FILE *out, const struct table_row *row)
{
	put_name(out, row->name, columns[0].width);
	for (size_t i = 1; i < NR_COLUMNS; i++)
		put_cell(out, &columns[i], row);
	fputc('\n', out);
}

void table__json(FILE *out, const struct table_row *row)
{
	for (size_t i = 0; i < NR_COLUMNS; i++) {
		fprintf(out, ",\"%s\":", columns[i].key);
		if (!columns[i].value)
			export__json_string(out, row->name);
		else if (isnan(columns[i].value(row)))
			fputs("null", out);
		else
			fprintf(out, "%.10g", columns[i].value(row));
	}
	fprintf(out, ",\"mem_estimated\":%s", row->mem_estimated ? "true" : "false");
}

/* --- latency --- */

double table__latency(const struct vm_counters *now, const struct vm_counters *before, double q)
{
	__u64 counts[PE_LATENCY_BUCKETS], total = 0;
	double left;

	for (size_t b = 0; b < PE_LATENCY_BUCKETS; b++) {
		counts[b] = now->latency[0][b] - before->latency[0][b];
		counts[b] += now->latency[1][b] - before->latency[1][b];
		total += counts[b];
	}
	left = q * total;
	for (__u32 b = 0; total && b < PE_LATENCY_BUCKETS; b++) {
		double low = pe_latency_low(b), high = pe_latency_low(b + 1);

		if (counts[b] && counts[b] >= left)
			return low + (high - low) * left / counts[b];
		left -= counts[b];
	}
	return NAN;
}
