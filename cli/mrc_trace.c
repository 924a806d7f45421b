// SPDX-License-Identifier: GPL-2.0
/* The curve of a foreign trace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/mrc.h"
#include "../analysis/size.h"
#include "../loader/trace/trace.h"
#include "cli.h"
#include "mrc_result.h"
#include "progress.h"

/* Lines of the table of sizes when none are asked for. */
#define TABLE_SIZES 12
/* Points from which working sets and the knee are read. */
#define FINE_POINTS 512

/* On the way through a trace. */
struct reading {
	const struct mrc_options *o;
	struct mrc_source *source;
	struct trace *trace;
	struct mrc *mrc;
	struct policy_set *policies; /* NULL: none */
	struct recent *recent;	     /* NULL: all of it, no intervals */
	struct progress progress;
	__u64 refs, last; /* time of the last reference */
	double begun;
};

static int out_of_memory(const struct reading *r)
{
	return cli__failed("'%s': out of memory; bound it with --shards-max 8192 or, for policies, "
			   "--shards 0.01",
			   r->source->path);
}

static bool counts_references(const struct mrc_options *o)
{
	return past__limited(&o->past) ? past__span(&o->past)->refs : o->every.refs;
}

/* --- in --- */

/* n references of a batch, from the one at `from` on. */
static int feed(struct reading *r, const struct trace_batch *b, size_t from, size_t n)
{
	int err = mrc__access(r->mrc, b->pages + from, n);

	if (!err && r->policies)
		err = policy_set__access(r->policies, b->pages + from, n);
	r->refs += n;
	if (b->times)
		r->last = b->times[from + n - 1];
	return err;
}

/* The first reference from `from` on before which something is due; b->n: none. */
static size_t first_due(const struct reading *r, const struct trace_batch *b, size_t from)
{
	__u64 due = recent__due(r->recent);
	size_t end = b->n;

	if (counts_references(r->o))
		return due - r->refs < end - from ? from + (due - r->refs) : end;
	if (b->times[end - 1] < due)
		return end;
	while (from < end) {
		size_t middle = from + (end - from) / 2;

		if (b->times[middle] < due)
			from = middle + 1;
		else
			end = middle;
	}
	return from;
}

/* Stops where a window or an interval is due. */
static int feed_in_time(struct reading *r, const struct trace_batch *b)
{
	int err = 0;

	for (size_t from = 0, next; from < b->n && !err; from = next) {
		const struct moment now = {.ns = b->times ? b->times[from] : 0, .refs = r->refs};

		err = recent__pass(r->recent, now);
		next = err ? from : first_due(r, b, from);
		if (!err)
			err = feed(r, b, from, next - from);
	}
	return err;
}

static int feed_batch(struct reading *r, const struct trace_batch *b)
{
	if (!r->recent)
		return feed(r, b, 0, b->n);
	if (!b->times && mrc_options__fit_untimed(r->o, r->source->path, r->source->format))
		return -EINVAL;
	return feed_in_time(r, b);
}

static int read_failed(const struct reading *r, int err)
{
	return err == -ENOMEM ? out_of_memory(r) : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}

static int read_all(struct reading *r)
{
	struct trace_batch batch;
	int got, err = 0;

	progress__begin(&r->progress, r->o->quiet);
	while (!err && (got = trace__next(r->trace, &batch)) > 0) {
		err = feed_batch(r, &batch);
		progress__show(&r->progress, trace__bytes_done(r->trace),
			       trace__bytes_total(r->trace), r->refs);
	}
	if (!err && !got && r->recent)
		err = recent__end(r->recent, (struct moment){r->last, r->refs});
	progress__end(&r->progress);
	if (err)
		return read_failed(r, err);
	return got < 0 ? cli__failed("'%s': %s", r->source->path, trace__fault(r->trace)->reason)
		       : CLI_DONE;
}

static int take_sums(void *ctx, struct curve_sums *out)
{
	const struct reading *r = ctx;

	return mrc__sums(r->mrc, out);
}

static int on_interval(void *ctx, const struct interval *i)
{
	struct reading *r = ctx;
	const struct mrc_every_of of = {
		.trace = r->source->name,
		.space = SPACE_DISK,
		.order = "access",
	};

	progress__end(&r->progress);
	return mrc_every__tell(r->source->every, &of, i);
}

static struct recent *make_recent(struct reading *r)
{
	struct recent_opts opts = {
		.past = r->o->past,
		.every = r->o->every,
		.sizes = r->source->every->sizes.v,
		.nr_sizes = r->source->every->sizes.n,
		.sums = take_sums,
		.interval = on_interval,
		.ctx = r,
	};

	return recent__new(&opts);
}

static int set_up(struct reading *r)
{
	struct mrc_opts opts = {
		.sz = sizeof(opts),
		.rate = r->o->rate,
		.max_pages = r->o->max_sampled,
		.seed = r->o->seed,
		.detail = r->o->detail,
	};

	r->mrc = mrc__new(&opts);
	if (r->o->nr_policies)
		r->policies = policy_set__new(r->o);
	if (mrc_options__in_time(r->o))
		r->recent = make_recent(r);
	return r->mrc && (r->policies || !r->o->nr_policies) &&
			       (r->recent || !mrc_options__in_time(r->o))
		       ? CLI_DONE
		       : out_of_memory(r);
}

