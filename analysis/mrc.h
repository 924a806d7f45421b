/* SPDX-License-Identifier: GPL-2.0 */
/* Of the miss curves of hvanalysis.h, what others in analysis/ need. */
#ifndef ANALYSIS_MRC_H
#define ANALYSIS_MRC_H

#include "curve.h"
#include "hvanalysis.h"

/* What the curve is made of, at the sizes in out: sums of which differences can be taken. -ENOMEM.
 */
int mrc__sums(const struct mrc *m, struct curve_sums *out);

#endif
