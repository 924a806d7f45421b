// SPDX-License-Identifier: GPL-2.0
#include "summary.h"

#include <stddef.h>

#include "../analysis/chart.h"
#include "../analysis/export.h"
#include "../analysis/size.h"
#include "text_list.h"

/* One table of counters drives text and JSON. */
static const struct {
	const char *key, *text;
	size_t offset;
} counters[] = {
#define COUNTER(member, text)                                                                      \
	{                                                                                          \
#member, text, offsetof(struct vm_counters, member)                                \
	}
	COUNTER(fills, "pages filled"),
	COUNTER(writebacks, "pages written back"),
	COUNTER(discards, "pages discarded"),
	COUNTER(evictions, "sampled pages evicted"),
	COUNTER(frameless, "pages of unknown frame"),
	COUNTER(partials, "pages in part"),
	COUNTER(kvm_faults, "KVM faults"),
	COUNTER(kvm_maps, "KVM maps"),
	COUNTER(frame_discards, "frames discarded"),
	COUNTER(page_outs, "frames paged out"),
	COUNTER(page_ins, "frames paged in"),
	COUNTER(cache_adds, "host cache adds"),
	COUNTER(cache_drops, "host cache drops"),
	COUNTER(ios, "I/Os"),
	COUNTER(io_errors, "I/O errors"),
	COUNTER(events, "events"),
#undef COUNTER
};

#define NR_COUNTERS (sizeof(counters) / sizeof(counters[0]))

static __u64 counter(const struct vm_counters *c, size_t i)
{
	return *(const __u64 *)((const char *)c + counters[i].offset);
}

/* Names come from command lines: keep control codes off the terminal. */
static void put_clean(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s, out);
}

void summary__title(FILE *out, const char *name)
{
	fputs("\n== ", out);
	put_clean(out, name);
}

static void print_head(FILE *out, const struct summary_vm *vm, const char *name)
{
	char size[SIZE_TEXT];

	summary__title(out, name);
	if (vm->pid)
		fprintf(out, ", pid %u", vm->pid);
	if (vm->vmm[0])
		fprintf(out, ", %s", vm->vmm);
	if (vm->mem_pages)
		fprintf(out, ", %s guest memory", size__format(vm->mem_pages, size));
	fputs(vm->ended ? ", ended ==\n" : " ==\n", out);
}

static void print_counters(FILE *out, const struct vm_counters *c)
{
	struct text_list l = {out, 0};

	fputs("\nCounted on the host, every page:\n", out);
	for (size_t i = 0; i < NR_COUNTERS; i++)
		text_list__item(&l, counter(c, i), counters[i].text);
	text_list__end(&l);
}

static void print_counts(FILE *out, const struct engine_counts *c)
{
	struct text_list l = {out, 0};

	text_list__item(&l, c->fills, "fills");
	text_list__item(&l, c->cold, "of them cold");
	text_list__item(&l, c->refaults, "refaults");
	text_list__item(&l, c->unseen, "with an eviction not seen");
	text_list__item(&l, c->writebacks, "writebacks");
	text_list__item(&l, c->evictions, "evictions");
	text_list__item(&l, c->discards, "discards");
	text_list__item(&l, c->stale, "stale evictions");
	text_list__item(&l, c->uncaptured, "evictions with the bytes gone");
	text_list__item(&l, c->access_ordered, "fills without a frame");
	text_list__item(&l, c->ghosts_dropped, "oldest ghosts dropped");
	text_list__end(&l);
}

void summary__draw(FILE *out, const struct space_report *s)
{
	char caption[128], past[PAST_TEXT];
	bool limited = past__limited(&s->past);

	fputc('\n', out);
	chart__reuse(out, s);
	if (!s->nr_points)
		return;
	fputc('\n', out);
	snprintf(caption, sizeof(caption), "%s%s%s%s",
		 s->order[0] == 'e' ? "misses / accesses of today, by memory added"
				    : "misses / accesses, by memory",
		 limited ? " (" : "", limited ? past__format(&s->past, past) : "",
		 limited ? ")" : "");
	chart__curve(out, caption, s->curve, s->nr_points, chart__utf8());
}

