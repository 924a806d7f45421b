// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cache/unix_socket.h"

/* Room for the names of what a command has. */
#define MEMBERS_TEXT 128

struct client;

struct control_call {
	struct client *client;
};

struct client {
	struct loop_fd fd;
	__u32 watched;
	struct control *control; /* NULL: it is gone, and the socket with it */
	struct client *next;
	struct control_call call;
	bool busy;	/* a request of its is not answered yet */
	bool handling;	/* ... and is just being handed over */
	bool eof, last; /* nothing more to read; drop it once all is written */
	char *out;
	size_t out_len, written;
	size_t in_len;
	char in[CONTROL_LINE];
};

struct control {
	struct control_opts opts;
	struct listener listener;
	struct loop_fd accept; /* the listener's */
	int spare;	       /* an fd to refuse a client with when there are no others */
	struct client *clients;
	unsigned nr_clients;
};

static void step(struct client *c);

/* --- clients --- */

static void watch(struct client *c, __u32 events)
{
	struct loop *l = c->control->opts.loop;

	if (c->watched == events)
		return;
	if (c->watched)
		loop__unwatch(l, &c->fd);
	c->watched = events;
	if (events && loop__watch(l, &c->fd, events))
		c->watched = 0;
}

static void unlink_client(struct client *c)
{
	struct client **at = &c->control->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->control->nr_clients--;
}

static void drop(struct client *c)
{
	watch(c, 0);
	unlink_client(c);
	close(c->fd.fd);
	free(c->out);
	c->out = NULL;
	c->control = NULL;
	/* A call is answered once more, or is on the stack. */
	if (!c->busy && !c->handling)
		free(c);
}

/* --- answers --- */

/* 0: all of it, or what there is room for; -errno: the client is gone. */
static int write_out(struct client *c)
{
	while (c->written < c->out_len) {
		ssize_t n = send(c->fd.fd, c->out + c->written, c->out_len - c->written,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->written += n;
	}
	free(c->out);
	c->out = NULL;
	c->out_len = c->written = 0;
	return 0;
}

/* The text of a line, with its newline; NULL: out of memory. */
static char *to_line(const json_t *answer, size_t *len)
{
	size_t n = json_dumpb(answer, NULL, 0, JSON_COMPACT);
	char *text = n ? malloc(n + 1) : NULL;

	if (!text)
		return NULL;
	*len = json_dumpb(answer, text, n, JSON_COMPACT) + 1;
	text[n] = '\n';
	return text;
}

static void put_answer(struct client *c, const json_t *answer)
{
	static const char no_memory[] = "{\"error\":\"out of memory\"}\n";

	c->out = answer ? to_line(answer, &c->out_len) : NULL;
	if (c->out)
		return;
	c->out = strdup(no_memory);
	c->out_len = c->out ? strlen(no_memory) : 0;
	c->last = !c->out;
}

void control_call__answer(struct control_call *call, json_t *answer)
{
	struct client *c = call->client;

	c->busy = false;
	if (c->control) {
		put_answer(c, answer);
		if (!c->handling)
			step(c);
	} else if (!c->handling) {
		free(c);
	}
	json_decref(answer);
}

void control_call__fail(struct control_call *call, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* A text may have been cut in the middle of a character, or come from a name. */
	control_call__answer(call, json_pack("{s:s}", "error", text)
					   ?: json_pack("{s:s}", "error", "a name is not UTF-8"));
}

/* --- requests --- */

static const struct control_command *find(const struct control *t, const char *name)
{
	for (size_t i = 0; i < t->opts.nr_commands; i++)
		if (!strcmp(t->opts.commands[i].name, name))
			return &t->opts.commands[i];
	return NULL;
}

static bool has_member(const struct control_command *command, const char *key)
{
	const char *const *m = command->members;

	while (m && *m && strcmp(*m, key))
		m++;
	return !m || *m || !strcmp(key, "cmd");
}

/* "a", "b" and so on, cut where the room ends. */
static void list_members(const struct control_command *command, char text[MEMBERS_TEXT])
{
	size_t len = 0;

	snprintf(text, MEMBERS_TEXT, "nothing");
	for (const char *const *m = command->members; *m && len < MEMBERS_TEXT; m++)
		len += snprintf(text + len, MEMBERS_TEXT - len, "%s\"%s\"", len ? ", " : "", *m);
}

/* Who mistypes a member would get what he did not ask for. false: answered so. */
static bool check_members(struct client *c, const struct control_command *command,
			  const json_t *request)
{
	char members[MEMBERS_TEXT];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)request, key, value)
	{
		if (has_member(command, key))
			continue;
		list_members(command, members);
		control_call__fail(&c->call, "%s has no \"%.64s\"; it has %s", command->name, key,
				   members);
		return false;
	}
	return true;
}

static void run(struct client *c, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "cmd"));
	const struct control_command *command = name ? find(c->control, name) : NULL;

	if (command && check_members(c, command, request))
		command->fn(c->control->opts.ctx, &c->call, request);
	else if (command)
		return;
	else if (!json_is_object(request))
		control_call__fail(&c->call, "a request is one JSON object a line");
	else if (!name)
		control_call__fail(&c->call, "a request needs a \"cmd\"");
	else
		control_call__fail(&c->call, "unknown command '%.64s'", name);
}

