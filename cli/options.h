/* SPDX-License-Identifier: GPL-2.0 */
/* The options that choose what is traced: the same for live and record. */
#ifndef HVTRACE_OPTIONS_H
#define HVTRACE_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../loader/tracer.h"

struct trace_options {
	double duration; /* seconds, 0 = until a signal */
	pid_t *pids;
	size_t nr_pids;
	const char **names; /* VMs to show, none = all */
	size_t nr_names;
	__u64 sample; /* one page in so many, 0 = adaptive */
	bool off[TRACER_SOURCES];
	bool quiet;
};

enum {
	OPT_VM = 256,
	OPT_SAMPLE,
	OPT_NO_BLOCK,
	OPT_NO_KVM,
	OPT_NO_PAGING,
	OPT_NO_CACHE,
	OPT_OWN /* a subcommand's own long options begin here */
};

#define TRACE_SHORT_OPTIONS "d:p:qh"
/* clang-format off */
#define TRACE_LONG_OPTIONS                                         \
	{ "duration", required_argument, NULL, 'd' },              \
	{ "pid", required_argument, NULL, 'p' },                   \
	{ "quiet", no_argument, NULL, 'q' },                       \
	{ "help", no_argument, NULL, 'h' },                        \
	{ "vm", required_argument, NULL, OPT_VM },                 \
	{ "sample", required_argument, NULL, OPT_SAMPLE },         \
	{ "no-block", no_argument, NULL, OPT_NO_BLOCK },           \
	{ "no-kvm", no_argument, NULL, OPT_NO_KVM },               \
	{ "no-paging", no_argument, NULL, OPT_NO_PAGING },         \
	{ "no-cache", no_argument, NULL, OPT_NO_CACHE }
/* clang-format on */

/* Their part of a --help text. */
extern const char trace_options_help[];

/* Take one option that getopt_long() returned with its argument. 0: taken. -ENOENT: not one of
 * these. Else an exit status, after a line that says what is wrong. */
int trace_options__take(struct trace_options *o, int opt, const char *arg);
void trace_options__free(struct trace_options *o);

#endif
