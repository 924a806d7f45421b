// SPDX-License-Identifier: GPL-2.0
#include "control_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"

static int told_wrong(const json_t *answer, char *why, size_t size)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (!error)
		return 0;
	snprintf(why, size, "hvtrace serve: %s", error);
	return -EREMOTEIO;
}

static int converse(struct channel *c, const json_t *request, double deadline, json_t **answer)
{
	int err = channel__send(c, request, deadline);

	/* It may have answered, and closed, before it read. */
	if (err && err != -EPIPE && err != -ECONNRESET)
		return err;
	return channel__receive(c, answer, deadline);
}

int control_link__ask(const char *socket, json_t *request, double seconds, json_t **answer,
		      char *why, size_t size)
{
	double deadline = channel__now() + seconds;
	struct channel *c = NULL;
	int err = channel__open(&c, socket, seconds);

	*answer = NULL;
	if (!err)
		err = request ? converse(c, request, deadline, answer) : -ENOMEM;
	channel__close(c);
	json_decref(request);
	if (!err)
		err = told_wrong(*answer, why, size);
	else if (err == -EBADMSG)
		snprintf(why, size, "who listens at '%s' is no 'hvtrace serve --control'", socket);
	else
		snprintf(why, size, "control socket '%s': %s; does 'hvtrace serve --control' run?",
			 socket, strerror(-err));
	if (err) {
		json_decref(*answer);
		*answer = NULL;
	}
	return err == -EBADMSG ? -EPROTO : err;
}

const json_t *control_link__disk(const json_t *answer, const char *name)
{
	const json_t *disks = json_object_get(answer, "vms");

	for (size_t i = 0; i < json_array_size(disks); i++) {
		const json_t *disk = json_array_get(disks, i);
		const char *vm = json_string_value(json_object_get(disk, "vm"));

		if (vm && !strcmp(vm, name))
			return disk;
	}
	return NULL;
}
