// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* asprintf */
#include "mrc_every.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/export.h"
#include "../analysis/size.h"
#include "cli.h"
#include "findings.h"
#include "summary.h"

/* Sizes of the columns: 1 MiB to 64 GiB. */
static const __u64 columns[] = {1 << 8, 1 << 12, 1 << 16, 1 << 20, 1 << 24};
#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static bool to_stdout(const struct mrc_options *o)
{
	return o->csv && !strcmp(o->csv, "-");
}

/* Of standard output it is known already how to say it. */
static int cannot_write(const struct mrc_every *e, int err)
{
	if (e->csv == stdout)
		return cli__flush();
	return cli__failed("cannot write '%s': %s", e->o->csv, strerror(-err));
}

static int open_csv(struct mrc_every *e)
{
	int err;

	e->csv = to_stdout(e->o) ? stdout : fopen(e->o->csv, "we");
	err = e->csv ? export__curve_csv(e->csv, NULL, 0) : -errno;
	return err ? cannot_write(e, err) : CLI_DONE;
}

int mrc_every__init(struct mrc_every *e, const struct mrc_options *o)
{
	*e = (struct mrc_every){.o = o};
	if (mrc_options__in_time(o) && past_sizes__init(&e->sizes, o))
		return cli__failed("out of memory");
	return o->every.n && o->csv ? open_csv(e) : CLI_DONE;
}

void mrc_every__free(struct mrc_every *e)
{
	if (e->csv && e->csv != stdout)
		fclose(e->csv);
	past_sizes__free(&e->sizes);
}

static double value(const struct interval *i, __u64 at)
{
	const struct span s = {.n = at, .refs = i->refs};

	return span__value(&s);
}

/* --- text --- */

static void put_heading(struct mrc_every *e, const struct mrc_every_of *of)
{
	char every[SPAN_TEXT], past[PAST_TEXT], size[SIZE_TEXT];
	const struct wss_list wss = mrc_options__wss(e->o);

	summary__title(stdout, of->trace);
	printf(", every %s", span__format(&e->o->every, every));
	if (past__limited(&e->o->past))
		printf(": %s", past__format(&e->o->past, past));
	puts(" ==");
	e->trace = of->trace;
	if (e->o->sizes)
		return;
	printf("\n%13s %12s", e->o->every.refs ? "until ref." : "until second", "references");
	for (size_t c = 0; c < NR_COLUMNS; c++)
		printf(" %7s", size__format(columns[c], size));
	for (size_t k = 0; k < wss.n; k++)
		printf(" %4s%6.4g", "for", wss.ratios[k]);
	putchar('\n');
}

static void put_name(const struct mrc_every_of *of)
{
	if (of->vm)
		printf("  %s%s", of->vm, of->space == SPACE_MEM ? " mem" : "");
	putchar('\n');
}

static void put_gap(const struct mrc_every_of *of, const struct interval *i)
{
	printf("%13.9g %12s no references since %.9g", value(i, i->to), "0", value(i, i->from));
	put_name(of);
}

static void put_wss(const struct mrc_options *o, const struct curve_point *curve, size_t n)
{
	const struct wss_list wss = mrc_options__wss(o);
	char size[SIZE_TEXT];

	for (size_t k = 0; k < wss.n; k++) {
		__u64 pages;
		bool more = curve__working_set(curve, n, wss.ratios[k], &pages);

		printf(" %10s", more ? "more" : size__format(pages, size));
	}
}

static void put_line(const struct mrc_every *e, const struct mrc_every_of *of,
		     const struct interval *i)
{
	size_t c = 0;

	printf("%13.9g %12llu", value(i, i->to), i->references);
	for (size_t k = 0; k < e->sizes.n && c < NR_COLUMNS; k++)
		if (i->curve[k].size == columns[c]) {
			printf(" %7.4f", curve_point__ratio(&i->curve[k]));
			c++;
		}
	put_wss(e->o, i->curve, e->sizes.n);
	put_name(of);
}

static void put_table(const struct mrc_every_of *of, const struct interval *i,
		      const struct vm_report *r)
{
	printf("\n%.9g to %.9g %s, %llu references", value(i, i->from), value(i, i->to),
	       i->refs ? "references" : "s", i->references);
	put_name(of);
	summary__sizes(stdout, r);
}

static void put_text(struct mrc_every *e, const struct mrc_every_of *of, const struct interval *i,
		     const struct vm_report *r)
{
	if (e->trace != of->trace)
		put_heading(e, of);
	if (!i->curve)
		put_gap(of, i);
	else if (e->o->sizes)
		put_table(of, i, r);
	else
		put_line(e, of, i);
}

/* --- JSON --- */

static void put_json(const struct mrc_every *e, const struct mrc_every_of *of,
		     const struct interval *i, const struct vm_report *r)
{
	printf("{\"type\":\"%s\",\"vm\":", i->curve ? "curve" : "gap");
	export__json_string(stdout, of->vm ?: of->trace);
	printf(",\"space\":\"%s\",\"order\":\"%s\"", page_space__name(of->space), of->order);
	printf(i->refs ? ",\"from_references\":%.15g,\"references\":%.15g"
		       : ",\"from_s\":%.15g,\"time_s\":%.15g",
	       value(i, i->from), value(i, i->to));
	printf(",\"interval_references\":%llu", i->references);
	past__json(stdout, &e->o->past);
	if (i->curve) {
		putchar(',');
		export__json_points(stdout, r->space[of->space].curve,
				    r->space[of->space].nr_points);
	}
	puts("}");
}

/* --- all --- */

/* "NAME@20s" */
static struct vm_report *make_report(const struct mrc_every *e, const struct mrc_every_of *of,
				     const struct interval *i)
{
	struct curve_point *points = calloc(e->sizes.n + 1, sizeof(*points));
	struct vm_report *r = NULL;
	char *name = NULL;

	if (points && asprintf(&name, "%s@%.15g%s", of->vm ?: of->trace, value(i, i->to),
			       i->refs ? "refs" : "s") >= 0)
		r = vm_report__of_curve(name, of->space, of->order, points,
					mrc_past__points(e->o, i->curve, e->sizes.n, points));
	free(name);
	free(points);
	return r;
}

static int put(struct mrc_every *e, const struct mrc_every_of *of, const struct interval *i,
	       struct vm_report *r)
{
	int err = r && e->csv ? export__curve_rows(e->csv, &r, 1) : 0;

	if (err) {
		cannot_write(e, err);
		return -ECANCELED;
	}
	if (e->csv == stdout)
		return 0;
	if (e->o->json)
		put_json(e, of, i, r);
	else
		put_text(e, of, i, r);
	return cli__flush() ? -ECANCELED : 0;
}

int mrc_every__tell(struct mrc_every *e, const struct mrc_every_of *of, const struct interval *i)
{
	struct vm_report *r = i->curve ? make_report(e, of, i) : NULL;
	int err = i->curve && !r ? -ENOMEM : put(e, of, i, r);

	vm_report__free(r);
	return err;
}
