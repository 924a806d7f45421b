// SPDX-License-Identifier: GPL-2.0
/* QMP as QEMU speaks it, and as nobody should: every way has an end, and one line that says why. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/actuator/qmp.h"
#include "../../cli/cli.h"
#include "line_server.h"

#define GREETING "{\"QMP\":{\"version\":{},\"capabilities\":[]}}\r\n"

struct script {
	const char *answer; /* to all but qmp_capabilities; "%d" is the request's id */
	const char *capabilities;
	char line[8192];
	int commands;
};

static const char *play(void *ctx, const char *line)
{
	struct script *s = ctx;
	json_t *request = json_loads(line, 0, NULL);
	const char *name = json_string_value(json_object_get(request, "execute"));
	int id = json_integer_value(json_object_get(request, "id"));
	const char *answer = s->answer;

	if (!strcmp(name, "qmp_capabilities"))
		answer = s->capabilities ?: "{\"return\":{},\"id\":%d}\r\n";
	else
		s->commands++;
	json_decref(request);
	if (!answer)
		return NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(s->line, sizeof(s->line), answer, id, id);
#pragma GCC diagnostic pop
	return s->line;
}

/* One command to a server that has this answer. */
static int command(struct script *s, const char *greeting, json_t **result, char why[512])
{
	struct line_server server = {.greeting = greeting, .reply = play, .ctx = s};
	struct qmp *q;
	int err;

	line_server__start(&server);
	q = qmp__new(server.path, 0.3);
	assert_non_null(q);
	strcpy(why, "");
	err = qmp__command(q, "query-balloon", NULL, result, why, 512);
	qmp__free(q);
	line_server__stop(&server);
	return err;
}

static void answers(void **state)
{
	struct script s = {.answer = "{\"return\":{\"actual\":1048576},\"id\":%d}\r\n"};
	json_t *result;
	char why[512];

	assert_int_equal(command(&s, GREETING, &result, why), 0);
	assert_true(json_number_value(json_object_get(result, "actual")) == 1048576);
	json_decref(result);
}

/* Events and late answers come in between; blank lines, too. */
static void skips(void **state)
{
	struct script s = {.answer = "{\"event\":\"BALLOON_CHANGE\",\"data\":{\"actual\":1}}\r\n"
				     "\r\n{\"return\":{\"actual\":2},\"id\":-1}\r\n"
				     "{\"return\":{\"actual\":3},\"id\":%d}\r\n"};
	json_t *result;
	char why[512];

	assert_int_equal(command(&s, GREETING, &result, why), 0);
	assert_true(json_number_value(json_object_get(result, "actual")) == 3);
	json_decref(result);
}

/* QEMU's way to say "not known" does not fit into a signed number. */
static void large_numbers(void **state)
{
	struct script s = {.answer = "{\"return\":{\"actual\":18446744073709551615},\"id\":%d}\n"};
	json_t *result;
	char why[512];

	assert_int_equal(command(&s, GREETING, &result, why), 0);
	assert_true(json_number_value(json_object_get(result, "actual")) > 1e19);
	json_decref(result);
}

static void refusals(void **state)
{
	struct script s = {.answer = "{\"error\":{\"class\":\"DeviceNotActive\",\"desc\":\"No "
				     "balloon\\ndevice\"},\"id\":%d}\n"};
	struct script other = {
		.answer = "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"},\"id\":%d}\n"};
	struct script empty = {.answer = "{\"error\":{},\"id\":%d}\n"};
	char why[512];

	assert_int_equal(command(&s, GREETING, NULL, why), -ENODEV);
	assert_string_equal(why, "QEMU refused query-balloon: No balloon device");
	assert_int_equal(command(&other, GREETING, NULL, why), -EREMOTEIO);
	assert_int_equal(command(&empty, GREETING, NULL, why), -EREMOTEIO);
}

