/* SPDX-License-Identifier: GPL-2.0 */
/* The other end of a control socket (control.h): ask, wait for the answer. */
#ifndef HVTRACE_CONTROL_CLIENT_H
#define HVTRACE_CONTROL_CLIENT_H

#include <jansson.h>
#include <stddef.h>

/* One request, one answer (which may be {"error":..}), in a connection of their own: the caller's
 * to json_decref(). -errno, with a sentence in why. */
int control_client__ask(const char *path, const json_t *request, json_t **answer, char *why,
			size_t size);
/* What an answer complains of; NULL: nothing. */
const char *control_client__error(const json_t *answer);

#endif
