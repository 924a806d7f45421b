// SPDX-License-Identifier: GPL-2.0
/* The control socket: lines in, lines out, whatever a client does. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cli/control.h"
#include "../../cache/unix_socket.h"

#define CLIENTS 3
#define BIG (4 << 20)

struct world {
	struct loop *loop;
	struct control *control;
	int fd[CLIENTS];
	FILE *in[CLIENTS]; /* from the server */
	struct control_call *kept;
};

/* --- commands --- */

static void on_echo(void *ctx, struct control_call *call, const json_t *request)
{
	control_call__answer(call, json_pack("{s:O}", "echo", json_object_get(request, "what")));
}

static void on_fail(void *ctx, struct control_call *call, const json_t *request)
{
	control_call__fail(call, "no \"%s\"", "luck");
}

static void on_later(void *ctx, struct control_call *call, const json_t *request)
{
	((struct world *)ctx)->kept = call;
}

static void on_now(void *ctx, struct control_call *call, const json_t *request)
{
	struct world *w = ctx;

	control_call__answer(w->kept, json_pack("{s:s}", "late", "answer"));
	w->kept = NULL;
	control_call__answer(call, json_pack("{s:b}", "ok", 1));
}

static void on_big(void *ctx, struct control_call *call, const json_t *request)
{
	char *text = malloc(BIG + 1);

	memset(text, 'x', BIG);
	text[BIG] = 0;
	control_call__answer(call, json_pack("{s:s}", "big", text));
	free(text);
}

static void on_nothing(void *ctx, struct control_call *call, const json_t *request)
{
	control_call__answer(call, NULL);
}

static const char *const nothing[] = {NULL};
static const char *const two[] = {"what", "why", NULL};

static const struct control_command commands[] = {
	{"echo", NULL, on_echo},  {"fail", NULL, on_fail}, {"later", NULL, on_later},
	{"now", nothing, on_now}, {"big", NULL, on_big},   {"nothing", NULL, on_nothing},
	{"two", two, on_echo},
};

/* --- the world: a server in a thread, clients connected to it --- */

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct control_opts opts = {
		.sz = sizeof(opts),
		.commands = commands,
		.nr_commands = sizeof(commands) / sizeof(commands[0]),
		.ctx = w,
	};
	char why[256] = "";

	opts.loop = w->loop = loop__new();
	assert_int_equal(control__new(&w->control, &opts, why, sizeof(why)), 0);
	for (int i = 0; i < CLIENTS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(control__add_client(w->control, pair[0]), 0);
		w->fd[i] = pair[1];
		w->in[i] = fdopen(dup(pair[1]), "r");
	}
	assert_int_equal(loop__start(w->loop, "control"), 0);
	*state = w;
	return 0;
}

static void end_server(struct world *w)
{
	loop__stop(w->loop);
	loop__join(w->loop);
	control__free(w->control);
	w->control = NULL;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->control)
		end_server(w);
	for (int i = 0; i < CLIENTS; i++) {
		fclose(w->in[i]);
		close(w->fd[i]);
	}
	loop__free(w->loop);
	free(w);
	return 0;
}

static void tell(struct world *w, int client, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(w->fd[client], text, len, MSG_NOSIGNAL), len);
}

static void hear(struct world *w, int client, const char *line)
{
	char buf[512] = "";

	assert_non_null(fgets(buf, sizeof(buf), w->in[client]));
	assert_string_equal(buf, line);
}

static void hear_like(struct world *w, int client, const char *part)
{
	char buf[512] = "";

	assert_non_null(fgets(buf, sizeof(buf), w->in[client]));
	if (!strstr(buf, part))
		assert_string_equal(buf, part);
}

static void hear_end(struct world *w, int client)
{
	assert_int_equal(fgetc(w->in[client]), EOF);
}

/* --- tests --- */

