/* SPDX-License-Identifier: GPL-2.0 */
/* A running `hvtrace serve`, asked over its control socket by who cannot wait for it: a connection
 * for each question, and a time by which there is an answer. */
#ifndef HVTRACE_CONTROL_LINK_H
#define HVTRACE_CONTROL_LINK_H

#include <jansson.h>
#include <stddef.h>

/* The request is consumed; *answer is the caller's. -ENOENT, -ECONNREFUSED, ...: nobody is there;
 * -EREMOTEIO: it says that something is wrong; -EPROTO: no server of ours; -ETIMEDOUT; with a
 * sentence in why. */
int control_link__ask(const char *socket, json_t *request, double seconds, json_t **answer,
		      char *why, size_t size);
/* The disk's object in an answer to "stats" or "vms"; borrowed. NULL: it is not served. */
const json_t *control_link__disk(const json_t *answer, const char *name);

#endif
