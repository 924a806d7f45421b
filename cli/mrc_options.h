/* SPDX-License-Identifier: GPL-2.0 */
/* The options of hvtrace mrc, and which of them go together. */
#ifndef HVTRACE_MRC_OPTIONS_H
#define HVTRACE_MRC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "../analysis/hvanalysis.h"
#include "../analysis/span.h"
#include "findings.h"

enum mrc_order { ORDER_ANY, ORDER_EVICTION, ORDER_ACCESS };

struct mrc_options {
	char **paths; /* of the command line */
	size_t nr_paths;
	const char *format; /* NULL: by content */
	const char *csv;    /* NULL: none */
	enum mrc_order order;

	bool exact;	   /* said so */
	double rate;	   /* 0: not given */
	__u64 max_sampled; /* 0: not given */
	__u64 seed;
	bool has_seed;
	double detail;

	bool policies[POLICIES];
	size_t nr_policies;

	__u64 *sizes; /* NULL: not given */
	size_t nr_sizes;
	__u64 points; /* 0: not given */
	bool linear;
	struct past past;  /* all: not given */
	struct span every; /* n 0: not given */
	double *wss;	   /* NULL: not given */
	size_t nr_wss;

	__u64 max_pages; /* 0: not given */
	bool json, dump, skip_bad, quiet;
};

/* 0; -1: help was asked for and printed; else an exit status after a line that says what is
 * wrong. */
int mrc_options__parse(struct mrc_options *o, int argc, char **argv);
void mrc_options__free(struct mrc_options *o);

/* What only shows when a trace is opened: 0, or CLI_USAGE after a line. */
int mrc_options__fit_recording(const struct mrc_options *o, const char *path);
int mrc_options__fit_trace(const struct mrc_options *o, const char *path, const char *format);
/* Of a trace without times. */
int mrc_options__fit_untimed(const struct mrc_options *o, const char *path, const char *format);

/* A part of the past, or intervals, were asked for. */
bool mrc_options__in_time(const struct mrc_options *o);
/* Not every page is followed. */
bool mrc_options__sampled(const struct mrc_options *o);
/* The sizes asked for of a curve that is flat from max on, or else at most `room` good ones: n of
 * them, which the caller frees. NULL: out of memory. */
__u64 *mrc_options__sizes(const struct mrc_options *o, __u64 max, size_t room, size_t *n);
/* The miss ratios to find working sets at. */
struct wss_list mrc_options__wss(const struct mrc_options *o);
/* Sizes were asked for. */
bool mrc_options__has_sizes(const struct mrc_options *o);

#endif
