/* SPDX-License-Identifier: GPL-2.0 */
/* Names may hold any bytes; what is written for others to read must not. */
#ifndef HVTRACE_UTF8_H
#define HVTRACE_UTF8_H

#include <stdbool.h>

/* Length of the UTF-8 sequence at s, 0 if it is none (RFC 3629: no overlong ones, no surrogates,
 * nothing above U+10FFFF). */
int utf8__length(const unsigned char *s);
/* Fit for terminals, logs and labels: one line of characters. */
bool utf8__is_line(const char *s);

#endif
