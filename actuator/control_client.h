/* SPDX-License-Identifier: GPL-2.0 */
/* A running `hvtrace serve`, asked over its control socket: a connection for each question. */
#ifndef HVTRACE_CONTROL_CLIENT_H
#define HVTRACE_CONTROL_CLIENT_H

#include <jansson.h>
#include <stddef.h>

/* The request is consumed; *answer is the caller's. -ENOENT, -ECONNREFUSED, ...: nobody is there;
 * -EREMOTEIO: it says that something is wrong; -EPROTO: no server of ours; -ETIMEDOUT; with a
 * sentence in why. */
int control_client__ask(const char *socket, json_t *request, double seconds, json_t **answer,
			char *why, size_t size);
/* The disk's object in an answer to "stats" or "vms"; borrowed. NULL: it is not served. */
const json_t *control_client__disk(const json_t *answer, const char *name);

#endif