static int print_space(FILE *out, enum page_space space, const struct summary_vm *vm,
		       const struct space_report *s)
{
	if (!s->seen)
		return 0;
	fprintf(out, "\n%s, in the order of %s:\n",
		space == SPACE_DISK ? "Disk pages" : "Guest memory paged by the host",
		s->order[0] == 'a' ? "accesses" : "evictions");
	print_counts(out, &s->counts);
	summary__draw(out, s);
	return findings__print(out, s, vm->wss);
}

void summary__check(FILE *out, const char *name, const struct check *c)
{
	char now[SIZE_TEXT], before[SIZE_TEXT];

	put_clean(out, name);
	fprintf(out, ": %s for %.0f s, before %s; with the larger %.0f misses/s, predicted %.0f",
		size__format(c->now, now), c->seconds, size__format(c->before, before), c->observed,
		c->predicted);
	if (c->error > 0)
		fprintf(out, " +/- %.0f", c->error);
	fputc('\n', out);
}

static void print_checks(FILE *out, const struct vm_report *r)
{
	bool differs = false;

	if (r->nr_checks)
		fputs("\nMemory changed, and the curve of the smaller size was put to the test:\n",
		      out);
	for (size_t i = 0; i < r->nr_checks; i++) {
		const struct check *c = &r->checks[i];

		fputs("  ", out);
		summary__check(out, r->name, c);
		fprintf(out, "    a difference of %+.4f in the miss ratio%s\n",
			check__difference(c), check__differs(c) ? ", for long" : "");
		differs |= check__differs(c);
	}
	if (differs)
		fputs("  What lasts is of the curve (a guest that is not LRU, evictions unseen), "
		      "or "
		      "the\n  load is another since.\n",
		      out);
}

static void print_latency(FILE *out, const struct vm_counters *c)
{
	static const char *const titles[] = {"Read", "Write"};

	for (int op = 0; op < 2; op++) {
		__u64 sum = 0;

		for (int b = 0; b < PE_LATENCY_BUCKETS; b++)
			sum += c->latency[op][b];
		if (!sum)
			continue;
		fprintf(out, "\n%s latency:\n", titles[op]);
		chart__latency(out, c->latency[op]);
	}
}

int summary__print(FILE *out, const struct summary_vm *vm, const struct vm_report *r)
{
	int err = 0;

	print_head(out, vm, r->name);
	if (r->has_counters)
		print_counters(out, &r->counters);
	for (int space = 0; space < PAGE_SPACES && !err; space++)
		err = print_space(out, space, vm, &r->space[space]);
	if (!err)
		print_checks(out, r);
	if (r->has_counters)
		print_latency(out, &r->counters);
	return err;
}

void summary__sizes(FILE *out, const struct vm_report *r)
{
	char size[SIZE_TEXT];

	for (int space = 0; space < PAGE_SPACES; space++) {
		const struct space_report *s = &r->space[space];

		if (!s->nr_points)
			continue;
		fprintf(out, "\n%-5s %12s %14s %14s %10s %8s\n", page_space__name(space),
			s->order[0] == 'e' ? "added" : "memory", "misses", "accesses", "miss ratio",
			"+/-");
		for (size_t i = 0; i < s->nr_points; i++)
			fprintf(out, "%-5s %12s %14.0f %14.0f %10.4f %8.4f\n", "",
				size__format(s->curve[i].size, size), s->curve[i].misses,
				s->curve[i].accesses, curve_point__ratio(&s->curve[i]),
				s->curve[i].error);
	}
}

int summary__json(FILE *out, const struct summary_vm *vm, const struct vm_report *r)
{
	fputs("{\"type\":\"vm\",\"vm\":", out);
	export__json_string(out, r->name);
	fprintf(out, ",\"pid\":%u,\"vmm\":", vm->pid);
	export__json_string(out, vm->vmm);
	fprintf(out, ",\"mem_pages\":%llu,\"ended\":%s", vm->mem_pages,
		vm->ended ? "true" : "false");
	for (size_t i = 0; r->has_counters && i < NR_COUNTERS; i++)
		fprintf(out, ",\"%s\":%llu", counters[i].key, counter(&r->counters, i));
	fputs("}\n", out);
	return export__json(out, r);
}
