// SPDX-License-Identifier: GPL-2.0
#include "plan_show.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/export.h"
#include "../analysis/size.h"
#include "columns.h"
#include "plan_groups.h"

/* --- rows --- */

static struct appetite_range unknown_range(void)
{
	return (struct appetite_range){NAN, NAN, NAN};
}

static void make_row(const struct plan_case *c, const struct plan_seat *s, struct plan_row *row)
{
	const struct plan_size *given = &c->plan->sizes[s->node];

	*row = (struct plan_row){
		.c = c,
		.seat = s,
		.host = c->vms->nr_hosts > 1 ? c->vms->hosts[s->vm->host].name : NULL,
		.size = given->size,
		.cost = given->cost,
		.slower = {NAN, NAN},
	};
	appetite__at(s->appetite, given->size, &row->then);
	if (s->has_now && !s->vm->fresh)
		appetite__at(s->appetite, s->now, &row->now);
	else
		row->now = (struct appetite_loss){false, unknown_range(), unknown_range(),
						  unknown_range()};
	if (s->has_baseline)
		appetite__slower(s->appetite, s->assurance.baseline, given->size, &row->slower);
}

static void add_row(struct plan_totals *t, const struct plan_row *row)
{
	t->then.guess += row->then.lost.guess;
	t->then.lower += row->then.lost.lower;
	t->then.upper += row->then.lost.upper;
	t->misses += row->then.misses.guess;
	t->guessed |= !row->then.known;
	/* What is not there yet loses nothing now. */
	if (row->seat->vm->fresh)
		return;
	t->now += row->now.lost.guess;
	t->misses_now += row->now.misses.guess;
}

int plan_rows__make(struct plan_rows *r, const struct plan_case *c)
{
	*r = (struct plan_rows){.c = c, .as_is = NAN};
	r->rows = calloc(c->nr + 1, sizeof(*r->rows));
	if (!r->rows)
		return -ENOMEM;
	for (; r->n < c->nr; r->n++) {
		make_row(c, &c->seats[r->n], &r->rows[r->n]);
		add_row(&r->totals, &r->rows[r->n]);
	}
	return 0;
}

void plan_rows__free(struct plan_rows *r)
{
	free(r->rows);
	*r = (struct plan_rows){0};
}

/* --- values of columns --- */

static double half_width(const struct appetite_range *r)
{
	return fmax(r->upper - r->guess, r->guess - r->lower);
}

/* Nobody knows how far off a guess is. */
static double error_of(const struct appetite_loss *l, const struct appetite_range *r)
{
	return l->known ? half_width(r) : NAN;
}

/* An infinite one is not known either. */
static double if_finite(double v)
{
	return isfinite(v) ? v : NAN;
}

/* The tighter of its bounds, in time. */
static double may_be_slower(const struct plan_seat *s)
{
	const struct assurance *a = &s->assurance;
	double by_ratio =
		a->max_ratio < 0 ? NAN : a->max_ratio * appetite__lost_in_all(s->appetite);

	return fmin(by_ratio, a->max_lost < 0 ? NAN : a->max_lost);
}

#define VALUE(name, what)                                                                          \
	static double name##_of(const void *of)                                                    \
	{                                                                                          \
		const struct plan_row *r = of;                                                     \
                                                                                                   \
		return what;                                                                       \
	}
VALUE(now, r->seat->has_now ? (double)r->seat->now *PAGE_BYTES : NAN)
VALUE(plan, (double)r->size *PAGE_BYTES)
VALUE(change, r->seat->has_now ? ((double)r->size - (double)r->seat->now) * PAGE_BYTES : NAN)
VALUE(misses_now, r->now.misses.guess)
VALUE(misses, r->then.misses.guess)
VALUE(misses_error, error_of(&r->then, &r->then.misses))
VALUE(lost_now, r->now.lost.guess)
VALUE(lost, r->then.lost.guess)
VALUE(lost_error, error_of(&r->then, &r->then.lost))
VALUE(slower, if_finite(r->slower.lost))
VALUE(slower_ratio, if_finite(r->slower.ratio))
VALUE(ratio_now, r->now.ratio.guess)
VALUE(ratio, r->then.ratio.guess)
VALUE(ratio_error, error_of(&r->then, &r->then.ratio))
VALUE(lost_lower, r->then.lost.lower)
VALUE(lost_upper, r->then.lost.upper)
VALUE(cost, r->cost)
VALUE(least, (double)r->seat->least *PAGE_BYTES)
VALUE(max, r->seat->most == PLAN_NO_MOST ? NAN : (double)r->seat->most * PAGE_BYTES)
VALUE(baseline, r->seat->has_baseline ? (double)r->seat->assurance.baseline *PAGE_BYTES : NAN)
VALUE(may_ratio, r->seat->assurance.max_ratio < 0 ? NAN : r->seat->assurance.max_ratio)
VALUE(entitled, plan_groups__entitled(r->c, r->seat) * PAGE_BYTES)
VALUE(may_lost, may_be_slower(r->seat))