static void handle_line(struct client *c, const char *line, size_t len)
{
	json_error_t error;
	json_t *request;

	if (strspn(line, " \t\r") >= len)
		return;
	request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	c->busy = c->handling = true;
	if (request)
		run(c, request);
	else
		control_call__fail(&c->call, "not JSON: %s", error.text);
	c->handling = false;
	json_decref(request);
}

/* The line that begins in[0], or 0 when there is none yet: its length with the newline. */
static size_t whole_line(const struct client *c)
{
	const char *newline = memchr(c->in, '\n', c->in_len);

	if (newline)
		return newline - c->in + 1;
	return c->eof ? c->in_len : 0;
}

/* Keep the line from what the next one is read to; it ends with a NUL. */
static void next_line(struct client *c, size_t len)
{
	char line[CONTROL_LINE + 1];
	size_t text = len - (c->in[len - 1] == '\n');

	memcpy(line, c->in, text);
	line[text] = 0;
	c->in_len -= len;
	memmove(c->in, c->in + len, c->in_len);
	handle_line(c, line, text);
}

static void refuse_long_line(struct client *c)
{
	c->busy = c->handling = true;
	control_call__fail(&c->call, "a request is longer than %u bytes", CONTROL_LINE);
	c->handling = false;
	c->last = true;
	c->in_len = 0;
}

/* Go on as far as possible: write, then handle lines, each when the one before is answered.
 * false: the client is gone. */
static bool go_on(struct client *c)
{
	for (;;) {
		size_t len;

		if (c->out && write_out(c))
			return false;
		if (c->out || c->busy)
			return true;
		len = whole_line(c);
		if (c->last || (!len && c->eof))
			return false;
		if (len)
			next_line(c, len);
		else if (c->in_len == CONTROL_LINE)
			refuse_long_line(c);
		else
			return true;
		/* The command may have ended the control socket. */
		if (!c->control)
			return true;
	}
}

static void step(struct client *c)
{
	bool there = go_on(c);

	if (!c->control) {
		if (!c->busy)
			free(c);
		return;
	}
	if (!there)
		drop(c);
	else
		watch(c, c->out ? EPOLLOUT : c->busy ? 0 : EPOLLIN);
}

static void read_in(struct client *c)
{
	ssize_t n = recv(c->fd.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n > 0)
		c->in_len += n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		c->eof = true;
}

static void on_client(struct loop_fd *f, __u32 events)
{
	struct client *c = (struct client *)f; /* its first member */

	if (!c->out)
		read_in(c);
	step(c);
}

/* --- connections --- */

int control__add_client(struct control *t, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->fd = (struct loop_fd){fd, on_client};
	c->call.client = c;
	c->control = t;
	c->next = t->clients;
	t->clients = c;
	t->nr_clients++;
	watch(c, EPOLLIN);
	return 0;
}

static void refuse(int fd, const char *reason)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "{\"error\":\"%s\"}\n", reason);

	if (send(fd, line, n, MSG_NOSIGNAL | MSG_DONTWAIT) == n)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (!peer.uid || peer.uid == geteuid());
}

static void on_connection(struct loop_fd *f, __u32 events)
{
	struct control *t = (struct control *)((char *)f - offsetof(struct control, accept));
	int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		/* Or the loop would be told of it for ever. */
		close(t->spare);
		fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			refuse(fd, "no file descriptors left");
		t->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return;
	}
	if (fd < 0)
		return;
	if (!is_allowed(fd))
		refuse(fd, "only root and the server's own user may ask");
	else if (t->nr_clients >= CONTROL_CLIENTS)
		refuse(fd, "too many clients");
	else
		control__add_client(t, fd);
}

static int listen_at(struct control *t, char *why, size_t size)
{
	int err = listener__open(&t->listener, t->opts.path, why, size);

	if (err)
		return err;
	t->accept = (struct loop_fd){t->listener.fd, on_connection};
	err = loop__watch(t->opts.loop, &t->accept, EPOLLIN);
	if (err)
		snprintf(why, size, "cannot watch '%s': %s", t->opts.path, strerror(-err));
	return err;
}

int control__new(struct control **out, const struct control_opts *o, char *why, size_t size)
{
	struct control *t = calloc(1, sizeof(*t));
	int err = 0;

	*out = NULL;
	if (!t) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	memcpy(&t->opts, o, o->sz < sizeof(t->opts) ? o->sz : sizeof(t->opts));
	t->listener.fd = -1;
	t->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (t->opts.path)
		err = listen_at(t, why, size);
	if (err)
		control__free(t);
	else
		*out = t;
	return err;
}

void control__free(struct control *t)
{
	if (!t)
		return;
	while (t->clients)
		drop(t->clients);
	if (t->listener.fd >= 0) {
		loop__unwatch(t->opts.loop, &t->accept);
		listener__close(&t->listener);
	}
	if (t->spare >= 0)
		close(t->spare);
	free(t);
}
