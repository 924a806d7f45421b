/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Curves of the recent past, without what they were made of: sums are taken every sixteenth of a
 * window, and a window's sums are what has been added since its begin. Distances are those of the
 * whole stream; only the accesses that count are recent.
 *
 * Here for whoever has sums: what hvanalysis.h has for struct mrc is made of these.
 */
#ifndef ANALYSIS_CURVE_WINDOW_H
#define ANALYSIS_CURVE_WINDOW_H

#include "curve.h"

/* Steps of a window, or of a half-life. */
#define CURVE_WINDOW_STEPS 16

/* To be filled with the sums at present: then one of the two below. */
struct curve_sums *curve_window__present(struct curve_window *w);
/* They are the sums as of `now`. -ENOMEM: this step is left out. */
int curve_window__push(struct curve_window *w, __u64 now);
/* The curve as of `now`: out has room for as many points as there are sizes. */
void curve_window__points(struct curve_window *w, __u64 now, struct curve_point *out);

#endif
