/* SPDX-License-Identifier: GPL-2.0 */
/* A picture that gnuplot draws: a .svg or .png file, or SVG to standard output. */
#ifndef HVTRACE_PICTURE_H
#define HVTRACE_PICTURE_H

#include <stdbool.h>
#include <stdio.h>

/* "-" or a file that ends in .svg or .png. */
bool picture__can_be(const char *output);
bool picture__is_png(const char *output);

/* Have it drawn: `write` is to write gnuplot's script. What fails leaves an older picture as it is.
 * An exit status, after a line if it is not CLI_DONE. */
int picture__draw(const char *output, void (*write)(FILE *script, void *ctx), void *ctx);

#endif