static void no_qmp(void **state)
{
	static const char *const greetings[] = {"SSH-2.0-OpenSSH_9.2\r\n", "{}\n", "[1]\n",
						"\"QMP\"\n"};
	struct script refuses = {.capabilities = "{\"error\":{\"desc\":\"no\"},\"id\":%d}\n"};
	char why[512];

	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		struct script s = {.answer = ""};

		assert_int_equal(command(&s, greetings[i], NULL, why), -EPROTO);
		assert_non_null(strstr(why, "does not speak QMP"));
		assert_null(strchr(why, '\n'));
	}
	assert_int_equal(command(&refuses, GREETING, NULL, why), -EPROTO);
}

static void no_end(void **state)
{
	struct script silent = {.answer = ""};
	struct script closes = {.answer = NULL};
	struct script half = {.answer = "{\"return\":{"};
	double began = cli__now();
	char why[512];

	assert_int_equal(command(&silent, GREETING, NULL, why), -ETIMEDOUT);
	assert_non_null(strstr(why, "another client"));
	assert_int_equal(command(&silent, NULL, NULL, why), -ETIMEDOUT);
	assert_int_equal(command(&half, GREETING, NULL, why), -ETIMEDOUT);
	assert_int_equal(command(&closes, GREETING, NULL, why), -ECONNRESET);
	assert_true(cli__now() - began < 30);
}

/* A line that never ends is not kept. */
static const char *endless(void *ctx, const char *line)
{
	static char much[60001];

	memset(much, 'x', sizeof(much) - 1);
	return much;
}

static void long_line(void **state)
{
	char *greeting = malloc((2 << 20) + 1), why[512];
	struct line_server server = {.reply = endless};
	struct qmp *q;

	memset(greeting, ' ', 2 << 20);
	greeting[2 << 20] = '\0';
	server.greeting = greeting;
	line_server__start(&server);
	q = qmp__new(server.path, 5);
	assert_int_equal(qmp__command(q, "stop", NULL, NULL, why, sizeof(why)), -EPROTO);
	qmp__free(q);
	line_server__stop(&server);
	free(greeting);
}

/* Nor are events waited out that have no end. */
static const char *events(void *ctx, const char *line)
{
	static char many[4096 * 12];

	if (strstr(line, "qmp_capabilities"))
		return "{\"return\":{},\"id\":1}\n";
	for (size_t i = 0; i + 12 < sizeof(many); i += 12)
		memcpy(many + i, "{\"event\":1}\n", 13);
	return many;
}

static void many_events(void **state)
{
	struct line_server server = {.greeting = GREETING, .reply = events};
	struct qmp *q;
	char why[512];

	line_server__start(&server);
	q = qmp__new(server.path, 5);
	assert_int_equal(qmp__command(q, "stop", NULL, NULL, why, sizeof(why)), -EPROTO);
	qmp__free(q);
	line_server__stop(&server);
}

/* What fails is tried again: QEMU may be back. */
static void comes_back(void **state)
{
	struct script s = {.answer = NULL};
	struct line_server server = {.greeting = GREETING, .reply = play, .ctx = &s};
	char why[512];
	struct qmp *q;

	line_server__start(&server);
	q = qmp__new(server.path, 1);
	assert_int_equal(qmp__command(q, "query-balloon", NULL, NULL, why, sizeof(why)),
			 -ECONNRESET);
	assert_int_equal(qmp__peer(q), 0);
	s.answer = "{\"return\":{},\"id\":%d}\n";
	assert_int_equal(qmp__command(q, "query-balloon", NULL, NULL, why, sizeof(why)), 0);
	assert_int_not_equal(qmp__peer(q), 0);
	line_server__stop(&server);
	assert_int_equal(qmp__command(q, "query-balloon", NULL, NULL, why, sizeof(why)),
			 -ECONNRESET);
	assert_int_equal(qmp__command(q, "query-balloon", NULL, NULL, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "does the VM run"));
	qmp__free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),	 cmocka_unit_test(skips),
		cmocka_unit_test(large_numbers), cmocka_unit_test(refusals),
		cmocka_unit_test(no_qmp),	 cmocka_unit_test(no_end),
		cmocka_unit_test(long_line),	 cmocka_unit_test(many_events),
		cmocka_unit_test(comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
