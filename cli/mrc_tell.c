// SPDX-License-Identifier: GPL-2.0
/* Results of mrc in text and JSON. */
#include <errno.h>
#include <stdio.h>

#include "../analysis/export.h"
#include "../analysis/size.h"
#include "cli.h"
#include "mrc_result.h"
#include "sampling.h"
#include "summary.h"
#include "columns.h"

static struct summary_vm vm_of(const struct mrc_result *r, const struct wss_list *wss)
{
	return (struct summary_vm){
		.pid = r->vm.pid,
		.vmm = r->vm.vmm,
		.mem_pages = r->vm.mem_pages,
		.wss = wss,
	};
}

/* --- JSON --- */

static void json_recording(const struct mrc_source *s)
{
	fputs("{\"type\":\"status\",\"trace\":", stdout);
	export__json_string(stdout, s->name);
	printf(",\"events\":%llu,\"dropped\":%llu,\"lost_frames\":%llu"
	       ",\"lost_latency\":%llu,\"lost_vms\":%llu,\"truncated\":%llu"
	       ",\"sample_one_in\":%llu}\n",
	       s->events, s->loss.dropped, s->loss.frames, s->loss.latency, s->loss.vms,
	       s->loss.truncated, sampling__one_in(s->threshold));
}

static int json_vm(const struct mrc_result *r, const struct mrc_options *o,
		   const struct wss_list *wss)
{
	struct summary_vm vm = vm_of(r, wss);

	return summary__json(stdout, &vm, mrc_options__has_sizes(o) ? r->at : r->report);
}

static void json_facts(const struct mrc_source *s, const struct mrc_result *r)
{
	const struct trace_facts *t = &r->trace;
	const struct mrc_counts *c = &t->counts;

	fputs("{\"type\":\"trace\",\"vm\":", stdout);
	export__json_string(stdout, r->report->name);
	fputs(",\"path\":", stdout);
	export__json_string(stdout, s->path);
	printf(",\"format\":\"%s\",\"references\":%llu,\"distinct_pages\":%.0f"
	       ",\"distinct_error\":%.0f,\"samples\":%llu,\"tracked_pages\":%llu,\"rate\":%.9g",
	       s->format, c->accesses, c->cold, r->trace.distinct_error, c->samples, c->tracked,
	       c->rate);
	printf(",\"seconds\":%.3f,\"refs_per_s\":%.0f,\"engine_bytes\":%zu,\"bad_records\":%llu",
	       t->seconds, t->seconds > 0 ? c->accesses / t->seconds : 0, c->bytes, t->bad);
	if (t->timed)
		printf(",\"span_ns\":%llu}\n", t->span);
	else
		puts(",\"span_ns\":null}");
}

static void json_curve(const struct vm_report *r)
{
	const struct space_report *s = &r->space[SPACE_DISK];

	fputs("{\"type\":\"curve\",\"vm\":", stdout);
	export__json_string(stdout, r->name);
	printf(",\"space\":\"disk\",\"order\":\"%s\"", s->order);
	past__json(stdout, &s->past);
	putchar(',');
	export__json_points(stdout, s->curve, s->nr_points);
	puts("}");
}

static int json_result(const struct mrc_source *s, const struct mrc_result *r,
		       const struct mrc_options *o)
{
	struct wss_list wss = mrc_options__wss(o);
	int err = 0;

	if (s->own) {
		err = json_vm(r, o, &wss);
	} else {
		json_facts(s, r);
		json_curve(mrc_options__has_sizes(o) ? r->at : r->report);
	}
	for (int space = 0; space < PAGE_SPACES; space++)
		if (r->policies[space])
			policy_curves__json(stdout, r->report->name, page_space__name(space),
					    r->policies[space]);
	return err ?: findings__json(stdout, r->fine ?: r->report, &wss);
}

/* --- text --- */

