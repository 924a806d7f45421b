// SPDX-License-Identifier: GPL-2.0
/*
 * The figures as Prometheus text (exposition format 0.0.4): a family's samples together, after its
 * HELP and TYPE.
 */
#include <stdio.h>

#include "cli.h"
#include "serve.h"

/* Latency buckets of ours in one of theirs: a power of two. */
#define BUCKETS_IN_ONE 4

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value; names have no control characters. */
static void put_label(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		fputc(*value, out);
	}
}

/* name{vm="...", and the caller goes on. */
static void begin(FILE *out, const char *name, const struct served *d)
{
	fprintf(out, "%s{vm=\"", name);
	put_label(out, d->name);
	fputc('"', out);
}

/* --- the cache --- */

static void put_gauge(FILE *out, const char *name, const char *help, __u64 value)
{
	head(out, name, "gauge", help);
	fprintf(out, "%s %llu\n", name, value);
}

static void put_cache(FILE *out, const struct server_cache *c)
{
	static const char *const backings[BACKINGS] = {"hugetlb", "thp", "4k"};

	put_gauge(out, "hvtrace_cache_capacity_bytes", "Capacity of the cache.", c->capacity);
	put_gauge(out, "hvtrace_cache_taken_bytes", "Memory that disks' caches hold.", c->taken);
	put_gauge(out, "hvtrace_cache_excess_bytes",
		  "Memory above the capacity, still to be freed.", c->excess);
	put_gauge(out, "hvtrace_cache_metadata_bytes", "Memory beside the cached pages.",
		  c->metadata);
	head(out, "hvtrace_cache_backed_bytes", "gauge", "Memory of the cache by its backing.");
	for (int i = 0; i < BACKINGS; i++)
		fprintf(out, "hvtrace_cache_backed_bytes{backing=\"%s\"} %zu\n", backings[i],
			c->backed[i]);
}

/* --- disks --- */

#define FOR_EACH_DISK(s, d)                                                                        \
	for (size_t i_ = 0; i_ < (s)->disks.nr; i_++)                                              \
		if ((d = (s)->disks.disks[i_]), !d->ended)

#define GAUGE(name, expr)                                                                          \
	static __u64 name(const struct server_disk *d)                                             \
	{                                                                                          \
		return expr;                                                                       \
	}
GAUGE(connected_of, d->connected)
GAUGE(bytes_of, d->bytes)
GAUGE(memory_of, d->memory_pages *PAGE_BYTES)
GAUGE(target_of, d->target_slots *PAGE_BYTES)
GAUGE(cached_of, d->cache.cached)
GAUGE(resident_of, d->cache.resident)
GAUGE(ghosts_of, d->cache.ghosts)
GAUGE(metadata_of, d->cache.bytes)

static const struct disk_gauge {
	const char *name, *help;
	__u64 (*value)(const struct server_disk *d);
} gauges[] = {
	{"hvtrace_connected", "1: a VMM is connected.", connected_of},
	{"hvtrace_image_bytes", "Size of the image.", bytes_of},
	{"hvtrace_guest_memory_bytes", "Memory that the VMM shares.", memory_of},
	{"hvtrace_target_bytes", "What the disk is to have of the cache.", target_of},
	{"hvtrace_cached_pages", "Pages in the cache.", cached_of},
	{"hvtrace_resident_pages", "Pages known to be in the guest's memory.", resident_of},
	{"hvtrace_ghost_pages", "Pages known to have been in the cache.", ghosts_of},
	{"hvtrace_metadata_bytes", "Memory beside the disk's cached pages.", metadata_of},
};

static void put_disk_gauge(FILE *out, const struct serve *s, const struct disk_gauge *g)
{
	const struct served *d;

	head(out, g->name, "gauge", g->help);
	FOR_EACH_DISK(s, d)
	{
		begin(out, g->name, d);
		fprintf(out, "} %llu\n", g->value(&d->now));
	}
}

