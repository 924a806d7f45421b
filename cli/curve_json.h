/* SPDX-License-Identifier: GPL-2.0 */
/* Curves in answers on a control socket. */
#ifndef HVTRACE_CURVE_JSON_H
#define HVTRACE_CURVE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "../analysis/report.h"

/* {"vm","space","order","columns","points","accesses_per_s"}; the last null if NAN. NULL: out
 * of memory. */
json_t *curve_json__new(const char *vm, enum page_space space, const struct space_report *r,
			double accesses_per_s);
/* What is not known (NAN) is null. */
json_t *curve_json__figure(double v);

/* "sizes" of a request: an array of n, to be freed; NULL if there are none. false: they are no
 * list of sizes, or memory is short. */
bool curve_json__sizes(const json_t *request, __u64 **sizes, size_t *n);

#endif
