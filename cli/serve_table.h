/* SPDX-License-Identifier: GPL-2.0 */
/* The table of hvtrace serve: a line a disk over an interval. */
#ifndef HVTRACE_SERVE_TABLE_H
#define HVTRACE_SERVE_TABLE_H

#include <stdio.h>

#include "served.h"

#define SERVE_TABLE_WIDTH 99

void serve_table__head(FILE *out);
/* Of the interval of so many seconds that ends now. */
void serve_table__row(FILE *out, const struct served *d, double seconds);
/* The same as members of a JSON object, each with a comma ahead. */
void serve_table__json(FILE *out, const struct served *d, double seconds);

#endif
