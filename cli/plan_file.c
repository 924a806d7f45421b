// SPDX-License-Identifier: GPL-2.0
/* VMs of a plan from files: folders of --csv, curve.csv, and whatever mrc reads. */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../analysis/curve_csv.h"
#include "cli.h"
#include "mrc_result.h"
#include "plan_vms.h"
#include "table.h"
#include "text_file.h"
#include "vms_csv.h"

static int failed(const char *path, const char *why)
{
	return cli__failed("'%s': %s", path, why);
}

/* --- CSV --- */

static int read_text(const char *path, char **text, size_t *len)
{
	int err = text_file__read(path, SIZE_MAX, text, len);

	return err ? cli__failed("cannot read '%s': %s", path, strerror(-err)) : CLI_DONE;
}

static int wrong_csv(const char *path, int err, const struct csv_fault *fault)
{
	if (err == -ENOMEM)
		return cli__failed("out of memory");
	return cli__failed("'%s', line %llu: %s", path, fault->line, fault->reason);
}

static int read_curves(const char *path, struct curve_csv *out)
{
	struct csv_fault fault;
	size_t len;
	char *text;
	int status = read_text(path, &text, &len), err;

	if (status)
		return status;
	err = curve_csv__parse(out, text, len, &fault);
	free(text);
	return err ? wrong_csv(path, err, &fault) : CLI_DONE;
}

/* None is no fault. */
static int read_facts(const char *path, struct vms_csv *out)
{
	struct csv_fault fault;
	size_t len;
	char *text;
	int status, err;

	if (!path || access(path, F_OK))
		return CLI_DONE;
	status = read_text(path, &text, &len);
	if (status)
		return status;
	err = vms_csv__parse(out, text, len, &fault);
	free(text);
	return err ? wrong_csv(path, err, &fault) : CLI_DONE;
}

static void find_facts(const struct vms_csv *vms, const struct named_curve *curve,
		       struct plan_facts *f)
{
	for (size_t i = 0; i < vms->n; i++) {
		const struct vms_csv_row *row = &vms->rows[i];

		if (row->space != curve->space || strcmp(row->vm, curve->vm))
			continue;
		plan_facts__know(f, FACT_MEMORY, row->memory / PAGE_BYTES);
		plan_facts__know(f, FACT_DIRECT, row->direct / PAGE_BYTES);
		plan_facts__know(f, FACT_RATE, row->accesses);
		plan_facts__know(f, FACT_LATENCY, row->latency);
	}
}

static int take_csv(struct plan_vms *v, const struct plan_source *s, const struct curve_csv *csv,
		    const struct vms_csv *vms)
{
	struct plan_curve *curves = calloc(csv->n + 1, sizeof(*curves));
	char why[512] = "";
	int err = curves ? 0 : -ENOMEM;

	for (size_t i = 0; i < csv->n && !err; i++) {
		const struct named_curve *c = &csv->curves[i];

		curves[i] = (struct plan_curve){.vm = c->vm,
						.space = c->space,
						.added = c->added,
						.points = c->points,
						.n = c->n};
		find_facts(vms, c, &curves[i].facts);
	}
	if (!err)
		err = plan_source__take(s, v, curves, csv->n, why, sizeof(why));
	free(curves);
	return err ? failed(s->path, why[0] ? why : "out of memory") : CLI_DONE;
}

static int read_csv(struct plan_vms *v, const struct plan_source *s, const char *curves,
		    const char *facts)
{
	struct curve_csv csv = {0};
	struct vms_csv vms = {0};
	int status = read_curves(curves, &csv);

	if (!status)
		status = read_facts(facts, &vms);
	if (!status)
		status = take_csv(v, s, &csv, &vms);
	curve_csv__free(&csv);
	vms_csv__free(&vms);
	return status;
}

/* The folder's files, or a curve.csv with the vms.csv that is beside it. */
static int read_folder(struct plan_vms *v, const struct plan_source *s, const char *curve_csv)
{
	size_t dir = curve_csv ? strlen(s->path) - strlen("curve.csv") : strlen(s->path);
	const char *slash = curve_csv ? "" : "/";
	char *curves, *facts;
	int status;

	if (asprintf(&curves, "%.*s%scurve.csv", (int)dir, s->path, slash) < 0)
		return cli__failed("out of memory");
	if (asprintf(&facts, "%.*s%svms.csv", (int)dir, s->path, slash) < 0) {
		free(curves);
		return cli__failed("out of memory");
	}
	status = read_csv(v, s, curves, facts);
	free(curves);
	free(facts);
	return status;
}

