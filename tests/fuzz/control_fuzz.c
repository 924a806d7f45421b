// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes from a client of the control socket. Each line that is not blank has one answer, which
 * is one line and an object.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../cli/control.h"
#include "fuzz.h"

struct client {
	struct loop_fd fd;
	struct loop *loop;
	char answers[1 << 20];
	size_t len;
};

static void on_echo(void *ctx, struct control_call *call, const json_t *request)
{
	control_call__answer(call, json_pack("{s:O}", "echo", request));
}

static void on_fail(void *ctx, struct control_call *call, const json_t *request)
{
	const char *why = json_string_value(json_object_get(request, "why"));

	control_call__fail(call, "because of '%s'", why ? why : "");
}

/* Until the server has answered all and closed. */
static void on_answer(struct loop_fd *f, __u32 events)
{
	struct client *c = (struct client *)f;
	ssize_t n = recv(f->fd, c->answers + c->len, sizeof(c->answers) - c->len, MSG_DONTWAIT);

	if (n > 0)
		c->len += n;
	else
		loop__stop(c->loop);
}

static size_t count_requests(const uint8_t *data, size_t size)
{
	size_t lines = 0;

	while (size) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) : size;
		bool blank = true;

		for (size_t i = 0; i < len; i++)
			blank &= data[i] == ' ' || data[i] == '\t' || data[i] == '\r';
		lines += !blank;
		data += newline ? len + 1 : len;
		size -= newline ? len + 1 : len;
	}
	return lines;
}

static void check_answers(const struct client *c, size_t requests)
{
	size_t n = 0;

	for (const char *at = c->answers, *end = at + c->len; at < end; n++) {
		const char *newline = memchr(at, '\n', end - at);
		json_t *answer;

		check(newline);
		answer = json_loadb(at, newline - at, 0, NULL);
		check(json_is_object(answer));
		json_decref(answer);
		at = newline + 1;
	}
	check(n == requests);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const members[] = {"what", NULL};
	static const struct control_command commands[] = {{"echo", members, on_echo},
							  {"fail", NULL, on_fail}};
	static struct client client;
	struct control_opts opts = {.sz = sizeof(opts), .commands = commands, .nr_commands = 2};
	struct control *control = NULL;
	char why[128];
	int pair[2];

	/* What fits into the socket at once, and the answers into the client. */
	if (size > 16384 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	client.loop = opts.loop = loop__new();
	client.fd = (struct loop_fd){pair[1], on_answer};
	client.len = 0;
	check(opts.loop && !control__new(&control, &opts, why, sizeof(why)));
	check(!control__add_client(control, pair[0]));
	check(send(pair[1], data, size, MSG_DONTWAIT) == (ssize_t)size);
	shutdown(pair[1], SHUT_WR);
	check(!loop__watch(opts.loop, &client.fd, EPOLLIN));
	loop__run(opts.loop);
	check_answers(&client, count_requests(data, size));
	control__free(control);
	loop__free(opts.loop);
	close(pair[1]);
	return 0;
}
