// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "gnuplot.h"
#include "utf8.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What is counted, once for CSV and JSON. */
struct count_column {
	const char *name;
	size_t offset;
};

static const struct count_column engine_columns[] = {
	{"fill", offsetof(struct engine_counts, fills)},
	{"writeback", offsetof(struct engine_counts, writebacks)},
	{"eviction", offsetof(struct engine_counts, evictions)},
	{"discard", offsetof(struct engine_counts, discards)},
	{"cold", offsetof(struct engine_counts, cold)},
	{"refault", offsetof(struct engine_counts, refaults)},
	{"unseen", offsetof(struct engine_counts, unseen)},
	{"stale", offsetof(struct engine_counts, stale)},
	{"uncaptured", offsetof(struct engine_counts, uncaptured)},
	{"access_ordered", offsetof(struct engine_counts, access_ordered)},
	{"ghost_dropped", offsetof(struct engine_counts, ghosts_dropped)},
	{"lost", offsetof(struct engine_counts, lost)},
};

static const struct count_column host_columns[] = {
	{"kvm_fault", offsetof(struct vm_counters, kvm_faults)},
	{"kvm_map", offsetof(struct vm_counters, kvm_maps)},
	{"frame_discard", offsetof(struct vm_counters, frame_discards)},
	{"page_out", offsetof(struct vm_counters, page_outs)},
	{"page_in", offsetof(struct vm_counters, page_ins)},
	{"cache_add", offsetof(struct vm_counters, cache_adds)},
	{"cache_drop", offsetof(struct vm_counters, cache_drops)},
	{"io", offsetof(struct vm_counters, ios)},
	{"io_error", offsetof(struct vm_counters, io_errors)},
	{"frameless", offsetof(struct vm_counters, frameless)},
	{"partial", offsetof(struct vm_counters, partials)},
};

static const char *const ops[] = {"read", "write"};

static __u64 column_value(const void *counts, const struct count_column *c)
{
	return *(const __u64 *)((const char *)counts + c->offset);
}

/* A bucket's ends, both included. */
static __u64 reuse_low(int bucket)
{
	return bucket ? 1ULL << bucket : 0;
}

static __u64 reuse_high(int bucket)
{
	return bucket < 63 ? (2ULL << bucket) - 1 : ~0ULL;
}

/* Estimates are whole numbers unless pages were sampled. */
static void put_estimate(FILE *out, double v)
{
	fprintf(out, v == (double)(long long)v ? "%.0f" : "%.2f", v);
}

/* The stream's error, if any: a full disk may show up no sooner than when buffers are flushed.
 * One that showed up earlier is known by the errno it left. */
static int finish(FILE *out)
{
	int before = errno;

	errno = 0;
	if (!fflush(out) && !ferror(out))
		return 0;
	if (errno)
		return -errno;
	return before ? -before : -EIO;
}

/* --- CSV --- */

