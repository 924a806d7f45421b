// SPDX-License-Identifier: GPL-2.0
#include "text_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM (64UL << 10)

/* Twice the room; on failure the old one is gone. */
static char *grow(char *text, size_t *room)
{
	char *more = realloc(text, 2 * *room);

	if (!more)
		free(text);
	*room *= 2;
	return more;
}

static int read_stream(FILE *in, size_t max, char **text, size_t *len)
{
	size_t room = FIRST_ROOM, got;

	*len = 0;
	*text = malloc(room);
	while (*text && (got = fread(*text + *len, 1, room - 1 - *len, in)) > 0) {
		*len += got;
		if (*len > max)
			return -EFBIG;
		if (*len + 1 == room)
			*text = grow(*text, &room);
	}
	if (!*text)
		return -ENOMEM;
	(*text)[*len] = '\0';
	return ferror(in) ? -errno : 0;
}

int text_file__read(const char *path, size_t max, char **text, size_t *len)
{
	FILE *in = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int err;

	*text = NULL;
	if (!in)
		return -errno;
	err = read_stream(in, max, text, len);
	if (in != stdin)
		fclose(in);
	if (err) {
		free(*text);
		*text = NULL;
	}
	return err;
}
