/* SPDX-License-Identifier: GPL-2.0 */
/* Miss curves as a gnuplot script that holds its own data: no file name or VM name can break it. */
#ifndef HVTRACE_GNUPLOT_H
#define HVTRACE_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "../bpf/page_event.h"
#include "hvanalysis.h"

struct plot_curve {
	const char *name;
	enum page_space space;
	bool added; /* sizes are memory added to a VM's own */
	const struct curve_point *points;
	size_t n;
};

struct plot_opts {
	const char *output; /* the picture's file; NULL: gnuplot's stdout */
	const char *title;  /* NULL: what the curves are of */
	bool png;	    /* else SVG */
	bool log;	    /* sizes on a logarithmic scale, from 1 page */
};

/* The curves of each space in a graph of their own, side by side. Not flushed. */
void gnuplot__write(FILE *out, const struct plot_opts *opts, const struct plot_curve *curves,
		    size_t n);

/* A string within double quotes, as it can go into a script and then a picture. */
void gnuplot__string(FILE *out, const char *str);

#endif