void export__csv_field(FILE *out, const char *s)
{
	if (!strpbrk(s, ",\"\r\n")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static void put_count(FILE *out, const struct vm_report *r, const char *space,
		      const struct count_column *c, const void *counts)
{
	export__csv_field(out, r->name);
	fprintf(out, ",%s,%s,%llu\n", space, c->name, column_value(counts, c));
}

int export__events_csv(FILE *out, struct vm_report *const *reports, size_t n)
{
	fputs("vm,space,kind,count\n", out);
	for (size_t i = 0; i < n; i++) {
		const struct vm_report *r = reports[i];

		for (int s = 0; s < PAGE_SPACES; s++)
			for (size_t c = 0; r->space[s].seen && c < ARRAY_SIZE(engine_columns); c++)
				put_count(out, r, page_space__name(s), &engine_columns[c],
					  &r->space[s].counts);
		for (size_t c = 0; r->has_counters && c < ARRAY_SIZE(host_columns); c++)
			put_count(out, r, "host", &host_columns[c], &r->counters);
	}
	return finish(out);
}

static void put_reuse(FILE *out, const struct vm_report *r, enum page_space space)
{
	const struct space_report *s = &r->space[space];

	if (!s->seen)
		return;
	for (int b = 0; b < REPORT_BUCKETS; b++) {
		if (!s->reuse[b])
			continue;
		export__csv_field(out, r->name);
		fprintf(out, ",%s,refault,%llu,%llu,%llu\n", page_space__name(space), reuse_low(b),
			reuse_high(b), s->reuse[b]);
	}
	export__csv_field(out, r->name);
	fprintf(out, ",%s,cold,,,%llu\n", page_space__name(space), s->counts.cold);
	export__csv_field(out, r->name);
	fprintf(out, ",%s,unseen,,,%llu\n", page_space__name(space), s->counts.unseen);
}

int export__reuse_csv(FILE *out, struct vm_report *const *reports, size_t n)
{
	fputs("vm,space,kind,low_pages,high_pages,count\n", out);
	for (size_t i = 0; i < n; i++)
		for (int s = 0; s < PAGE_SPACES; s++)
			put_reuse(out, reports[i], s);
	return finish(out);
}

int export__latency_csv(FILE *out, struct vm_report *const *reports, size_t n)
{
	fputs("vm,op,low_ns,high_ns,count\n", out);
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 2 * PE_LATENCY_BUCKETS; k++) {
			int op = k / PE_LATENCY_BUCKETS, b = k % PE_LATENCY_BUCKETS;
			__u64 count = reports[i]->counters.latency[op][b];

			if (!count)
				continue;
			export__csv_field(out, reports[i]->name);
			fprintf(out, ",%s,%llu,%llu,%llu\n", ops[op], pe_latency_low(b),
				pe_latency_low(b + 1), count);
		}
	return finish(out);
}

static void put_point(FILE *out, const struct vm_report *r, enum page_space space,
		      const struct curve_point *p)
{
	export__csv_field(out, r->name);
	fprintf(out, ",%s,%s,%llu,%llu,", page_space__name(space), r->space[space].order, p->size,
		p->size * PAGE_BYTES);
	put_estimate(out, p->misses);
	fputc(',', out);
	put_estimate(out, p->accesses);
	fprintf(out, ",%.6g,%.6g\n", curve_point__ratio(p), p->error);
}

int export__curve_rows(FILE *out, struct vm_report *const *reports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (int s = 0; s < PAGE_SPACES; s++)
			for (size_t p = 0; p < reports[i]->space[s].nr_points; p++)
				put_point(out, reports[i], s, &reports[i]->space[s].curve[p]);
	return finish(out);
}

int export__curve_csv(FILE *out, struct vm_report *const *reports, size_t n)
{
	fputs("vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error\n", out);
	return export__curve_rows(out, reports, n);
}

/* --- self-checks --- */

#define CHECK_VALUE(member)                                                                        \
	static double check__##member(const struct check *c)                                       \
	{                                                                                          \
		return c->member;                                                                  \
	}
CHECK_VALUE(at)
CHECK_VALUE(before)
CHECK_VALUE(now)
CHECK_VALUE(seconds)
CHECK_VALUE(smaller)
CHECK_VALUE(predicted)
CHECK_VALUE(error)
CHECK_VALUE(observed)

static const struct check_column {
	const char *name;
	double (*value)(const struct check *c);
} check_columns[] = {
	{"at_s", check__at},
	{"before_pages", check__before},
	{"now_pages", check__now},
	{"seconds", check__seconds},
	{"smaller_per_s", check__smaller},
	{"predicted_per_s", check__predicted},
	{"error_per_s", check__error},
	{"observed_per_s", check__observed},
	{"difference", check__difference},
};

static void put_check(FILE *out, const struct vm_report *r, const struct check *check)
{
	export__csv_field(out, r->name);
	for (size_t c = 0; c < ARRAY_SIZE(check_columns); c++)
		fprintf(out, ",%.10g", check_columns[c].value(check));
	fputc('\n', out);
}

int export__checks_csv(FILE *out, struct vm_report *const *reports, size_t n)
{
	fputs("vm", out);
	for (size_t c = 0; c < ARRAY_SIZE(check_columns); c++)
		fprintf(out, ",%s", check_columns[c].name);
	fputc('\n', out);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < reports[i]->nr_checks; k++)
			put_check(out, reports[i], &reports[i]->checks[k]);
	return finish(out);
}