/* --- out --- */

static struct vm_report *report_at(const struct reading *r, const struct mrc_options *o,
				   size_t room)
{
	size_t n;
	__u64 *sizes = mrc_options__sizes(o, mrc__max_distance(r->mrc), room, &n);
	struct vm_report *report = NULL;

	if (sizes)
		report = vm_report__of_trace(r->mrc, r->source->name, sizes, n);
	free(sizes);
	return report;
}

static struct vm_report *past_report(const struct reading *r, const struct curve_point *curve,
				     bool table)
{
	static const __u64 none;
	struct vm_report *report = vm_report__of_trace(r->mrc, r->source->name, &none, 0);

	if (report && !mrc_past__tell(r->o, curve, r->source->every->sizes.n, table,
				      &report->space[SPACE_DISK]))
		return report;
	vm_report__free(report);
	return NULL;
}

static int add_past_reports(const struct reading *r, struct mrc_result *result)
{
	struct curve_point *curve = calloc(r->source->every->sizes.n, sizeof(*curve));
	int err = -ENOMEM;

	if (curve)
		err = recent__curve(r->recent, (struct moment){r->last, r->refs}, curve);
	if (!err) {
		result->report = past_report(r, curve, false);
		result->fine = past_report(r, curve, false);
		result->at = past_report(r, curve, true);
	}
	free(curve);
	return err ?: result->report && result->fine && result->at ? 0 : -ENOMEM;
}

/* At the sizes asked for, or at a few round ones. */
static struct vm_report *report_table(const struct reading *r)
{
	__u64 sizes[TABLE_SIZES];

	if (mrc_options__has_sizes(r->o))
		return report_at(r, r->o, TABLE_SIZES);
	return vm_report__of_trace(r->mrc, r->source->name, sizes,
				   size__powers(mrc__max_distance(r->mrc), sizes, TABLE_SIZES));
}

/* CSV on stdout is alone there. */
static bool rows_only(const struct reading *r)
{
	return r->o->csv && !strcmp(r->o->csv, "-");
}

/* Only what will be told: beside a sample of a thousandth, a curve's points take time. */
static int add_reports(const struct reading *r, struct mrc_result *result)
{
	static const struct mrc_options none;

	if (past__limited(&r->o->past))
		return add_past_reports(r, result);
	bool asked_only = rows_only(r) && mrc_options__has_sizes(r->o);

	result->report = report_at(r, &none, asked_only ? 2 : REPORT_POINTS);
	if (!result->report)
		return -ENOMEM;
	if (!rows_only(r)) {
		result->fine = report_at(r, &none, FINE_POINTS);
		if (!result->fine)
			return -ENOMEM;
	}
	if (mrc_options__has_sizes(r->o) || !rows_only(r)) {
		result->at = report_table(r);
		if (!result->at)
			return -ENOMEM;
	}
	return 0;
}

/* LRU's curve at the policies' sizes, to compare. */
static int add_yardstick(const struct reading *r, struct policy_curves *c)
{
	size_t n;
	__u64 *sizes = policy_curves__sizes(c, &n);
	int err = -ENOMEM;

	c->yardstick.points = calloc(n + 1, sizeof(*c->yardstick.points));
	if (sizes && c->yardstick.points)
		err = mrc__curve(r->mrc, sizes, n, c->yardstick.points);
	if (!err)
		c->yardstick.n = n;
	free(sizes);
	return err;
}

static int add_policies(struct reading *r, struct mrc_result *result)
{
	struct policy_curves *c;

	if (!r->policies)
		return 0;
	c = result->policies[SPACE_DISK] = policy_set__curves(r->policies);
	return c ? add_yardstick(r, c) : -ENOMEM;
}

/* The curve's end has all pages told apart, and only them, miss. */
static int add_distinct(const struct reading *r, struct trace_facts *facts)
{
	const __u64 end = mrc__max_distance(r->mrc);
	struct curve_point p;
	int err = mrc__curve(r->mrc, &end, 1, &p);

	if (!err && end)
		facts->distinct_error = p.error * facts->counts.accesses;
	return err;
}

static int add_result(struct reading *r)
{
	struct mrc_result *result = mrc_source__add(r->source);

	if (!result)
		return out_of_memory(r);
	result->trace = (struct trace_facts){
		.timed = trace__timed(r->trace),
		.span = r->last,
		.bad = trace__bad(r->trace),
		.seconds = cli__now() - r->begun,
	};
	mrc__counts(r->mrc, &result->trace.counts);
	if (add_distinct(r, &result->trace) || add_reports(r, result) || add_policies(r, result))
		return out_of_memory(r);
	if (result->trace.bad && rows_only(r))
		cli__note("'%s': %llu malformed records left out", r->source->path,
			  result->trace.bad);
	r->source->done = true;
	return CLI_DONE;
}

int mrc_trace__read(struct mrc_source *s, const struct mrc_options *o, struct trace *t)
{
	struct reading r = {.o = o, .source = s, .trace = t, .begun = cli__now()};
	int status = mrc_options__fit_trace(o, s->path, s->format) ?: set_up(&r) ?: read_all(&r) ?:
										add_result(&r);

	recent__free(r.recent);
	policy_set__free(r.policies);
	mrc__free(r.mrc);
	return status;
}