static void format_bytes(char buf[COLUMN_TEXT], double v)
{
	columns__format_pages(buf, v / PAGE_BYTES);
}

static void format_change(char buf[COLUMN_TEXT], double v)
{
	char size[COLUMN_TEXT];

	columns__format_pages(size, fabs(v) / PAGE_BYTES);
	if (v)
		snprintf(buf, COLUMN_TEXT, "%c%.*s", v < 0 ? '-' : '+', COLUMN_TEXT - 2, size);
	else
		strcpy(buf, "0");
}

/* Milliseconds: three digits that count. */
static void format_ms(char buf[COLUMN_TEXT], double v)
{
	if (v >= 99.95)
		columns__format_count(buf, v);
	else
		snprintf(buf, COLUMN_TEXT, v < 9.995 ? "%.2f" : "%.1f", v);
}

static bool is_guess(const void *of)
{
	const struct plan_row *r = of;

	return !r->then.known;
}

static bool was_guess(const void *of)
{
	const struct plan_row *r = of;

	return !r->now.known;
}

static const struct column columns[] = {
	{"VM", "vm", 16, NULL, NULL, NULL},
	{"NOW", "now_bytes", 6, now_of, format_bytes, NULL},
	{"PLAN", "plan_bytes", 6, plan_of, format_bytes, NULL},
	{"CHANGE", "change_bytes", 7, change_of, format_change, NULL},
	{"MISS/s", "misses_now_per_s", 6, misses_now_of, columns__format_count, was_guess},
	{"PLAN", "misses_per_s", 6, misses_of, columns__format_count, is_guess},
	{"+/-", "misses_error_per_s", 6, misses_error_of, columns__format_count, NULL},
	{"LOSTms", "lost_now_ms_per_s", 6, lost_now_of, format_ms, was_guess},
	{"PLAN", "lost_ms_per_s", 6, lost_of, format_ms, is_guess},
	{"+/-", "lost_error_ms_per_s", 6, lost_error_of, format_ms, NULL},
	{"SLOWER", "slower_ms_per_s", 6, slower_of, format_ms, NULL},
	{"MAY", "may_be_slower_ms_per_s", 6, may_lost_of, format_ms, NULL},
	{"", "slower_ratio", 0, slower_ratio_of, NULL, NULL},
	{"", "may_be_slower_ratio", 0, may_ratio_of, NULL, NULL},
	{"", "baseline_bytes", 0, baseline_of, NULL, NULL},
	{"", "miss_ratio_now", 0, ratio_now_of, NULL, NULL},
	{"", "miss_ratio", 0, ratio_of, NULL, NULL},
	{"", "miss_ratio_error", 0, ratio_error_of, NULL, NULL},
	{"", "lost_lower_ms_per_s", 0, lost_lower_of, NULL, NULL},
	{"", "lost_upper_ms_per_s", 0, lost_upper_of, NULL, NULL},
	{"", "cost", 0, cost_of, NULL, NULL},
	{"", "least_bytes", 0, least_of, NULL, NULL},
	{"", "max_bytes", 0, max_of, NULL, NULL},
	{"", "entitled_bytes", 0, entitled_of, NULL, NULL},
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* --- the table --- */

/* Host by host: VMs that moved are among those that were there before. */
static void put_rows(FILE *out, const struct plan_rows *r)
{
	columns__head(out, columns, NR_COLUMNS);
	for (size_t h = 0; h < r->c->vms->nr_hosts; h++) {
		bool headed = false;

		for (size_t i = 0; i < r->n; i++) {
			const struct plan_row *row = &r->rows[i];

			if (row->seat->vm->host != h)
				continue;
			if (row->host && !headed)
				fprintf(out, "-- %s\n", row->host);
			headed = true;
			columns__row(out, columns, NR_COLUMNS, row->seat->vm->name, row);
		}
	}
}

static __u64 given_to(const struct plan_rows *r, size_t host)
{
	__u64 pages = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->rows[i].seat->vm->host == host)
			pages += r->rows[i].size;
	return pages;
}