static void text_recording(const struct mrc_source *s, bool alone)
{
	if (!alone)
		printf("\n%s: ", s->name);
	printf("%llu events, sampling 1/%llu, %llu dropped", s->events,
	       sampling__one_in(s->threshold), s->loss.dropped);
	if (s->loss.frames)
		printf(", %llu frames lost", s->loss.frames);
	putchar('\n');
}

static int text_vm(const struct mrc_result *r, const struct wss_list *wss)
{
	struct summary_vm vm = vm_of(r, wss);
	int err = summary__print(stdout, &vm, r->report);

	summary__sizes(stdout, r->at);
	return err;
}

static void text_references(const struct mrc_result *r)
{
	const struct mrc_counts *c = &r->trace.counts;
	double error = r->trace.distinct_error;
	char size[SIZE_TEXT];

	printf("%llu references to %.0f", c->accesses, c->cold);
	if (error > 0)
		printf(" +/- %.0f", error);
	printf(" pages (%s)", size__format(c->cold + 0.5, size));
	if (c->rate < 1)
		printf(",\n%llu of the references sampled, %llu pages followed at a rate of %.3g",
		       c->samples, c->tracked, c->rate);
	putchar('\n');
}

static void text_span(__u64 ns)
{
	double s = ns / 1e9;

	if (s >= 7200)
		printf("%.1f hours", s / 3600);
	else if (s >= 120)
		printf("%.1f minutes", s / 60);
	else
		printf("%.3g seconds", s);
	fputs(" from the first to the last\n", stdout);
}

static void text_facts(const struct mrc_source *s, const struct mrc_result *r)
{
	const struct trace_facts *t = &r->trace;
	char rate[COLUMN_TEXT], held[SIZE_TEXT];

	text_references(r);
	if (t->timed)
		text_span(t->span);
	columns__format_count(rate, t->seconds > 0 ? t->counts.accesses / t->seconds : 0);
	printf("read in %.3g s, %s refs/s, %s held\n", t->seconds, rate,
	       size__format((t->counts.bytes + PAGE_BYTES - 1) / PAGE_BYTES, held));
	if (t->bad)
		printf("%llu malformed records left out\n", t->bad);
}

static int text_trace(const struct mrc_source *s, const struct mrc_result *r,
		      const struct wss_list *wss)
{
	const struct past *past = &r->report->space[SPACE_DISK].past;
	char text[PAST_TEXT];
	int err;

	summary__title(stdout, r->report->name);
	printf(", %s", s->format);
	if (past__limited(past))
		printf(", %s", past__format(past, text));
	puts(" ==\n");
	text_facts(s, r);
	summary__draw(stdout, &r->report->space[SPACE_DISK]);
	err = findings__print(stdout, &r->fine->space[SPACE_DISK], wss);
	summary__sizes(stdout, r->at);
	return err;
}

static int text_result(const struct mrc_source *s, const struct mrc_result *r,
		       const struct mrc_options *o)
{
	struct wss_list wss = mrc_options__wss(o);
	int err = s->own ? text_vm(r, &wss) : text_trace(s, r, &wss);

	for (int space = 0; space < PAGE_SPACES; space++)
		if (r->policies[space])
			policy_curves__print(stdout, r->policies[space]);
	return err;
}

/* --- all --- */

static int tell_source(const struct mrc_sources *all, const struct mrc_source *s,
		       const struct mrc_options *o)
{
	int err = 0;

	if (s->own && o->json)
		json_recording(s);
	else if (s->own)
		text_recording(s, all->n == 1);
	for (size_t i = 0; i < s->nr && !err; i++)
		err = o->json ? json_result(s, &s->results[i], o)
			      : text_result(s, &s->results[i], o);
	/* What cannot be written is told by cli__flush(). */
	return err == -ENOMEM ? cli__failed("out of memory") : CLI_DONE;
}

int mrc_sources__tell(const struct mrc_sources *s, const struct mrc_options *o)
{
	int status = CLI_DONE;

	for (size_t i = 0; i < s->n && !status; i++)
		if (s->v[i].done)
			status = tell_source(s, &s->v[i], o);
	return cli__flush() ?: status;
}
