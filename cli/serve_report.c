// SPDX-License-Identifier: GPL-2.0
/* What is told of each disk when all is over: counts, latency, reuse distances, the miss curve. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/chart.h"
#include "../analysis/export.h"
#include "../analysis/size.h"
#include "cli.h"
#include "csv_folder.h"
#include "serve.h"
#include "summary.h"
#include "text_list.h"

/* --- text --- */

static void print_counts(const struct served_counts *c)
{
	struct text_list l = {stdout, 0};

	puts("\nServed:");
	for (size_t i = 0; i < nr_served_counts; i++)
		text_list__item(&l, served_count__of(c, i), served_counts_table[i].text);
	text_list__end(&l);
}

static void print_captures(const struct served_counts *c)
{
	static const char *const texts[SERVED_REASONS] = {
		"not, as their contents had changed",
		"not, as they were not known to be in that frame",
		"not, for want of room",
		"not, as they were being written",
		"not, as their frame was overwritten before",
	};
	struct text_list l = {stdout, 0};

	puts("\nPages that the guest evicted:");
	text_list__item(&l, c->capture[CAPTURED], "captured");
	for (unsigned i = 0; i < SERVED_REASONS; i++)
		text_list__item(&l, served__not_captured(c, i), texts[i]);
	text_list__end(&l);
}

static void print_finding(const struct served *d)
{
	char text[SERVED_FINDING];

	if (served__finding(d, text))
		printf("  finding: %s\n", text);
}

static void print_saved(const struct served_counts *c)
{
	double all = c->hits + c->misses;
	char size[SIZE_TEXT];

	if (all)
		printf("\n%.1f %% of the pages read came from the cache: %s less to be read from "
		       "storage\n",
		       100 * c->hits / all, size__format(served__saved(c) / PAGE_BYTES, size));
}

static void print_latency(const char *title, const struct served_latency *l)
{
	if (!served_latency__count(l))
		return;
	printf("\n%s, %.1f us on average:\n", title, served_latency__mean(l) / 1e3);
	chart__latency(stdout, l->bucket);
}

static struct summary_vm summary_of(const struct served *d)
{
	return (struct summary_vm){
		.pid = d->now.vmm,
		.vmm = "",
		.mem_pages = d->now.memory_pages,
		.ended = d->removed,
		.wss = &wss_defaults,
	};
}

static void print_served(const struct served *d)
{
	print_counts(&d->now.counts);
	print_captures(&d->now.counts);
	print_finding(d);
	print_saved(&d->now.counts);
	print_latency("Latency of reads that all came from the cache", &d->now.hit);
	print_latency("Latency of other reads", &d->now.miss);
}

static int print_disk(const struct served *d)
{
	struct summary_vm vm = summary_of(d);
	int err = summary__print(stdout, &vm, d->report);

	print_served(d);
	return err;
}

/* --- JSON --- */

static void json_latency(const char *kind, const struct served_latency *l)
{
	const char *comma = "";

	printf(",\"%s_mean_ns\":%.0f,\"%s_latency_ns\":[", kind, served_latency__mean(l), kind);
	for (__u32 b = 0; b < PE_LATENCY_BUCKETS; b++) {
		if (!l->bucket[b])
			continue;
		printf("%s[%llu,%llu,%llu]", comma, pe_latency_low(b), pe_latency_low(b + 1),
		       l->bucket[b]);
		comma = ",";
	}
	putchar(']');
}

/* A list of sentences. */
static void json_findings(const struct served *d)
{
	char text[SERVED_FINDING];

	fputs(",\"findings\":[", stdout);
	if (served__finding(d, text))
		export__json_string(stdout, text);
	putchar(']');
}

static void json_served(const struct served *d)
{
	const struct served_counts *c = &d->now.counts;

	fputs("{\"type\":\"served\",\"vm\":", stdout);
	export__json_string(stdout, d->name);
	for (size_t i = 0; i < nr_served_counts; i++)
		printf(",\"%s\":%llu", served_counts_table[i].key, served_count__of(c, i));
	printf(",\"captured\":%llu,\"not_captured\":{", c->capture[CAPTURED]);
	for (unsigned i = 0; i < SERVED_REASONS; i++)
		printf("%s\"%s\":%llu", i ? "," : "", served_reasons[i],
		       served__not_captured(c, i));
	printf("},\"saved_bytes\":%llu", served__saved(c));
	json_latency("hit", &d->now.hit);
	json_latency("miss", &d->now.miss);
	json_findings(d);
	puts("}");
}

static int json_disk(const struct served *d)
{
	struct summary_vm vm = summary_of(d);
	int err = summary__json(stdout, &vm, d->report);

	json_served(d);
	return err ?: findings__json(stdout, d->report, vm.wss);
}

/* --- CSV --- */