static size_t vms_of(const struct plan_rows *r, size_t host)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->rows[i].seat->vm->host == host;
	return n;
}

static void put_host(FILE *out, const struct plan_rows *r, size_t host)
{
	const struct plan_vms *v = r->c->vms;
	__u64 memory = plan_vms__memory(v, host), given = given_to(r, host);
	char a[SIZE_TEXT], b[SIZE_TEXT], c[SIZE_TEXT];
	size_t n = vms_of(r, host);

	fprintf(out, "%s: %zu VM%s of %s, %s given, %s spare\n", v->hosts[host].name, n,
		n == 1 ? "" : "s", size__format(memory, a), size__format(given, b),
		size__format(memory - given, c));
}

static double percent_above(double v, double of)
{
	return of > 0 ? 100 * (v - of) / of : v > of ? INFINITY : 0;
}

static void put_totals(FILE *out, const struct plan_rows *r)
{
	const struct plan_totals *t = &r->totals;

	if (isnan(t->now))
		fputs("Lost: ", out);
	else
		fprintf(out, "Lost: %.4g ms/s now, ", t->now);
	if (t->guessed)
		fprintf(out, "%.4g ms/s with the plan, a guess\n", t->then.guess);
	else
		fprintf(out, "%.4g +/- %.4g ms/s with the plan, %.4g at most\n", t->then.guess,
			half_width(&t->then), t->then.upper);
	if (!isnan(r->as_is))
		fprintf(out,
			"What if: a cost of %.4g ms/s in place of %.4g, the best plan for the VMs "
			"and memory there are\n",
			r->c->plan->cost, r->as_is);
}

/* How far from the best it may be. */
static void put_proof(FILE *out, const struct plan *p)
{
	char granule[SIZE_TEXT];

	size__format(p->granule, granule);
	if (p->by_hulls)
		fprintf(out,
			"By convex hulls: a cost of %.4g ms/s, within %.2g %% of what no plan can "
			"be below (%.4g)\n",
			p->cost, percent_above(p->cost, p->bound), p->bound);
	else if (p->greedy > p->cost)
		fprintf(out,
			"Exact at %s: a cost of %.4g ms/s, no plan at any granule is below %.4g; "
			"by convex hulls %.2g %% more\n",
			granule, p->cost, p->bound, percent_above(p->greedy, p->cost));
	else
		fprintf(out,
			"Exact at %s: a cost of %.4g ms/s, no plan at any granule is below %.4g; "
			"by convex hulls the same\n",
			granule, p->cost, p->bound);
}

void plan_show__table(FILE *out, const struct plan_rows *r)
{
	put_rows(out, r);
	fputc('\n', out);
	plan_groups__table(out, r->c);
	for (size_t i = 0; i < r->c->vms->nr_hosts; i++)
		if (!r->c->vms->hosts[i].gone)
			put_host(out, r, i);
	put_totals(out, r);
	put_proof(out, r->c->plan);
}

/* --- JSON --- */

static void put_number(FILE *out, const char *key, double v)
{
	if (isfinite(v))
		fprintf(out, ",\"%s\":%.10g", key, v);
	else
		fprintf(out, ",\"%s\":null", key);
}

static void json_name(FILE *out, const char *key, const char *name)
{
	fprintf(out, ",\"%s\":", key);
	if (name)
		export__json_string(out, name);
	else
		fputs("null", out);
}

