/* SPDX-License-Identifier: GPL-2.0 */
/* A whole text at once. */
#ifndef HVTRACE_TEXT_FILE_H
#define HVTRACE_TEXT_FILE_H

#include <stddef.h>

/* All of a file ("-": standard input), with a NUL after it, to be freed with free(). -EFBIG: it has
 * more than max bytes; other -errno. */
int text_file__read(const char *path, size_t max, char **text, size_t *len);

#endif
