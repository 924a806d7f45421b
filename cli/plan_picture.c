// SPDX-License-Identifier: GPL-2.0
/* Before and after, VM by VM: memory above, lost time below. */
#include <math.h>

#include "../analysis/gnuplot.h"
#include "plan_show.h"

static double gib(double pages)
{
	return pages * PAGE_BYTES / 1073741824.0;
}

/* A column of the data; what is not known leaves no bar. */
static void put_value(FILE *out, double v)
{
	if (isfinite(v))
		fprintf(out, " %.10g", v);
	else
		fputs(" NaN", out);
}

/* name, memory now and then, lost time now, then, and its ends. */
static void put_data(FILE *out, const struct plan_rows *r)
{
	fputs("$vms << END\n", out);
	for (size_t i = 0; i < r->n; i++) {
		const struct plan_row *row = &r->rows[i];

		gnuplot__string(out, row->seat->vm->name);
		put_value(out, row->seat->has_now ? gib(row->seat->now) : NAN);
		put_value(out, gib(row->size));
		put_value(out, row->now.lost.guess);
		put_value(out, row->then.lost.guess);
		put_value(out, row->then.lost.lower);
		put_value(out, row->then.lost.upper);
		fputc('\n', out);
	}
	fputs("END\n", out);
}

static void put_head(FILE *out, const struct plan_rows *r, bool png)
{
	size_t width = 400 + 60 * r->n;

	fprintf(out,
		"# SPDX-License-Identifier: GPL-2.0\n"
		"# A plan of memory. The marks are what the lost time lies between.\n"
		"set encoding utf8\n"
		"set terminal %s size %zu,760 font \"sans-serif,%d\" background \"white\"\n",
		png ? "pngcairo" : "svg",
		width < 900	? 900
		: width > 16000 ? 16000
				: width,
		png ? 11 : 14);
	fputs("set border 3 linecolor \"#606060\"\n"
	      "set tics nomirror out\n"
	      "set grid ytics linecolor \"#d8d8d8\" linetype 1 linewidth 1\n"
	      "set key above right horizontal noenhanced\n"
	      "set pointintervalbox 0\n"
	      "set style fill solid 0.85 noborder\n"
	      "set boxwidth 0.38\n"
	      "set yrange [0:*]\n"
	      "set offsets 0.6, 0.6, 0, 0\n"
	      "set xtics rotate by -30 noenhanced\n",
	      out);
}

void plan_picture__write(FILE *out, const struct plan_rows *r, bool png)
{
	put_head(out, r, png);
	put_data(out, r);
	fputs("set multiplot layout 2,1\n"
	      "set ylabel \"memory (GiB)\"\n"
	      "plot $vms using ($0-0.2):2 with boxes linecolor \"#a0a0a0\" title \"now\", \\\n"
	      "     $vms using ($0+0.2):3 with boxes linecolor \"#1f77b4\" "
	      "title \"planned\", \\\n"
	      "     $vms using 0:(0):xtic(1) with points pointtype -1 notitle\n"
	      "set ylabel \"lost to misses (ms/s)\"\n"
	      "plot $vms using ($0-0.2):4 with boxes linecolor \"#a0a0a0\" title \"now\", \\\n"
	      "     $vms using ($0+0.2):5 with boxes linecolor \"#d62728\" "
	      "title \"planned\", \\\n"
	      "     $vms using ($0+0.2):5:6:7 with yerrorbars pointtype -1 linecolor \"#202020\" "
	      "notitle, \\\n"
	      "     $vms using 0:(0):xtic(1) with points pointtype -1 notitle\n"
	      "unset multiplot\n",
	      out);
}