static void csv_row(FILE *out, const struct served *d, const char *prefix, const char *kind,
		    __u64 count)
{
	export__csv_field(out, d->name);
	fprintf(out, ",%s%s,%llu\n", prefix, kind, count);
}

static void csv_counts(FILE *out, const struct served *d)
{
	const struct served_counts *c = &d->now.counts;

	for (size_t i = 0; i < nr_served_counts; i++)
		csv_row(out, d, "", served_counts_table[i].key, served_count__of(c, i));
	csv_row(out, d, "", "captured", c->capture[CAPTURED]);
	for (unsigned i = 0; i < SERVED_REASONS; i++)
		csv_row(out, d, "not_captured_", served_reasons[i], served__not_captured(c, i));
}

static void csv_latency(FILE *out, const struct served *d)
{
	for (__u32 k = 0; k < 2 * PE_LATENCY_BUCKETS; k++) {
		__u32 b = k % PE_LATENCY_BUCKETS;
		bool hit = k < PE_LATENCY_BUCKETS;
		__u64 count = (hit ? &d->now.hit : &d->now.miss)->bucket[b];

		if (!count)
			continue;
		export__csv_field(out, d->name);
		fprintf(out, ",%s,%llu,%llu,%llu\n", hit ? "hit" : "miss", pe_latency_low(b),
			pe_latency_low(b + 1), count);
	}
}

static int write_file(const struct serve *s, const char *name, const char *head,
		      void (*rows)(FILE *out, const struct served *d))
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", s->opts.csv, name);
	out = fopen(path, "we");
	if (!out)
		return cli__failed("cannot write '%s': %s", path, strerror(errno));
	fputs(head, out);
	for (size_t i = 0; i < s->disks.nr; i++)
		rows(out, s->disks.disks[i]);
	if (s->disks.nr_rest)
		rows(out, &s->disks.rest);
	return cli__close(out, path);
}

static int write_facts(const struct serve *s)
{
	struct vms_csv_row *rows = calloc(s->disks.nr + 1, sizeof(*rows));
	int status;

	if (!rows)
		return cli__failed("out of memory");
	for (size_t i = 0; i < s->disks.nr; i++)
		served__facts(s->disks.disks[i], &rows[i]);
	status = vms_csv__write(s->opts.csv, rows, s->disks.nr);
	free(rows);
	return status;
}

static int write_csv(const struct serve *s)
{
	struct vm_report **reports = calloc(s->disks.nr + 1, sizeof(*reports));
	int status;

	if (!reports)
		return cli__failed("out of memory");
	for (size_t i = 0; i < s->disks.nr; i++)
		reports[i] = s->disks.disks[i]->report;
	status = csv_folder__write(s->opts.csv, reports, s->disks.nr);
	free(reports);
	return status
		       ?: write_file(s, "served.csv", "vm,kind,count\n", csv_counts)
		       ?: write_file(s, "served_latency.csv", "vm,kind,low_ns,high_ns,count\n",
				     csv_latency)
		       ?: write_facts(s);
}

/* --- all of it --- */

/* Every disk has a report, even if its end was not told. */
static int finish_reports(struct serve *s)
{
	int err = 0;

	for (size_t i = 0; i < s->disks.nr && !err; i++)
		if (!s->disks.disks[i]->report)
			err = served__end(s->disks.disks[i], s->engine);
	return err;
}

static void print_losses(const struct serve *s)
{
	__u64 dropped = s->disks.rest.now.counts.dropped_events;

	for (size_t i = 0; i < s->disks.nr; i++)
		dropped += s->disks.disks[i]->now.counts.dropped_events;
	printf("\nCurves: %.1f MiB (%s); lost: %llu events for want of room on the way, %llu in "
	       "the engine, %llu times that VMMs gave up memory\n",
	       engine__peak_bytes(s->engine) / 1048576.0, engine__backing(s->engine), dropped,
	       s->refused_events, s->missed_unmaps);
}

/* Of those before the disks that follow there are no curves. */
static void put_rest(const struct serve *s)
{
	const struct served *rest = &s->disks.rest;

	if (!s->disks.nr_rest)
		return;
	if (s->opts.json) {
		json_served(rest);
		return;
	}
	printf("\n== %s ==\n", rest->name);
	print_served(rest);
}

int serve__report(struct serve *s)
{
	int status = CLI_DONE, err = finish_reports(s);

	/* CSV first, so that nothing on stdout is in its way. */
	if (!err && s->opts.csv)
		status = write_csv(s);
	if (!err)
		put_rest(s);
	for (size_t i = 0; i < s->disks.nr && !err; i++)
		err = s->opts.json ? json_disk(s->disks.disks[i]) : print_disk(s->disks.disks[i]);
	if (err == -ENOMEM)
		return cli__failed("no reports: out of memory");
	if (!s->opts.json)
		print_losses(s);
	return cli__flush() ?: status;
}
