// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>

#include "../analysis/export.h"
#include "../analysis/size.h"
#include "findings.h"

static const double one_and_five[] = {0.01, 0.05};
const struct wss_list wss_defaults = {one_and_five, 2};

static __u64 size_or_none(const struct curve_point *curve, size_t n, double ratio)
{
	__u64 size;

	return curve__working_set(curve, n, ratio, &size) ? ~0ULL : size;
}

/* All points moved by so many times their error. */
static void shift(struct curve_point *to, const struct curve_point *from, size_t n, double times)
{
	for (size_t i = 0; i < n; i++) {
		to[i] = from[i];
		to[i].misses += times * from[i].error * from[i].accesses;
	}
}

int findings__working_set(const struct curve_point *curve, size_t n, double ratio,
			  struct working_set *out)
{
	struct curve_point *bound = calloc(n + 1, sizeof(*bound));

	if (!bound)
		return -ENOMEM;
	out->size = size_or_none(curve, n, ratio);
	shift(bound, curve, n, -1);
	out->low = size_or_none(bound, n, ratio);
	shift(bound, curve, n, 1);
	out->high = size_or_none(bound, n, ratio);
	free(bound);
	return 0;
}

/* --- text --- */

static const char *size_text(__u64 size, char buf[SIZE_TEXT])
{
	return size == ~0ULL ? "more" : size__format(size, buf);
}

static void print_working_set(FILE *out, const struct space_report *s, double ratio,
			      const struct working_set *w)
{
	char size[SIZE_TEXT], low[SIZE_TEXT], high[SIZE_TEXT];
	const struct curve_point *last = &s->curve[s->nr_points - 1];

	fprintf(out,
		"  %s for a miss ratio of %g: ", s->order[0] == 'e' ? "memory to add" : "memory",
		ratio);
	if (w->size == ~0ULL)
		fprintf(out, "none is enough, with %s it is %.4f", size__format(last->size, size),
			curve_point__ratio(last));
	else
		fputs(size__format(w->size, size), out);
	if (w->low != w->high)
		fprintf(out, " (%s to %s)", size_text(w->low, low), size_text(w->high, high));
	fputc('\n', out);
}

static void print_ratio(FILE *out, const struct curve_point *p)
{
	fprintf(out, "%.4f", curve_point__ratio(p));
	if (p->error > 0)
		fprintf(out, " +/- %.4f", p->error);
}

static void print_knee(FILE *out, const struct space_report *s)
{
	char size[SIZE_TEXT];
	size_t at;

	if (curve__knee(s->curve, s->nr_points, &at)) {
		fputs("  knee: none\n", out);
		return;
	}
	fprintf(out, "  knee: %s, miss ratio ", size__format(s->curve[at].size, size));
	print_ratio(out, &s->curve[at]);
	fputc('\n', out);
}

/* A curve ends where only the first reference to each page misses. */
int findings__print(FILE *out, const struct space_report *s, const struct wss_list *wss)
{
	if (!s->nr_points)
		return 0;
	fputc('\n', out);
	for (size_t i = 0; i < wss->n; i++) {
		struct working_set w;
		int err = findings__working_set(s->curve, s->nr_points, wss->ratios[i], &w);

		if (err)
			return err;
		print_working_set(out, s, wss->ratios[i], &w);
	}
	print_knee(out, s);
	fputs("  compulsory misses (pages seen for the first time): ", out);
	print_ratio(out, &s->curve[s->nr_points - 1]);
	fputs(" of the accesses\n", out);
	return 0;
}

/* --- JSON --- */

static void json_head(FILE *out, const char *type, const char *vm, enum page_space space,
		      const struct space_report *s)
{
	fprintf(out, "{\"type\":\"%s\",\"vm\":", type);
	export__json_string(out, vm);
	fprintf(out, ",\"space\":\"%s\",\"order\":\"%s\"", page_space__name(space), s->order);
	past__json(out, &s->past);
}

static void json_size(FILE *out, const char *name, __u64 size)
{
	if (size == ~0ULL)
		fprintf(out, ",\"%s\":null", name);
	else
		fprintf(out, ",\"%s\":%llu", name, size);
}

static void json_ratio(FILE *out, const struct curve_point *p)
{
	fprintf(out, ",\"miss_ratio\":%.6g,\"error\":%.6g}\n", curve_point__ratio(p), p->error);
}

static void json_knee(FILE *out, const char *vm, enum page_space space,
		      const struct space_report *s)
{
	size_t at;

	json_head(out, "knee", vm, space, s);
	if (curve__knee(s->curve, s->nr_points, &at)) {
		fputs(",\"size_pages\":null}\n", out);
		return;
	}
	json_size(out, "size_pages", s->curve[at].size);
	json_ratio(out, &s->curve[at]);
}

static int json_working_set(FILE *out, const char *vm, enum page_space space,
			    const struct space_report *s, double ratio)
{
	struct working_set w;
	int err = findings__working_set(s->curve, s->nr_points, ratio, &w);

	if (err)
		return err;
	json_head(out, "wss", vm, space, s);
	fprintf(out, ",\"miss_ratio\":%g", ratio);
	json_size(out, "size_pages", w.size);
	json_size(out, "low_pages", w.low);
	json_size(out, "high_pages", w.high);
	fputs("}\n", out);
	return 0;
}

static int json_space(FILE *out, const char *vm, enum page_space space,
		      const struct space_report *s, const struct wss_list *wss)
{
	if (!s->nr_points)
		return 0;
	for (size_t i = 0; i < wss->n; i++) {
		int err = json_working_set(out, vm, space, s, wss->ratios[i]);

		if (err)
			return err;
	}
	json_knee(out, vm, space, s);
	json_head(out, "compulsory", vm, space, s);
	json_ratio(out, &s->curve[s->nr_points - 1]);
	return 0;
}

int findings__json(FILE *out, const struct vm_report *r, const struct wss_list *wss)
{
	int err = 0;

	for (int space = 0; space < PAGE_SPACES && !err; space++)
		err = json_space(out, r->name, space, &r->space[space], wss);
	return err;
}
