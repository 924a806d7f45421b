// SPDX-License-Identifier: GPL-2.0
#include "line_server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../cache/unix_socket.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static bool readable(struct line_server *s, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (!s->ends)
		if (poll(&p, 1, 20) > 0)
			return true;
	return false;
}

static bool say(int fd, const char *text)
{
	size_t len = strlen(text);

	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void converse(struct line_server *s, int fd)
{
	char line[65536];
	size_t len = 0;

	if (s->greeting && !say(fd, s->greeting))
		return;
	while (s->reply && readable(s, fd)) {
		const char *answer;

		if (recv(fd, line + len, 1, 0) != 1)
			return;
		if (line[len] != '\n') {
			len++;
			continue;
		}
		line[len] = '\0';
		len = 0;
		answer = s->reply(s->ctx, line);
		if (!answer || !say(fd, answer))
			return;
	}
}

static void *serve(void *ctx)
{
	struct line_server *s = ctx;

	while (readable(s, s->fd)) {
		int fd = accept(s->fd, NULL, NULL);

		if (fd < 0)
			continue;
		converse(s, fd);
		close(fd);
	}
	return NULL;
}

void line_server__start(struct line_server *s)
{
	struct listener l;
	char why[256];

	strcpy(s->folder, "/tmp/hvtrace-lines.XXXXXX");
	must(mkdtemp(s->folder), "mkdtemp");
	snprintf(s->path, sizeof(s->path), "%s/socket", s->folder);
	must(!listener__open(&l, s->path, why, sizeof(why)), why);
	s->fd = l.fd;
	s->ends = false;
	must(!pthread_create(&s->thread, NULL, serve, s), "pthread_create");
}

void line_server__stop(struct line_server *s)
{
	s->ends = true;
	pthread_join(s->thread, NULL);
	close(s->fd);
	unlink(s->path);
	rmdir(s->folder);
}
