/* SPDX-License-Identifier: GPL-2.0 */
/* What each kind of actuator implements. */
#ifndef HVTRACE_ACTUATOR_OPS_H
#define HVTRACE_ACTUATOR_OPS_H

#include <stdbool.h>

#include "actuator.h"

struct actuator_ops {
	const char *kind;
	int (*read)(struct actuator *a, struct actuator_state *out, char *why, size_t size);
	int (*set)(struct actuator *a, __u64 pages, char *why, size_t size);
	json_t *(*save)(struct actuator *a, char *why, size_t size);
	int (*restore)(struct actuator *a, const json_t *saved, char *why, size_t size);
	void (*free)(struct actuator *a);
};

/* The first member of each kind. */
struct actuator {
	const struct actuator_ops *ops;
	char *place;
	pid_t pid;
};

/* Room for an actuator of so many bytes. NULL: out of memory. */
void *actuator__new(const struct actuator_ops *ops, size_t bytes, const char *place);
/* Bytes as JSON has them: a whole number of 0 to 2^53. false: it is not there, or none. */
bool actuator__bytes(const json_t *object, const char *key, __u64 *out);

#endif
