// SPDX-License-Identifier: GPL-2.0
/* The curve of a foreign trace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	__u64 refs, last;	     /* time of the last reference */
	double begun;
};

static int out_of_memory(const struct reading *r)
{
	return cli__failed("'%s': out of memory; bound it with --shards-max 8192 or, for policies, "
			   "--shards 0.01",
			   r->source->path);
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

static int read_all(struct reading *r)
{
	struct progress progress;
	struct trace_batch batch;
	int got, err = 0;

	progress__begin(&progress, r->o->quiet);
	while (!err && (got = trace__next(r->trace, &batch)) > 0) {
		err = feed(r, &batch, 0, batch.n);
		progress__show(&progress, trace__bytes_done(r->trace), trace__bytes_total(r->trace),
			       r->refs);
	}
	progress__end(&progress);
	if (err)
		return out_of_memory(r);
	return got < 0 ? cli__failed("'%s': %s", r->source->path, trace__fault(r->trace)->reason)
		       : CLI_DONE;
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
	return r->mrc && (r->policies || !r->o->nr_policies) ? CLI_DONE : out_of_memory(r);
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

/* CSV on stdout is alone there. */
static bool rows_only(const struct reading *r)
{
	return r->o->csv && !strcmp(r->o->csv, "-");
}

/* Only what will be told: beside a sample of a thousandth, a curve's points take time. */
static int add_reports(const struct reading *r, struct mrc_result *result)
{
	static const struct mrc_options none;

	result->report = report_at(r, &none, REPORT_POINTS);
	if (!result->report)
		return -ENOMEM;
	if (!rows_only(r)) {
		result->fine = report_at(r, &none, FINE_POINTS);
		if (!result->fine)
			return -ENOMEM;
	}
	if (mrc_options__has_sizes(r->o) || !rows_only(r)) {
		result->at = report_at(r, r->o, TABLE_SIZES);
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
	if (add_reports(r, result) || add_policies(r, result))
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

	policy_set__free(r.policies);
	mrc__free(r.mrc);
	return status;
}
