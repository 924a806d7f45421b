/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A tracing session: the tracer set up and watched over, for live and record.
 * Finds out what is fatal first, chooses the sampling rate, notices VMs that
 * come and go, says what the user has to know, and knows when it is time to end.
 */
#ifndef HVTRACE_SESSION_H
#define HVTRACE_SESSION_H

#include "options.h"

struct session;

struct session_ops {
	/* Events of the VMs that were chosen: after vm_new of theirs, and before vm_ended. */
	void (*events)(void *ctx, const struct page_event *events, size_t n);
	/* A chosen VM is listed for the first time. */
	void (*vm_new)(void *ctx, const struct tracer_vm *vm);
	/* A chosen VM is listed for the last time: its counters can still be read. */
	void (*vm_ended)(void *ctx, const struct tracer_vm *vm);
	/* The sampling threshold is about to be lowered. */
	void (*threshold)(void *ctx, __u64 threshold);
	/* Pages tracked now, and at most; may be NULL. */
	void (*tracked)(void *ctx, __u64 *pages, __u64 *max);
};

/* Probe, load, attach. CLI_DONE, or the exit status after a line that says what failed. */
int session__open(struct session **out, const struct trace_options *o,
		  const struct session_ops *ops, void *ctx);
/* Detaches; NULL is fine. */
void session__close(struct session *s);

/* Waits for events and handles all that came up. Returns 0 or -errno; a signal is no error. */
int session__poll(struct session *s);
/* At the end: hand over what is still held back. */
int session__drain(struct session *s);
/* A signal came, or the time is up. */
bool session__done(const struct session *s);
/* Seconds since everything was attached. */
double session__age(const struct session *s);

struct tracer *session__tracer(const struct session *s);
__u64 session__threshold(const struct session *s);
/* The N of the sampling rate 1/N. */
__u64 session__one_in(const struct session *s);
/* VMs listed now that were chosen. */
size_t session__nr_vms(const struct session *s);
bool session__chosen(const struct session *s, const struct tracer_vm *vm);

#endif
