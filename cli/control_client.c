// SPDX-License-Identifier: GPL-2.0
#include "control_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cache/unix_socket.h"
#include "control.h"

static bool is_socket(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISSOCK(st.st_mode);
}

static int cannot_connect(const char *path, int err, char *why, size_t size)
{
	const char *fix = "";

	if (err == -ENOENT)
		fix = "; is there a 'hvtrace serve --control' (or live) with that path?";
	else if (err == -ECONNREFUSED && !is_socket(path))
		fix = ": that is no socket; give the one of 'hvtrace serve --control'";
	else if (err == -ECONNREFUSED)
		fix = ": nobody listens there any more; start 'hvtrace serve' again";
	else if (err == -EACCES)
		fix = "; ask as root or as the server's user";
	snprintf(why, size, "cannot connect to '%s': %s%s", path, strerror(-err), fix);
	return err;
}

static int send_line(int fd, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	int err = text ? 0 : -ENOMEM;

	if (!err && len >= CONTROL_LINE)
		err = -EMSGSIZE;
	if (text)
		text[len] = '\n'; /* for the NUL */
	for (size_t done = 0; !err && done <= len;) {
		ssize_t n = send(fd, text + done, len + 1 - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			err = -errno;
		done += n > 0 ? n : 0;
	}
	free(text);
	/* The server may have answered, and closed, before it read. */
	return err == -EPIPE || err == -ECONNRESET ? 0 : err;
}

static int converse(const char *path, int fd, const json_t *request, json_t **answer, char *why,
		    size_t size)
{
	json_error_t error;
	int err = send_line(fd, request);
	FILE *in;

	if (err) {
		snprintf(why, size, "cannot ask '%s': %s", path, strerror(-err));
		return err;
	}
	in = fdopen(dup(fd), "r");
	if (!in) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	*answer = json_loadf(in, JSON_DISABLE_EOF_CHECK, &error);
	fclose(in);
	if (*answer)
		return 0;
	snprintf(why, size, "no answer from '%s': the server ended, or is no hvtrace", path);
	return -EPROTO;
}

int control_client__ask(const char *path, const json_t *request, json_t **answer, char *why,
			size_t size)
{
	int fd = unix_socket__connect(path), err;

	*answer = NULL;
	if (fd < 0)
		return cannot_connect(path, fd, why, size);
	err = converse(path, fd, request, answer, why, size);
	close(fd);
	return err;
}

const char *control_client__error(const json_t *answer)
{
	return json_string_value(json_object_get(answer, "error"));
}
