// SPDX-License-Identifier: GPL-2.0
#include "control_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "channel.h"
#include "cli.h"

/* --- what went wrong --- */

static bool is_socket(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISSOCK(st.st_mode);
}

static void cannot_connect(const char *path, int err, char *why, size_t size)
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
}

static void no_answer(const char *path, int err, char *why, size_t size)
{
	const char *reason = strerror(-err);

	if (err == -ECONNRESET || err == -EBADMSG)
		reason = "the server ended, or is no hvtrace";
	else if (err == -ETIMEDOUT)
		reason = "the server is busy, or stopped";
	snprintf(why, size, "no answer from '%s': %s", path, reason);
}

/* --- the conversation --- */

static int converse(struct channel *c, const json_t *request, double deadline, json_t **answer)
{
	int err = request ? channel__send(c, request, deadline) : -ENOMEM;

	/* The server may have answered, and closed, before it read. */
	if (err && err != -EPIPE && err != -ECONNRESET)
		return err;
	return channel__receive(c, answer, deadline);
}

static int told_wrong(json_t **answer, char *why, size_t size)
{
	const char *error = json_string_value(json_object_get(*answer, "error"));

	if (!error)
		return 0;
	snprintf(why, size, "%s", error);
	json_decref(*answer);
	*answer = NULL;
	return -EREMOTEIO;
}

int control_client__ask(const char *path, json_t *request, double seconds, json_t **answer,
			char *why, size_t size)
{
	const struct channel_opts opts = {0};
	double deadline = cli__now() + seconds;
	struct channel *c;
	int err = channel__open(&c, &opts, path, seconds);

	*answer = NULL;
	if (err) {
		cannot_connect(path, err, why, size);
	} else {
		err = converse(c, request, deadline, answer);
		if (err)
			no_answer(path, err, why, size);
		else
			err = told_wrong(answer, why, size);
	}
	channel__close(c);
	json_decref(request);
	return err == -EBADMSG ? -EPROTO : err;
}

/* --- answers --- */

const json_t *control_client__vm(const json_t *answer, const char *name)
{
	const json_t *vms = json_object_get(answer, "vms");

	for (size_t i = 0; i < json_array_size(vms); i++) {
		const json_t *vm = json_array_get(vms, i);
		const char *is = json_string_value(json_object_get(vm, "vm"));

		if (is && !strcmp(is, name))
			return vm;
	}
	return NULL;
}

int control_client__stats(const char *path, const char *disk, double seconds, json_t **answer,
			  const json_t **of_disk, char *why, size_t size)
{
	int err = control_client__ask(path, json_pack("{s:s}", "cmd", "stats"), seconds, answer,
				      why, size);

	*of_disk = control_client__vm(*answer, disk);
	if (err || *of_disk)
		return err;
	snprintf(why, size, "there is no disk '%s' at '%s'", disk, path);
	json_decref(*answer);
	*answer = NULL;
	return -ENODEV;
}
