/* SPDX-License-Identifier: GPL-2.0 */
/* Histograms and curves drawn on a terminal, at most 78 columns wide. */
#ifndef HVTRACE_CHART_H
#define HVTRACE_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "report.h"

/* The locale's character set is UTF-8. setlocale(LC_CTYPE, "") must have been called; LC_NUMERIC
 * must stay "C", or CSV and JSON get decimal commas. */
bool chart__utf8(void);

/* The histogram known from bcc. counts[b] is of 2^b to 2^(b+1) - 1, counts[0] of 0 and 1;
 * title heads the first column ("distance (pages)", "usecs"). Nothing counted: one line says so. */
void chart__log2(FILE *out, const char *title, const __u64 *counts, size_t n);
/* Reuse distances of one space in pages, with the cold and unseen fills named below. */
void chart__reuse(FILE *out, const struct space_report *space);
/* struct vm_counters.latency[op] in microseconds. */
void chart__latency(FILE *out, const __u64 latency[PE_LATENCY_BUCKETS]);

/* A miss curve of n points in ascending sizes, 17 rows of braille dots or, without utf8, of
 * ASCII, below a caption. The error band is hinted: lightly dotted around the line, or by ':'. */
void chart__curve(FILE *out, const char *caption, const struct curve_point *points, size_t n,
		  bool utf8);

#endif
