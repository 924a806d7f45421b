// SPDX-License-Identifier: GPL-2.0
#include "serve_table.h"

#include <math.h>

#include "columns.h"
#include "table.h"

struct row {
	const struct served *d;
	double seconds;
};

/* --- formats --- */

static void format_percent(char buf[COLUMN_TEXT], double v)
{
	snprintf(buf, COLUMN_TEXT, v > 0 && v < 9.95 ? "%.1f" : "%.0f", v);
}

static void format_bytes(char buf[COLUMN_TEXT], double v)
{
	columns__format_pages(buf, v / PAGE_BYTES);
}

/* --- columns --- */

static double rate(const struct row *r, __u64 now, __u64 before)
{
	return (now - before) / r->seconds;
}

#define RATE(name, what)                                                                           \
	static double name(const void *of)                                                         \
	{                                                                                          \
		const struct row *r = of;                                                          \
		const struct served_counts *now = &r->d->now.counts,                               \
					   *before = &r->d->before.counts;                         \
                                                                                                   \
		return rate(r, what(now), what(before));                                           \
	}
#define READS(c) ((c)->reads)
#define WRITES(c) ((c)->writes)
#define HITS(c) ((c)->hits)
#define MISSES(c) ((c)->misses)
#define CAPTURED_PAGES(c) ((c)->capture[CAPTURED])
#define STORAGE_READS(c) ((c)->storage_reads)
RATE(reads_of, READS)
RATE(writes_of, WRITES)
RATE(hits_of, HITS)
RATE(misses_of, MISSES)
RATE(saved_of, served__saved)
RATE(captured_of, CAPTURED_PAGES)
RATE(lost_of, served__lost)
RATE(storage_reads_of, STORAGE_READS)

static double hit_percent_of(const void *row)
{
	double hits = hits_of(row), all = hits + misses_of(row);

	return all > 0 ? 100 * hits / all : NAN;
}

static double cached_of(const void *row)
{
	return ((const struct row *)row)->d->now.cache.cached * (double)PAGE_BYTES;
}

static double target_of(const void *row)
{
	return ((const struct row *)row)->d->now.target_slots * (double)PAGE_BYTES;
}

static double quantile(const struct served_latency *now, const struct served_latency *before,
		       double q)
{
	__u64 counts[PE_LATENCY_BUCKETS];

	for (size_t b = 0; b < PE_LATENCY_BUCKETS; b++)
		counts[b] = now->bucket[b] - before->bucket[b];
	return table__quantile(counts, q);
}

#define QUANTILE(name, of_which, q)                                                                \
	static double name(const void *of)                                                         \
	{                                                                                          \
		const struct row *r = of;                                                          \
                                                                                                   \
		return quantile(&r->d->now.of_which, &r->d->before.of_which, q);                   \
	}
QUANTILE(hit_p50_of, hit, 0.50)
QUANTILE(hit_p99_of, hit, 0.99)
QUANTILE(miss_p50_of, miss, 0.50)
QUANTILE(miss_p99_of, miss, 0.99)

static const struct column columns[] = {
	{"VM", "vm", 14, NULL, NULL, NULL},
	{"READ/s", "reads_per_s", 6, reads_of, columns__format_count, NULL},
	{"WRIT/s", "writes_per_s", 6, writes_of, columns__format_count, NULL},
	{"HIT%", "hit_percent", 4, hit_percent_of, format_percent, NULL},
	{"CAPT/s", "captured_per_s", 6, captured_of, columns__format_count, NULL},
	{"LOST/s", "not_captured_per_s", 6, lost_of, columns__format_count, NULL},
	{"CACHED", "cached_bytes", 6, cached_of, format_bytes, NULL},
	{"TARGET", "target_bytes", 6, target_of, format_bytes, NULL},
	{"DISK/s", "storage_reads_per_s", 6, storage_reads_of, columns__format_count, NULL},
	{"SAVE/s", "saved_bytes_per_s", 6, saved_of, format_bytes, NULL},
	{"HIT50", "hit_p50_ns", 5, hit_p50_of, columns__format_ns, NULL},
	{"HIT99", "hit_p99_ns", 5, hit_p99_of, columns__format_ns, NULL},
	{"MIS50", "miss_p50_ns", 5, miss_p50_of, columns__format_ns, NULL},
	{"MIS99", "miss_p99_ns", 5, miss_p99_of, columns__format_ns, NULL},
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

void serve_table__head(FILE *out)
{
	columns__head(out, columns, NR_COLUMNS);
}

void serve_table__row(FILE *out, const struct served *d, double seconds)
{
	struct row row = {d, seconds};

	columns__row(out, columns, NR_COLUMNS, d->name, &row);
}

void serve_table__json(FILE *out, const struct served *d, double seconds)
{
	struct row row = {d, seconds};

	columns__json(out, columns, NR_COLUMNS, d->name, &row);
}