void export__check_json(FILE *out, const char *name, const struct check *check)
{
	fputs("{\"type\":\"check\",\"vm\":", out);
	export__json_string(out, name);
	for (size_t c = 0; c < ARRAY_SIZE(check_columns); c++)
		fprintf(out, ",\"%s\":%.10g", check_columns[c].name, check_columns[c].value(check));
	fprintf(out, ",\"differs\":%s}\n", check__differs(check) ? "true" : "false");
}

/* --- gnuplot --- */

int export__gnuplot(FILE *out, struct vm_report *const *reports, size_t n)
{
	struct plot_curve *curves = calloc(n * PAGE_SPACES + 1, sizeof(*curves));
	struct plot_opts opts = {.output = "curve.svg"};

	if (!curves)
		return -ENOMEM;
	for (size_t i = 0; i < n * PAGE_SPACES; i++) {
		const struct vm_report *r = reports[i / PAGE_SPACES];
		const struct space_report *s = &r->space[i % PAGE_SPACES];

		curves[i] = (struct plot_curve){
			.name = r->name,
			.space = i % PAGE_SPACES,
			.added = s->order && s->order[0] == 'e',
			.points = s->curve,
			.n = s->nr_points,
		};
	}
	fputs("# gnuplot curve.gp -> curve.svg, of the numbers in curve.csv\n", out);
	gnuplot__write(out, &opts, curves, n * PAGE_SPACES);
	free(curves);
	return finish(out);
}

/* --- JSON --- */

