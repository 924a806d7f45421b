// SPDX-License-Identifier: GPL-2.0
#include "qmp.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../channel.h"
#include "../cli.h"

/* Events that may come ahead of an answer. */
#define SKIP_MAX 1000

/* QEMU says "not known" by 2^64 - 1. */
static const struct channel_opts lines = {.longest = 1 << 20, .reals = true};

struct qmp {
	char *path;
	double seconds;
	struct channel *channel; /* NULL: not connected */
	json_int_t last_id;
};

struct qmp *qmp__new(const char *path, double seconds)
{
	struct qmp *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->path = strdup(path);
	q->seconds = seconds;
	if (q->path)
		return q;
	free(q);
	return NULL;
}

void qmp__free(struct qmp *q)
{
	if (!q)
		return;
	channel__close(q->channel);
	free(q->path);
	free(q);
}

pid_t qmp__peer(const struct qmp *q)
{
	return q->channel ? channel__peer(q->channel) : 0;
}

/* --- what went wrong --- */

static const char *what_to_do(int err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		return ": does the VM run, with -qmp unix:PATH,server=on,wait=off?";
	case -EACCES:
		return "; run as root or as the VM's user";
	case -ETIMEDOUT:
		return ": QEMU hangs, or another client holds this socket; give the VM a second "
		       "one";
	case -ECONNRESET:
		return ": the VM ended, or closed it";
	}
	return "";
}

static int broken(struct qmp *q, int err, char *why, size_t size)
{
	channel__close(q->channel);
	q->channel = NULL;
	if (err == -EPIPE)
		err = -ECONNRESET;
	if (err == -EBADMSG || err == -EPROTO) {
		snprintf(why, size, "'%s' does not speak QMP: give the path of a -qmp socket",
			 q->path);
		return -EPROTO;
	}
	snprintf(why, size, "QMP socket '%s': %s%s", q->path, strerror(-err), what_to_do(err));
	return err;
}

/* One line, whatever is in it. */
static void one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static int refused(const char *name, const json_t *error, char *why, size_t size)
{
	const char *class = json_string_value(json_object_get(error, "class"));
	const char *desc = json_string_value(json_object_get(error, "desc"));

	snprintf(why, size, "QEMU refused %s: %s", name, desc ? desc : "no reason given");
	one_line(why);
	return class && (!strcmp(class, "DeviceNotActive") || !strcmp(class, "DeviceNotFound"))
		       ? -ENODEV
		       : -EREMOTEIO;
}

/* --- the conversation --- */

static bool is_answer(const struct qmp *q, const json_t *message)
{
	const json_t *id = json_object_get(message, "id");

	return json_is_number(id) && json_number_value(id) == (double)q->last_id &&
	       (json_object_get(message, "return") || json_object_get(message, "error"));
}

/* Events, and what answers something older, are of no interest. */
static int receive_answer(struct qmp *q, json_t **out, double deadline)
{
	int err = 0;

	for (int i = 0; i < SKIP_MAX && !err; i++) {
		err = channel__receive(q->channel, out, deadline);
		if (!err && is_answer(q, *out))
			return 0;
		json_decref(*out);
		*out = NULL;
	}
	return err ?: -EPROTO;
}

static int ask(struct qmp *q, const char *name, json_t *arguments, json_t **answer, double deadline)
{
	json_t *request = json_pack("{s:s,s:I}", "execute", name, "id", ++q->last_id);
	int err = request ? 0 : -ENOMEM;

	if (arguments && request && json_object_set(request, "arguments", arguments))
		err = -ENOMEM;
	if (!err)
		err = channel__send(q->channel, request, deadline);
	json_decref(request);
	return err ?: receive_answer(q, answer, deadline);
}

static int negotiate(struct qmp *q, double deadline)
{
	json_t *message = NULL;
	int err = channel__receive(q->channel, &message, deadline);

	if (!err && !json_object_get(message, "QMP"))
		err = -EPROTO;
	json_decref(message);
	message = NULL;
	if (!err)
		err = ask(q, "qmp_capabilities", NULL, &message, deadline);
	if (!err && !json_object_get(message, "return"))
		err = -EPROTO;
	json_decref(message);
	return err;
}

static int connect_to(struct qmp *q, double deadline, char *why, size_t size)
{
	int err;

	if (q->channel)
		return 0;
	err = channel__open(&q->channel, &lines, q->path, q->seconds) ?: negotiate(q, deadline);
	return err ? broken(q, err, why, size) : 0;
}

int qmp__adopt(struct qmp *q, int fd)
{
	int err;

	channel__close(q->channel);
	err = channel__adopt(&q->channel, &lines, fd);
	if (!err)
		err = negotiate(q, cli__now() + q->seconds);
	if (!err)
		return 0;
	channel__close(q->channel);
	q->channel = NULL;
	return err == -EBADMSG ? -EPROTO : err;
}

static int command(struct qmp *q, const char *name, json_t *arguments, json_t **result, char *why,
		   size_t size)
{
	double deadline = cli__now() + q->seconds;
	json_t *answer = NULL;
	int err = connect_to(q, deadline, why, size);

	if (err)
		return err;
	err = ask(q, name, arguments, &answer, deadline);
	if (err)
		return broken(q, err, why, size);
	if (json_object_get(answer, "error"))
		err = refused(name, json_object_get(answer, "error"), why, size);
	else if (result)
		*result = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	return err;
}

int qmp__command(struct qmp *q, const char *name, json_t *arguments, json_t **result, char *why,
		 size_t size)
{
	int err;

	if (result)
		*result = NULL;
	err = command(q, name, arguments, result, why, size);
	json_decref(arguments);
	return err;
}
