/* SPDX-License-Identifier: GPL-2.0 */
/* What this host offers to hvtrace, and what is missing, each with the fix. */
#ifndef HVTRACE_PROBE_H
#define HVTRACE_PROBE_H

#include <stdbool.h>
#include <stddef.h>

enum probe_verdict {
	PROBE_OK,
	PROBE_MISSING, /* a source or a comfort is lost; live works without */
	PROBE_FATAL    /* live cannot work */
};

struct probe_result {
	const char *name; /* "root", "BTF", "block_bio_queue", ... */
	enum probe_verdict verdict;
	char found[128]; /* what is there */
	char fix[160];	 /* "" when OK */
};

/* Runs every check, in the order to print. out has room for max; returns how many. */
size_t probe__run(struct probe_result *out, size_t max);
/* The first fatal result among n, or NULL: what live prints before it gives up. */
const struct probe_result *probe__fatal(const struct probe_result *r, size_t n);

/* Number of arguments of a kernel tracepoint, counted in BTF (vmlinux, or the
 * module that has it), without the leading void *; -ENOENT: no such tracepoint. */
int probe__tracepoint_args(const char *name);

#endif