static void json_row(FILE *out, const struct plan_case *c, const struct plan_row *row)
{
	const struct plan_seat *s = row->seat;

	fputs("{\"type\":\"plan_vm\"", out);
	columns__json(out, columns, NR_COLUMNS, s->vm->name, row);
	fputs(",\"host\":", out);
	export__json_string(out, c->vms->hosts[s->vm->host].name);
	fprintf(out, ",\"space\":\"%s\",\"least_why\":\"%s\",\"known\":%s,\"new\":%s",
		page_space__name(s->vm->space), plan_least__name(s->why),
		row->then.known ? "true" : "false", s->vm->fresh ? "true" : "false");
	json_name(out, "from", s->vm->moved ? c->vms->hosts[s->vm->from].name : NULL);
	json_name(out, "group", plan_groups__name_of(c, s));
	fputs("}\n", out);
}

static void json_hosts(FILE *out, const struct plan_rows *r)
{
	const struct plan_vms *v = r->c->vms;
	const char *comma = "";

	fputs(",\"hosts\":[", out);
	for (size_t i = 0; i < v->nr_hosts; i++) {
		__u64 memory = plan_vms__memory(v, i), given = given_to(r, i);

		if (v->hosts[i].gone)
			continue;
		fprintf(out, "%s{\"host\":", comma);
		comma = ",";
		export__json_string(out, v->hosts[i].name);
		fprintf(out,
			",\"vms\":%zu,\"memory_bytes\":%llu,\"given_bytes\":%llu,"
			"\"spare_bytes\":%llu}",
			vms_of(r, i), memory * PAGE_BYTES, given * PAGE_BYTES,
			(memory - given) * PAGE_BYTES);
	}
	fputc(']', out);
}

void plan_show__json(FILE *out, const struct plan_rows *r)
{
	const struct plan *p = r->c->plan;
	const struct plan_totals *t = &r->totals;

	for (size_t i = 0; i < r->n; i++)
		json_row(out, r->c, &r->rows[i]);
	plan_groups__json(out, r->c);
	fprintf(out, "{\"type\":\"plan\",\"granule_bytes\":%llu,\"by_hulls\":%s",
		p->granule * PAGE_BYTES, p->by_hulls ? "true" : "false");
	put_number(out, "cost", p->cost);
	put_number(out, "cost_by_hulls", p->greedy);
	put_number(out, "cost_bound", p->bound);
	put_number(out, "cost_as_is", r->as_is);
	put_number(out, "lost_now_ms_per_s", t->now);
	put_number(out, "lost_ms_per_s", t->then.guess);
	put_number(out, "lost_lower_ms_per_s", t->then.lower);
	put_number(out, "lost_upper_ms_per_s", t->then.upper);
	put_number(out, "misses_now_per_s", t->misses_now);
	put_number(out, "misses_per_s", t->misses);
	json_hosts(out, r);
	fputs("}\n", out);
}

void plan_show__clashes(FILE *out, const struct plan_case *c)
{
	char text[PLAN_CLASH];

	if (c->refusal[0]) {
		fputs("{\"type\":\"refusal\",\"text\":", out);
		export__json_string(out, c->refusal);
		fputs("}\n", out);
	}
	for (size_t i = 0; i < c->plan->nr_clashes; i++) {
		const struct plan_clash *clash = &c->plan->clashes[i];

		plan_case__tell_clash(c, clash, text);
		fputs("{\"type\":\"clash\",\"of\":", out);
		export__json_string(out, c->names[clash->node]);
		fprintf(out,
			",\"needs_bytes\":%llu,\"most_bytes\":%llu,\"short_bytes\":%llu,\"text\":",
			clash->needs * PAGE_BYTES, clash->most * PAGE_BYTES,
			(clash->needs - clash->most) * PAGE_BYTES);
		export__json_string(out, text);
		fputs("}\n", out);
	}
}

/* --- CSV --- */

/* The host, as text, comes first. */
void plan_show__csv(FILE *out, const struct plan_rows *r)
{
	fputs("host,", out);
	columns__csv_head(out, columns, NR_COLUMNS);
	for (size_t i = 0; i < r->n; i++) {
		const struct plan_row *row = &r->rows[i];

		export__csv_field(out, r->c->vms->hosts[row->seat->vm->host].name);
		fputc(',', out);
		columns__csv_row(out, columns, NR_COLUMNS, row->seat->vm->name, row);
	}
}
