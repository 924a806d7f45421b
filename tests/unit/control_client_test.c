// SPDX-License-Identifier: GPL-2.0
/* Who asks at a control socket: what an answer may be, and every way in which there is none. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/cli.h"
#include "../../cli/control_client.h"
#include "line_server.h"

#define LONG (3 << 20)

static const char *say(void *ctx, const char *line)
{
	assert_string_equal(line, "{\"cmd\":\"stats\"}");
	return ctx;
}

/* One question to who answers so. */
static int ask(const char *line, double seconds, json_t **answer, char why[256])
{
	struct line_server server = {.reply = say, .ctx = (void *)line};
	int err;

	line_server__start(&server);
	strcpy(why, "");
	err = control_client__ask(server.path, json_pack("{s:s}", "cmd", "stats"), seconds, answer,
				  why, 256);
	line_server__stop(&server);
	assert_true(!err == (*answer != NULL) && !err == !why[0]);
	assert_null(strchr(why, '\n'));
	return err;
}

static void answers(void **state)
{
	json_t *answer;
	char why[256];

	/* Exact, beyond what a real holds. */
	assert_int_equal(ask("{\"n\":9007199254740993}\n", INFINITY, &answer, why), 0);
	assert_int_equal(json_integer_value(json_object_get(answer, "n")), 9007199254740993);
	json_decref(answer);
	assert_int_equal(ask("{\"error\":\"not today\"}\n", 2, &answer, why), -EREMOTEIO);
	assert_string_equal(why, "not today");
}

/* Many disks, or many pages of one. */
static void long_answer(void **state)
{
	char *line = malloc(LONG + 32), why[256];
	json_t *answer;

	strcpy(line, "{\"s\":\"");
	memset(line + 6, 'x', LONG);
	strcpy(line + 6 + LONG, "\"}\n");
	assert_int_equal(ask(line, 10, &answer, why), 0);
	assert_int_equal(json_string_length(json_object_get(answer, "s")), LONG);
	json_decref(answer);
	free(line);
}

/* A server that has too many clients answers, and closes, whatever it is asked. */
static void refused(void **state)
{
	struct line_server server = {.greeting = "{\"error\":\"too many clients\"}\n"};
	char *text = calloc(1, LONG), why[256];
	json_t *answer;

	memset(text, 'x', LONG - 1);
	line_server__start(&server);
	assert_int_equal(control_client__ask(server.path, json_pack("{s:s}", "cmd", text), 10,
					     &answer, why, sizeof(why)),
			 -EREMOTEIO);
	assert_string_equal(why, "too many clients");
	line_server__stop(&server);
	free(text);
}

static void no_answers(void **state)
{
	double began = cli__now();
	json_t *answer;
	char why[256];

	assert_int_equal(ask("", 0.2, &answer, why), -ETIMEDOUT);
	assert_non_null(strstr(why, "busy, or stopped"));
	assert_int_equal(ask("{\"half\":", 0.2, &answer, why), -ETIMEDOUT);
	assert_true(cli__now() - began < 30);
	assert_int_equal(ask(NULL, INFINITY, &answer, why), -ECONNRESET);
	assert_non_null(strstr(why, "the server ended"));
	assert_int_equal(ask("220 mail ESMTP\n", INFINITY, &answer, why), -EPROTO);
	assert_non_null(strstr(why, "no hvtrace"));
	assert_int_equal(ask("[1]\n", INFINITY, &answer, why), -EPROTO);
}

static void stats(void **state)
{
	struct line_server server = {
		.reply = say, .ctx = "{\"vms\":[{\"vm\":\"a\"},1,{\"vm\":\"b\",\"pid\":7}]}\n"};
	const json_t *disk;
	json_t *answer;
	char why[256];

	line_server__start(&server);
	assert_int_equal(control_client__stats(server.path, "b", 2, &answer, &disk, why, 256), 0);
	assert_int_equal(json_integer_value(json_object_get(disk, "pid")), 7);
	json_decref(answer);
	assert_int_equal(control_client__stats(server.path, "c", 2, &answer, &disk, why, 256),
			 -ENODEV);
	assert_non_null(strstr(why, "no disk 'c'"));
	line_server__stop(&server);
	assert_int_equal(control_client__stats(server.path, "b", 2, &answer, &disk, why, 256),
			 -ENOENT);
	assert_null(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers), cmocka_unit_test(long_answer),
		cmocka_unit_test(refused), cmocka_unit_test(no_answers),
		cmocka_unit_test(stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