static void put_counter(FILE *out, const struct serve *s, size_t i)
{
	const struct served *d;
	char name[64];

	snprintf(name, sizeof(name), "hvtrace_%s_total", served_counts_table[i].key);
	head(out, name, "counter", served_counts_table[i].help);
	FOR_EACH_DISK(s, d)
	{
		begin(out, name, d);
		fprintf(out, "} %llu\n", served_count__of(&d->now.counts, i));
	}
}

static void put_saved(FILE *out, const struct serve *s)
{
	static const char name[] = "hvtrace_saved_bytes_total";
	const struct served *d;

	head(out, name, "counter", "Bytes that need not be read from storage.");
	FOR_EACH_DISK(s, d)
	{
		begin(out, name, d);
		fprintf(out, "} %llu\n", served__saved(&d->now.counts));
	}
}

static void put_captures(FILE *out, const struct serve *s)
{
	static const char captured[] = "hvtrace_captured_pages_total";
	static const char lost[] = "hvtrace_not_captured_pages_total";
	const struct served *d;

	head(out, captured, "counter", "Evicted pages that entered the cache.");
	FOR_EACH_DISK(s, d)
	{
		begin(out, captured, d);
		fprintf(out, "} %llu\n", d->now.counts.capture[CAPTURED]);
	}
	head(out, lost, "counter", "Evicted pages that did not, by reason.");
	FOR_EACH_DISK(s, d)
	{
		for (unsigned r = 0; r < SERVED_REASONS; r++) {
			begin(out, lost, d);
			fprintf(out, ",reason=\"%s\"} %llu\n", served_reasons[r],
				served__not_captured(&d->now.counts, r));
		}
	}
}

/* --- latency --- */

static void put_histogram(FILE *out, const char *name, const struct served *d, const char *from,
			  const struct served_latency *l)
{
	static const char *const parts[] = {"bucket", "sum", "count"};
	char full[3][64];
	__u64 below = 0;

	for (int i = 0; i < 3; i++)
		snprintf(full[i], sizeof(full[i]), "%s_%s", name, parts[i]);
	for (__u32 b = 0; b < PE_LATENCY_BUCKETS; b++) {
		below += l->bucket[b];
		/* The last bucket also holds all that is longer. */
		if ((b + 1) % BUCKETS_IN_ONE || b + 1 == PE_LATENCY_BUCKETS)
			continue;
		begin(out, full[0], d);
		fprintf(out, ",from=\"%s\",le=\"%.9g\"} %llu\n", from, pe_latency_low(b + 1) / 1e9,
			below);
	}
	begin(out, full[0], d);
	fprintf(out, ",from=\"%s\",le=\"+Inf\"} %llu\n", from, below);
	begin(out, full[1], d);
	fprintf(out, ",from=\"%s\"} %.9g\n", from, l->sum_ns / 1e9);
	begin(out, full[2], d);
	fprintf(out, ",from=\"%s\"} %llu\n", from, below);
}

static void put_latency(FILE *out, const struct serve *s)
{
	static const char name[] = "hvtrace_read_latency_seconds";
	const struct served *d;

	head(out, name, "histogram",
	     "Latency of reads, from the cache or (all or a part) from storage.");
	FOR_EACH_DISK(s, d)
	{
		put_histogram(out, name, d, "cache", &d->now.hit);
		put_histogram(out, name, d, "storage", &d->now.miss);
	}
}

void serve__metrics(void *serve, FILE *out)
{
	struct serve *s = serve;

	serve__account(s);
	head(out, "hvtrace_build_info", "gauge", "The version that runs.");
	fputs("hvtrace_build_info{version=\"" HVTRACE_VERSION "\"} 1\n", out);
	put_cache(out, &s->cache);
	put_gauge(out, "hvtrace_lost_events", "Page events that the curves lack.",
		  s->refused_events);
	put_gauge(out, "hvtrace_missed_unmaps",
		  "Times that VMMs gave up memory which nobody could tell.", s->missed_unmaps);
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		put_disk_gauge(out, s, &gauges[i]);
	for (size_t i = 0; i < nr_served_counts; i++)
		put_counter(out, s, i);
	put_saved(out, s);
	put_captures(out, s);
	put_latency(out, s);
}
