// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "channel.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cache/unix_socket.h"
#include "cli.h"

struct channel {
	struct channel_opts opts;
	int fd;
	char *buf; /* len bytes that came, of which no line before `searched` ends */
	size_t len, room, searched;
};

int channel__adopt(struct channel **out, const struct channel_opts *o, int fd)
{
	struct channel *c = calloc(1, sizeof(*c));

	*out = c;
	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->opts = *o;
	c->fd = fd;
	return 0;
}

int channel__open(struct channel **out, const struct channel_opts *o, const char *path,
		  double seconds)
{
	int fd = unix_socket__connect(path, seconds);

	*out = NULL;
	return fd < 0 ? fd : channel__adopt(out, o, fd);
}

void channel__close(struct channel *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c->buf);
	free(c);
}

pid_t channel__peer(const struct channel *c)
{
	struct ucred cred = {0};
	socklen_t size = sizeof(cred);

	return getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) ? 0 : cred.pid;
}

/* For poll(): at most an hour at once. */
static int ms_until(double deadline)
{
	return 1000 * fmin(fmax(deadline - cli__now(), 0), 3600);
}

/* 0: ready, -ETIMEDOUT, -errno. */
static int wait_for(const struct channel *c, short events, double deadline)
{
	struct pollfd p = {.fd = c->fd, .events = events};

	for (;;) {
		int n = poll(&p, 1, ms_until(deadline) + 1);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (cli__now() >= deadline)
			return -ETIMEDOUT;
	}
}

static int send_all(const struct channel *c, const char *text, size_t len, double deadline)
{
	while (len) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int err = n < 0 ? -errno : 0;

		if (err == -EAGAIN)
			err = wait_for(c, POLLOUT, deadline);
		if (err && err != -EINTR)
			return err;
		text += n > 0 ? n : 0;
		len -= n > 0 ? n : 0;
	}
	return 0;
}

int channel__send(struct channel *c, const json_t *object, double deadline)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	int err;

	if (!text)
		return -ENOMEM;
	text[len] = '\n'; /* for the NUL */
	err = send_all(c, text, len + 1, deadline);
	free(text);
	return err;
}

static int make_room(struct channel *c)
{
	size_t room = c->room ? c->room * 2 : 4096;
	char *buf;

	if (c->len < c->room)
		return 0;
	if (c->opts.longest && c->room >= c->opts.longest)
		return -EBADMSG;
	buf = realloc(c->buf, room);
	if (!buf)
		return -ENOMEM;
	c->buf = buf;
	c->room = room;
	return 0;
}

static int read_more(struct channel *c, double deadline)
{
	int err = make_room(c) ?: wait_for(c, POLLIN, deadline);
	ssize_t n;

	if (err)
		return err;
	n = recv(c->fd, c->buf + c->len, c->room - c->len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	c->len += n;
	return n ? 0 : -ECONNRESET;
}

/* The first line, out of the buffer. */
static int take_line(struct channel *c, const char *end, json_t **out)
{
	size_t len = end - c->buf + 1, flags = c->opts.reals ? JSON_DECODE_INT_AS_REAL : 0;
	bool blank = strspn(c->buf, " \t\r\n") >= len;
	int err = 0;

	*out = NULL;
	if (!blank) {
		*out = json_loadb(c->buf, len, flags, NULL);
		err = json_is_object(*out) ? 0 : -EBADMSG;
	}
	c->len -= len;
	c->searched = 0;
	memmove(c->buf, c->buf + len, c->len);
	if (err)
		json_decref(*out);
	return err;
}

int channel__receive(struct channel *c, json_t **out, double deadline)
{
	int err = 0;

	*out = NULL;
	while (!err && !*out) {
		const char *end =
			c->buf ? memchr(c->buf + c->searched, '\n', c->len - c->searched) : NULL;

		c->searched = c->len;
		err = end ? take_line(c, end, out) : read_more(c, deadline);
	}
	if (err)
		*out = NULL;
	return err;
}