static void answers(void **state)
{
	struct world *w = *state;

	tell(w, 0, "{\"cmd\":\"echo\",\"what\":[1,\"\xc3\xa9\"]}\n");
	hear(w, 0, "{\"echo\":[1,\"\xc3\xa9\"]}\n");
	tell(w, 0, "{\"cmd\":\"fail\"}\r\n");
	hear(w, 0, "{\"error\":\"no \\\"luck\\\"\"}\n");
	tell(w, 0, "{\"cmd\":\"nothing\"}\n");
	hear(w, 0, "{\"error\":\"out of memory\"}\n");
}

static void wrong_requests(void **state)
{
	struct world *w = *state;

	tell(w, 0, "{\"cmd\":\"no\"}\n{}\n[1]\n{\n\"cmd\"\n{\"cmd\":1}\n{\"a\":1,\"a\":2}\n");
	hear_like(w, 0, "unknown command 'no'");
	hear_like(w, 0, "a request needs a \\\"cmd\\\"");
	hear_like(w, 0, "one JSON object a line");
	hear_like(w, 0, "not JSON");
	hear_like(w, 0, "not JSON");
	hear_like(w, 0, "a request needs a \\\"cmd\\\"");
	hear_like(w, 0, "not JSON: duplicate");
	tell(w, 0, "{\"cmd\":\"\xff\"}\n\n  \n{\"cmd\":\"echo\",\"what\":2}\n");
	hear_like(w, 0, "not JSON");
	hear(w, 0, "{\"echo\":2}\n");
}

/* What a command does not have is not passed over. */
static void wrong_members(void **state)
{
	struct world *w = *state;

	tell(w, 0, "{\"cmd\":\"now\",\"what\":1}\n");
	hear_like(w, 0, "now has no \\\"what\\\"; it has nothing");
	tell(w, 0, "{\"whit\":1,\"cmd\":\"two\"}\n");
	hear_like(w, 0, "two has no \\\"whit\\\"; it has \\\"what\\\", \\\"why\\\"");
	tell(w, 0, "{\"cmd\":\"two\",\"why\":1,\"what\":2}\n");
	hear(w, 0, "{\"echo\":2}\n");
}

/* Lines come in any pieces, and many at once; answers in their order. */
static void pieces(void **state)
{
	static const char line[] = "{\"cmd\":\"echo\",\"what\":1}\n";
	struct world *w = *state;
	char many[64 * sizeof(line)] = "";

	for (const char *c = line; *c; c++) {
		assert_int_equal(send(w->fd[1], c, 1, 0), 1);
		usleep(100);
	}
	hear(w, 1, "{\"echo\":1}\n");
	for (int i = 0; i < 64; i++)
		sprintf(many + strlen(many), "{\"cmd\":\"echo\",\"what\":%d}\n", i);
	tell(w, 1, many);
	for (int i = 0; i < 64; i++) {
		char expected[32];

		sprintf(expected, "{\"echo\":%d}\n", i);
		hear(w, 1, expected);
	}
}

static void later(void **state)
{
	struct world *w = *state;

	/* What comes behind has to wait; others have not. */
	tell(w, 0, "{\"cmd\":\"later\"}\n{\"cmd\":\"echo\",\"what\":1}\n");
	tell(w, 1, "{\"cmd\":\"echo\",\"what\":2}\n");
	hear(w, 1, "{\"echo\":2}\n");
	while (!__atomic_load_n(&w->kept, __ATOMIC_ACQUIRE))
		usleep(1000);
	tell(w, 1, "{\"cmd\":\"now\"}\n");
	hear(w, 1, "{\"ok\":true}\n");
	hear(w, 0, "{\"late\":\"answer\"}\n");
	hear(w, 0, "{\"echo\":1}\n");
}

/* Who goes away without an answer takes nobody along. */
static void gone_before(void **state)
{
	struct world *w = *state;

	tell(w, 0, "{\"cmd\":\"later\"}\n");
	while (!__atomic_load_n(&w->kept, __ATOMIC_ACQUIRE))
		usleep(1000);
	shutdown(w->fd[0], SHUT_RDWR);
	tell(w, 1, "{\"cmd\":\"now\"}\n");
	hear(w, 1, "{\"ok\":true}\n");
	hear_end(w, 0);
}

