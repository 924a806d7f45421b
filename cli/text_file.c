// SPDX-License-Identifier: GPL-2.0
#include "text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int read_all(int fd, char *text, size_t room, size_t *len)
{
	for (*len = 0; *len < room;) {
		ssize_t n = read(fd, text + *len, room - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return 0;
		*len += n;
	}
	return -EFBIG;
}

int text_file__read(const char *path, size_t max, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	*text = NULL;
	if (fd < 0)
		return -errno;
	*text = malloc(max + 1);
	err = *text ? read_all(fd, *text, max + 1, len) : -ENOMEM;
	close(fd);
	if (!err) {
		(*text)[*len] = '\0';
		return 0;
	}
	free(*text);
	*text = NULL;
	return err;
}
