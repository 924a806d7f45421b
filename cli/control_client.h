/* SPDX-License-Identifier: GPL-2.0 */
/* The other end of a control socket (control.h): ask, wait for the answer. */
#ifndef HVTRACE_CONTROL_CLIENT_H
#define HVTRACE_CONTROL_CLIENT_H

#include <jansson.h>
#include <stddef.h>

/*
 * One request, which is consumed, and one answer, which is the caller's, in a connection of their
 * own; within so many seconds, or INFINITY. -EREMOTEIO: the answer is that something is wrong, in
 * the server's own words; -ENOENT, -ECONNREFUSED, ...: nobody is there; -EPROTO: no hvtrace;
 * -ETIMEDOUT; -errno; with a sentence in why. *answer is NULL then.
 */
int control_client__ask(const char *path, json_t *request, double seconds, json_t **answer,
			char *why, size_t size);
/* "stats", and what it says of a disk. -ENODEV: it is not served. */
int control_client__stats(const char *path, const char *disk, double seconds, json_t **answer,
			  const json_t **of_disk, char *why, size_t size);
/* The object of a VM, or disk, in an answer to "stats" or "vms"; borrowed. NULL: there is none. */
const json_t *control_client__vm(const json_t *answer, const char *name);

#endif