/* --- recordings, and traces of other tools --- */

static struct plan_facts trace_facts(const struct mrc_source *source, const struct mrc_result *r,
				     enum page_space space)
{
	const struct space_report *of = &r->report->space[space];
	double seconds = (source->own ? r->span : r->trace.timed ? r->trace.span : 0) / 1e9;
	struct plan_facts f = {0};

	if (seconds > 0 && of->nr_points)
		plan_facts__know(&f, FACT_RATE, of->curve[0].accesses / seconds);
	if (!source->own)
		return f;
	if (r->vm.mem_pages)
		plan_facts__know(&f, FACT_MEMORY, r->vm.mem_pages);
	if (space == SPACE_DISK && r->report->has_counters && r->report->counters.fills)
		plan_facts__know(&f, FACT_LATENCY,
				 table__latency_sum(r->report->counters.latency[0]) /
					 r->report->counters.fills);
	return f;
}

static int take_results(struct plan_vms *v, const struct plan_source *s,
			const struct mrc_source *source)
{
	struct plan_curve *curves = calloc(source->nr * PAGE_SPACES + 1, sizeof(*curves));
	char why[512] = "";
	size_t n = 0;
	int err = curves ? 0 : -ENOMEM;

	for (size_t i = 0; i < source->nr && !err; i++)
		for (int space = 0; space < PAGE_SPACES; space++) {
			const struct mrc_result *r = &source->results[i];
			const struct space_report *of = &r->report->space[space];

			if (!of->seen)
				continue;
			curves[n] = (struct plan_curve){
				.vm = r->report->name,
				.space = space,
				.added = source->own && !strcmp(of->order, "eviction"),
				.points = of->curve,
				.n = of->nr_points,
			};
			curves[n++].facts = trace_facts(source, r, space);
		}
	if (!err)
		err = plan_source__take(s, v, curves, n, why, sizeof(why));
	free(curves);
	return err ? failed(s->path, why[0] ? why : "out of memory") : CLI_DONE;
}

static int read_trace(struct plan_vms *v, const struct plan_source *s)
{
	struct mrc_options o = {.paths = (char **)&s->path, .nr_paths = 1, .quiet = true};
	struct mrc_sources sources = {0};
	int status = CLI_FAILED;

	if (!mrc_sources__init(&sources, &o))
		cli__failed("out of memory");
	else
		status = mrc_sources__read(&sources, &o);
	if (!status && mrc_sources__settle_names(&sources))
		status = cli__failed("out of memory");
	if (!status)
		status = take_results(v, s, &sources.v[0]);
	mrc_sources__free(&sources);
	return status;
}

/* --- which of them --- */

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* By its first bytes. */
static bool is_curve_csv(const char *path)
{
	static const char begin[] = "vm,space,order,";
	char buf[sizeof(begin) - 1];
	FILE *in = fopen(path, "re");
	bool is;

	if (!in)
		return false;
	is = fread(buf, sizeof(buf), 1, in) == 1 && !memcmp(buf, begin, sizeof(buf));
	fclose(in);
	return is;
}

static const char *named_curve_csv(const char *path)
{
	size_t len = strlen(path), end = strlen("curve.csv");

	if (len < end || strcmp(path + len - end, "curve.csv"))
		return NULL;
	return len == end || path[len - end - 1] == '/' ? path + len - end : NULL;
}

int plan_file__read(struct plan_vms *v, const struct plan_source *s)
{
	if (!strcmp(s->path, "-"))
		return read_csv(v, s, s->path, NULL);
	if (is_folder(s->path))
		return read_folder(v, s, NULL);
	if (access(s->path, R_OK))
		return cli__failed("cannot read '%s': %s", s->path, strerror(errno));
	if (!is_curve_csv(s->path))
		return read_trace(v, s);
	return named_curve_csv(s->path) ? read_folder(v, s, named_curve_csv(s->path))
					: read_csv(v, s, s->path, NULL);
}