/* ... nor does a server that ends. */
static void server_ends_before(void **state)
{
	struct world *w = *state;

	tell(w, 0, "{\"cmd\":\"later\"}\n");
	while (!__atomic_load_n(&w->kept, __ATOMIC_ACQUIRE))
		usleep(1000);
	end_server(w);
	control_call__answer(w->kept, json_pack("{s:b}", "ok", 1));
	hear_end(w, 0);
}

/* A client that does not read its answer keeps nobody waiting. */
static void slow_reader(void **state)
{
	struct world *w = *state;
	char *line = malloc(BIG + 64);

	tell(w, 0, "{\"cmd\":\"big\"}\n{\"cmd\":\"echo\",\"what\":1}\n");
	for (int i = 0; i < 10; i++) {
		tell(w, 1, "{\"cmd\":\"echo\",\"what\":3}\n");
		hear(w, 1, "{\"echo\":3}\n");
	}
	assert_non_null(fgets(line, BIG + 64, w->in[0]));
	assert_int_equal(strlen(line), BIG + strlen("{\"big\":\"\"}\n"));
	hear(w, 0, "{\"echo\":1}\n");
	free(line);
}

static void long_lines(void **state)
{
	struct world *w = *state;
	char *line = malloc(CONTROL_LINE + 2);

	/* The longest that is allowed, */
	memset(line, ' ', CONTROL_LINE);
	memcpy(line, "{\"cmd\":\"echo\",\"what\":4}", 23);
	line[CONTROL_LINE - 1] = '\n';
	line[CONTROL_LINE] = 0;
	tell(w, 0, line);
	hear(w, 0, "{\"echo\":4}\n");
	/* and one more. */
	line[CONTROL_LINE - 1] = ' ';
	line[CONTROL_LINE] = '\n';
	line[CONTROL_LINE + 1] = 0;
	tell(w, 0, line);
	hear_like(w, 0, "longer than 65536 bytes");
	hear_end(w, 0);
	tell(w, 1, "{\"cmd\":\"echo\",\"what\":5}\n");
	hear(w, 1, "{\"echo\":5}\n");
	free(line);
}

/* The last line needs no newline. */
static void last_line(void **state)
{
	struct world *w = *state;

	tell(w, 0, "{\"cmd\":\"echo\",\"what\":1}\n{\"cmd\":\"echo\",\"what\":2}");
	shutdown(w->fd[0], SHUT_WR);
	hear(w, 0, "{\"echo\":1}\n");
	hear(w, 0, "{\"echo\":2}\n");
	hear_end(w, 0);
}

/* --- the socket's file --- */

static void socket_file(void **state)
{
	char dir[] = "/tmp/control-test-XXXXXX", path[64], why[256] = "";
	struct control_opts opts = {.sz = sizeof(opts), .path = path};
	struct control *first, *second;
	struct listener left;
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	opts.loop = loop__new();
	assert_int_equal(control__new(&first, &opts, why, sizeof(why)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(control__new(&second, &opts, why, sizeof(why)), -EADDRINUSE);
	assert_non_null(strstr(why, "in use"));
	control__free(first);
	assert_int_equal(access(path, F_OK), -1);
	/* One that a server left behind is replaced, anything else is not. */
	assert_int_equal(listener__open(&left, path, why, sizeof(why)), 0);
	close(left.fd);
	assert_int_equal(control__new(&first, &opts, why, sizeof(why)), 0);
	control__free(first);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(control__new(&first, &opts, why, sizeof(why)), -EEXIST);
	assert_non_null(strstr(why, "no socket"));
	unlink(path);
	rmdir(dir);
	assert_int_equal(control__new(&first, &opts, why, sizeof(why)), -ENOENT);
	loop__free(opts.loop);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(answers),
		CASE(wrong_requests),
		CASE(wrong_members),
		CASE(pieces),
		CASE(later),
		CASE(gone_before),
		CASE(server_ends_before),
		CASE(slow_reader),
		CASE(long_lines),
		CASE(last_line),
		cmocka_unit_test(socket_file),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