void export__json_string(FILE *out, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;

	fputc('"', out);
	while (*s) {
		int n = utf8__length(s);

		if (!n)
			fputs("\\ufffd", out);
		else if (*s < ' ' || *s == 0x7f)
			fprintf(out, "\\u%04x", *s);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else
			fwrite(s, 1, n, out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

static void put_json_head(FILE *out, const char *type, const struct vm_report *r)
{
	fprintf(out, "{\"type\":\"%s\",\"vm\":", type);
	export__json_string(out, r->name);
}

static void put_json_events(FILE *out, const struct vm_report *r, enum page_space space)
{
	const struct space_report *s = &r->space[space];

	put_json_head(out, "events", r);
	fprintf(out, ",\"space\":\"%s\",\"order\":\"%s\"", page_space__name(space), s->order);
	for (size_t c = 0; c < ARRAY_SIZE(engine_columns); c++)
		fprintf(out, ",\"%s\":%llu", engine_columns[c].name,
			column_value(&s->counts, &engine_columns[c]));
	fprintf(out, ",\"tracked\":%llu,\"ghosts\":%llu}\n", s->counts.tracked, s->counts.ghosts);
}

static void put_json_host(FILE *out, const struct vm_report *r)
{
	put_json_head(out, "events", r);
	fputs(",\"space\":\"host\"", out);
	for (size_t c = 0; c < ARRAY_SIZE(host_columns); c++)
		fprintf(out, ",\"%s\":%llu", host_columns[c].name,
			column_value(&r->counters, &host_columns[c]));
	fputs("}\n", out);
}

static void put_json_reuse(FILE *out, const struct vm_report *r, enum page_space space)
{
	const struct space_report *s = &r->space[space];
	const char *sep = "";

	put_json_head(out, "reuse", r);
	fprintf(out, ",\"space\":\"%s\",\"cold\":%llu,\"unseen\":%llu,\"buckets\":[",
		page_space__name(space), s->counts.cold, s->counts.unseen);
	for (int b = 0; b < REPORT_BUCKETS; b++) {
		if (!s->reuse[b])
			continue;
		fprintf(out, "%s[%llu,%llu,%llu]", sep, reuse_low(b), reuse_high(b), s->reuse[b]);
		sep = ",";
	}
	fputs("]}\n", out);
}

static void put_json_latency(FILE *out, const struct vm_report *r, int op)
{
	const char *sep = "";

	put_json_head(out, "latency", r);
	fprintf(out, ",\"op\":\"%s\",\"buckets\":[", ops[op]);
	for (int b = 0; b < PE_LATENCY_BUCKETS; b++) {
		if (!r->counters.latency[op][b])
			continue;
		fprintf(out, "%s[%llu,%llu,%llu]", sep, pe_latency_low(b), pe_latency_low(b + 1),
			r->counters.latency[op][b]);
		sep = ",";
	}
	fputs("]}\n", out);
}

void export__json_points(FILE *out, const struct curve_point *points, size_t n)
{
	fputs("\"columns\":[\"size_pages\",\"misses\",\"accesses\",\"miss_ratio\",\"error\"]"
	      ",\"points\":[",
	      out);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s[%llu,", i ? "," : "", points[i].size);
		put_estimate(out, points[i].misses);
		fputc(',', out);
		put_estimate(out, points[i].accesses);
		fprintf(out, ",%.6g,%.6g]", curve_point__ratio(&points[i]), points[i].error);
	}
	fputc(']', out);
}

static void put_json_curve(FILE *out, const struct vm_report *r, enum page_space space)
{
	const struct space_report *s = &r->space[space];

	put_json_head(out, "curve", r);
	fprintf(out, ",\"space\":\"%s\",\"order\":\"%s\"", page_space__name(space), s->order);
	past__json(out, &s->past);
	fputc(',', out);
	export__json_points(out, s->curve, s->nr_points);
	fputs("}\n", out);
}

int export__json(FILE *out, const struct vm_report *r)
{
	for (int s = 0; s < PAGE_SPACES; s++) {
		if (!r->space[s].seen)
			continue;
		put_json_events(out, r, s);
		put_json_reuse(out, r, s);
		put_json_curve(out, r, s);
	}
	for (size_t i = 0; i < r->nr_checks; i++)
		export__check_json(out, r->name, &r->checks[i]);
	if (r->has_counters)
		put_json_host(out, r);
	for (size_t op = 0; r->has_counters && op < ARRAY_SIZE(ops); op++)
		put_json_latency(out, r, op);
	return finish(out);
}

/* --- a folder of files --- */

static const struct export_file {
	const char *name;
	int (*write)(FILE *out, struct vm_report *const *reports, size_t n);
} files[] = {
	{"events.csv", export__events_csv},   {"reuse.csv", export__reuse_csv},
	{"latency.csv", export__latency_csv}, {"curve.csv", export__curve_csv},
	{"checks.csv", export__checks_csv},   {"curve.gp", export__gnuplot},
};

static int write_file(const struct export_file *f, const char *path,
		      struct vm_report *const *reports, size_t n)
{
	FILE *out = fopen(path, "we");
	int err;

	if (!out)
		return -errno;
	err = f->write(out, reports, n);
	if (fclose(out) && !err)
		err = -errno;
	return err;
}

int export__folder(const char *dir, struct vm_report *const *reports, size_t n,
		   struct export_fault *fault)
{
	snprintf(fault->path, sizeof(fault->path), "%s", dir);
	fault->err = 0;
	if (mkdir(dir, 0777) && errno != EEXIST)
		return fault->err = -errno;
	for (size_t i = 0; i < ARRAY_SIZE(files) && !fault->err; i++) {
		if (snprintf(fault->path, sizeof(fault->path), "%s/%s", dir, files[i].name) >=
		    (int)sizeof(fault->path))
			return fault->err = -ENAMETOOLONG;
		fault->err = write_file(&files[i], fault->path, reports, n);
	}
	return fault->err;
}
