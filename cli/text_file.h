/* SPDX-License-Identifier: GPL-2.0 */
/* Small files, whole. */
#ifndef HVTRACE_TEXT_FILE_H
#define HVTRACE_TEXT_FILE_H

#include <stddef.h>

/* All of a file of at most `max` bytes, with a NUL behind; the caller frees it. -EFBIG, -ENOMEM,
 * -errno. */
int text_file__read(const char *path, size_t max, char **text, size_t *len);

#endif
