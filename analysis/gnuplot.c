// SPDX-License-Identifier: GPL-2.0
#include "gnuplot.h"
#include "size.h"
#include "utf8.h"

/* Within double quotes of gnuplot, and then in XML: what neither can hold becomes a blank. A
 * backquote would run what it encloses as a command. */
void gnuplot__string(FILE *out, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;

	fputc('"', out);
	while (*s) {
		int n = utf8__length(s);

		if (!n || *s < ' ' || *s == 0x7f || *s == '`')
			fputc(' ', out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else
			fwrite(s, 1, n, out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

static double mib(__u64 pages)
{
	return pages * 4 / 1024.0;
}

/* --- what belongs into one graph --- */

struct graph {
	const struct plot_opts *opts;
	const struct plot_curve *curves;
	size_t n;
	enum page_space space;
};

/* There is no 0 on a logarithmic scale. */
static bool drawn(const struct graph *g, const struct curve_point *p)
{
	return p->size || !g->opts->log;
}

static size_t drawn_points(const struct graph *g, const struct plot_curve *c)
{
	size_t n = 0;

	for (size_t i = 0; c->space == g->space && i < c->n; i++)
		n += drawn(g, &c->points[i]);
	return n;
}

static size_t drawn_curves(const struct graph *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += drawn_points(g, &g->curves[i]) > 0;
	return n;
}

static void extent(const struct graph *g, __u64 *min, __u64 *max)
{
	*min = ~0ULL;
	*max = 0;
	for (size_t i = 0; i < g->n; i++) {
		const struct plot_curve *c = &g->curves[i];

		for (size_t k = 0; c->space == g->space && k < c->n; k++) {
			if (!drawn(g, &c->points[k]))
				continue;
			if (c->points[k].size < *min)
				*min = c->points[k].size;
			if (c->points[k].size > *max)
				*max = c->points[k].size;
		}
	}
}

static bool all_added(const struct graph *g)
{
	bool added = true;

	for (size_t i = 0; i < g->n; i++)
		added &= g->curves[i].added || !drawn_points(g, &g->curves[i]);
	return added;
}

/* --- the axis of sizes: round ones, in bytes --- */

#define MAX_TICS 8

static void put_tic(FILE *out, __u64 size, bool first)
{
	char text[SIZE_TEXT];

	fprintf(out, "%s\"%s\" %.10g", first ? "" : ", ", size__format(size, text), mib(size));
}

static void put_even_tics(FILE *out, __u64 max)
{
	__u64 step = 1;

	while (max / step > MAX_TICS)
		step *= 2;
	for (__u64 i = 0; i <= max / step; i++)
		put_tic(out, i * step, !i);
}

static void put_log_tics(FILE *out, __u64 min, __u64 max)
{
	int from = 63 - __builtin_clzll(min), to = 63 - __builtin_clzll(max), step = 1;

	while ((to - from) / step > MAX_TICS)
		step++;
	for (int i = from; i <= to; i += step)
		put_tic(out, 1ULL << i, i == from);
}

static void put_axis(FILE *out, const struct graph *g)
{
	__u64 min, max;

	extent(g, &min, &max);
	fprintf(out, "\nset xlabel \"%s\"\nset ylabel \"%s\"\nset xtics (",
		all_added(g) ? "memory added" : "memory",
		all_added(g) ? "misses / accesses of today" : "misses / accesses");
	if (g->opts->log)
		put_log_tics(out, min, max);
	else
		put_even_tics(out, max);
	/* A curve of one size is a dot in the middle of something. */
	if (min == max)
		max = min + 1;
	fprintf(out, ")\nset xrange [%.10g:%.10g]\n%s logscale x\n", g->opts->log ? mib(min) : 0,
		mib(max), g->opts->log ? "set" : "unset");
}

/* --- data and curves --- */

static void put_data(FILE *out, const struct graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct plot_curve *c = &g->curves[i];

		if (!drawn_points(g, c))
			continue;
		fprintf(out, "\n# MiB, miss ratio, error\n$curve%zu << END\n", i);
		for (size_t k = 0; k < c->n; k++)
			if (drawn(g, &c->points[k]))
				fprintf(out, "%.10g %.6g %.6g\n", mib(c->points[k].size),
					curve_point__ratio(&c->points[k]), c->points[k].error);
		fputs("END\n", out);
	}
}

static void put_title(FILE *out, const struct graph *g, bool alone)
{
	const char *what = g->space == SPACE_MEM ? "memory paged out by the host" : "disk pages";

	fputs("\nset title ", out);
	if (g->opts->title && alone)
		gnuplot__string(out, g->opts->title);
	else
		fprintf(out, "\"Miss curves: %s\"", what);
	fputs(" noenhanced", out);
}

#define COLORS 6
#define STYLES (3 * COLORS)

static void put_styles(FILE *out)
{
	/* Okabe and Ito's, which the colour-blind can tell apart. */
	static const char *const colors[COLORS] = {"0072b2", "d55e00", "009e73",
						   "cc79a7", "e69f00", "56b4e9"};

	for (int i = 0; i < STYLES; i++)
		fprintf(out, "set style line %d linecolor \"#%s\" linewidth 2 dashtype %d\n", i + 1,
			colors[i % COLORS], i / COLORS + 1);
}

static void put_curves(FILE *out, const struct graph *g)
{
	const char *sep = "\nplot";
	int style = 1;

	for (size_t i = 0; i < g->n; i++) {
		if (!drawn_points(g, &g->curves[i]))
			continue;
		fprintf(out,
			"%s $curve%zu using 1:(low($2-$3)):(high($2+$3)) with filledcurves "
			"fillstyle transparent solid 0.2 noborder linestyle %d notitle, \\\n"
			"     $curve%zu using 1:2 with lines linestyle %d title ",
			sep, i, style, i, style);
		gnuplot__string(out, g->curves[i].name);
		fputs(" noenhanced", out);
		sep = ", \\\n    ";
		style = style % STYLES + 1;
	}
	fputc('\n', out);
}

static void put_head(FILE *out, const struct plot_opts *opts, int graphs)
{
	fputs("# SPDX-License-Identifier: GPL-2.0\n"
	      "# Misses by memory. The bands are the error: unseen evictions and 95 % of "
	      "sampling.\n"
	      "set encoding utf8\n",
	      out);
	fprintf(out, "set terminal %s size %d,540 font \"sans-serif,%d\" background \"white\"\n",
		opts->png ? "pngcairo" : "svg", graphs > 1 ? 1500 : 900, opts->png ? 11 : 14);
	if (opts->output) {
		fputs("set output ", out);
		gnuplot__string(out, opts->output);
	}
	fputs("\nset border 3 linecolor \"#606060\"\n"
	      "set tics nomirror out\n"
	      "set grid linecolor \"#d8d8d8\" linetype 1 linewidth 1\n"
	      "set key top right noenhanced\n"
	      "set yrange [0:1.02]\n"
	      "low(x) = x < 0 ? 0 : x\n"
	      "high(x) = x > 1 ? 1 : x\n",
	      out);
	put_styles(out);
}

void gnuplot__write(FILE *out, const struct plot_opts *opts, const struct plot_curve *curves,
		    size_t n)
{
	struct graph g[PAGE_SPACES];
	int graphs = 0;

	for (int s = 0; s < PAGE_SPACES; s++) {
		g[graphs] = (struct graph){.opts = opts, .curves = curves, .n = n, .space = s};
		graphs += drawn_curves(&g[graphs]) > 0;
	}
	put_head(out, opts, graphs);
	for (int i = 0; i < graphs; i++)
		put_data(out, &g[i]);
	if (graphs > 1) {
		fprintf(out, "\nset multiplot layout 1,%d", graphs);
		if (opts->title) {
			fputs(" title ", out);
			gnuplot__string(out, opts->title);
			fputs(" noenhanced", out);
		}
	}
	for (int i = 0; i < graphs; i++) {
		put_axis(out, &g[i]);
		put_title(out, &g[i], graphs == 1);
		put_curves(out, &g[i]);
	}
	if (graphs > 1)
		fputs("unset multiplot\n", out);
	if (!graphs)
		fputs("\nset title \"Miss curves: nothing seen\"\nplot 2 notitle\n", out);
}
