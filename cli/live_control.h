/* SPDX-License-Identifier: GPL-2.0 */
/* What a running live can be asked over its control socket: the VMs, and their curves. */
#ifndef HVTRACE_LIVE_CONTROL_H
#define HVTRACE_LIVE_CONTROL_H

#include "../analysis/engine.h"
#include "watch.h"

struct live_control;

/* Lives as long as the control; what it points to is live's. */
struct live_control_opts {
	const char *path; /* to listen at */
	const struct watch_list *list;
	const struct engine *engine;
	void (*account)(void *ctx); /* take over what the tracer knows by now */
	void *ctx;
};

/* -errno, with a sentence in why. */
int live_control__open(struct live_control **out, const struct live_control_opts *o, char *why,
		       size_t size);
/* NULL is fine. */
void live_control__close(struct live_control *c);
/* Answer what was asked, without waiting. */
void live_control__turn(struct live_control *c);

#endif
