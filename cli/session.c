// SPDX-License-Identifier: GPL-2.0
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../loader/probe.h"
#include "cli.h"
#include "interrupt.h"
#include "sampling.h"

/* Events are handed over this often: short enough for a prompt Ctrl-C and a smooth ring buffer. */
#define TICK_MS 50
#define MAX_PROBES 64
/* A VM that runs shows within this many seconds: only then is it known that there is none. */
#define SEEN_WITHIN 0.2

struct session {
	const struct trace_options *opts;
	const struct session_ops *ops;
	void *ctx;
	struct tracer *tracer;
	pid_t *pids; /* asked for, and not known to be gone */
	size_t nr_pids;
	struct sampling sampling;
	double started;
	size_t nr_vms;
	bool seen_any, said_waiting;
	char pending[256]; /* the tracer's last warning during set-up */
	/* VM slots: who holds it, as generation + 1 (0 = nobody known). */
	struct {
		__u64 holder;
		bool wanted, ended; /* its events are; its end was told */
	} slots[PE_MAX_VMS];
};

/* --- set-up --- */

static int check_host(void)
{
	struct probe_result results[MAX_PROBES];
	const struct probe_result *fatal;

	fatal = probe__fatal(results, probe__run(results, MAX_PROBES));
	if (!fatal)
		return CLI_DONE;
	return cli__failed("cannot trace: %s: %s; %s", fatal->name, fatal->found, fatal->fix);
}

static void tell_pending(struct session *s)
{
	if (s->pending[0] && !s->opts->quiet)
		cli__note("%s", s->pending);
	s->pending[0] = 0;
}

/* During set-up the last one is kept back: it may be the reason why that fails. */
static void on_warning(void *ctx, const char *line)
{
	struct session *s = ctx;

	tell_pending(s);
	snprintf(s->pending, sizeof(s->pending), "%s", line);
	if (s->started)
		tell_pending(s);
}

static int set_up_failed(struct session *s, const char *what, int err)
{
	if (s->pending[0])
		return cli__failed("cannot %s: %s", what, s->pending);
	return cli__failed("cannot %s: %s; see 'hvtrace doctor'", what, strerror(-err));
}

/* Processes were there when the options were read: what is gone by now has ended since. */
static void drop_ended_pids(struct session *s)
{
	size_t left = 0;

	for (size_t i = 0; i < s->nr_pids; i++) {
		if (!kill(s->pids[i], 0) || errno != ESRCH)
			s->pids[left++] = s->pids[i];
		else if (!s->opts->quiet)
			cli__note("process %d ended before it was traced", (int)s->pids[i]);
	}
	s->nr_pids = left;
}

/* 0, -ESRCH: a process to trace is gone, or a positive exit status. */
static int start_tracer(struct session *s)
{
	struct tracer_opts opts = {
		.sz = sizeof(opts),
		.threshold = s->sampling.threshold,
		.max_frames = sampling__frames(&s->sampling, sysconf(_SC_PHYS_PAGES)),
		.pids = s->pids,
		.nr_pids = s->nr_pids,
		.warn = on_warning,
		.warn_ctx = s,
	};
	int err;

	memcpy(opts.off, s->opts->off, sizeof(opts.off));
	s->tracer = tracer__new(&opts);
	if (!s->tracer)
		return set_up_failed(s, "set up the tracer", -errno);
	err = tracer__load(s->tracer);
	if (err)
		return set_up_failed(s, "load the BPF programs", err);
	err = tracer__attach(s->tracer);
	if (err == -ESRCH)
		return err;
	if (err)
		return set_up_failed(s, "attach", err);
	tell_pending(s);
	return CLI_DONE;
}

/* Each round has fewer processes to wait for, so this ends. */
static int start(struct session *s)
{
	int status;

	do {
		drop_ended_pids(s);
		tracer__free(s->tracer);
		s->pending[0] = 0;
		status = start_tracer(s);
	} while (status == -ESRCH && s->nr_pids);
	return status == -ESRCH ? set_up_failed(s, "attach", status) : status;
}

static struct session *session__new(const struct trace_options *o, const struct session_ops *ops,
				    void *ctx)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->opts = o;
	s->ops = ops;
	s->ctx = ctx;
	s->nr_pids = o->nr_pids;
	s->pids = calloc(o->nr_pids + 1, sizeof(*s->pids));
	if (!s->pids) {
		free(s);
		return NULL;
	}
	if (o->nr_pids)
		memcpy(s->pids, o->pids, o->nr_pids * sizeof(*s->pids));
	sampling__init(&s->sampling, o->sample, cli__now());
	return s;
}

int session__open(struct session **out, const struct trace_options *o,
		  const struct session_ops *ops, void *ctx)
{
	struct session *s;
	int status = check_host();

	*out = NULL;
	if (status)
		return status;
	s = session__new(o, ops, ctx);
	if (!s)
		return cli__failed("out of memory");
	interrupt__catch();
	status = start(s);
	if (status) {
		session__close(s);
		return status;
	}
	s->started = cli__now();
	*out = s;
	return CLI_DONE;
}

void session__close(struct session *s)
{
	if (!s)
		return;
	tracer__free(s->tracer);
	free(s->pids);
	free(s);
}

/* --- what there is to say --- */

static void tell_waiting(struct session *s)
{
	if (s->seen_any || s->said_waiting || session__age(s) < SEEN_WITHIN)
		return;
	s->said_waiting = true;
	if (!s->opts->quiet)
		cli__note("no VM seen yet, waiting; start one, or name a process with -p PID");
}

/* --- VMs --- */

bool session__chosen(const struct session *s, const struct tracer_vm *vm)
{
	for (size_t i = 0; i < s->opts->nr_names; i++)
		if (!strcmp(s->opts->names[i], vm->name))
			return true;
	return !s->opts->nr_names;
}

static void see_new(struct session *s, const struct tracer_vm *vm)
{
	s->slots[vm->id].holder = vm->generation + 1;
	s->slots[vm->id].ended = false;
	s->slots[vm->id].wanted = session__chosen(s, vm);
	if (!s->slots[vm->id].wanted)
		return;
	s->seen_any = true;
	s->ops->vm_new(s->ctx, vm);
}

/* The list may be gone through more than once: a VM is new once and ends once. */
static void see_vm(struct session *s, const struct tracer_vm *vm)
{
	if (s->slots[vm->id].holder != vm->generation + 1)
		see_new(s, vm);
	s->nr_vms += s->slots[vm->id].wanted && !vm->ended;
	if (!vm->ended || s->slots[vm->id].ended)
		return;
	s->slots[vm->id].ended = true;
	if (s->slots[vm->id].wanted)
		s->ops->vm_ended(s->ctx, vm);
	/* The slot's next holder is nobody's choice before it is seen. */
	s->slots[vm->id].wanted = false;
}

static __u64 see_vms(struct session *s)
{
	__u64 guest_pages = 0;

	s->nr_vms = 0;
	for (size_t i = 0; i < tracer__nr_vms(s->tracer); i++) {
		const struct tracer_vm *vm = tracer__vm(s->tracer, i);

		guest_pages += vm->ended ? 0 : vm->mem_pages;
		see_vm(s, vm);
	}
	return guest_pages;
}

/* --- events --- */

static void on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct session *s = ctx;
	size_t begin = 0, i;

	see_vms(s);
	/* Runs of wanted events are passed on whole. */
	for (i = 0; i < n; i++) {
		if (s->slots[events[i].vm].wanted)
			continue;
		if (i > begin)
			s->ops->events(s->ctx, events + begin, i - begin);
		begin = i + 1;
	}
	if (i > begin)
		s->ops->events(s->ctx, events + begin, i - begin);
}

static void adapt(struct session *s, __u64 guest_pages)
{
	struct sampling_load load = {.now = cli__now(), .guest_pages = guest_pages};
	__u64 before = s->sampling.threshold, lowered;
	struct tracer_loss loss = {0};
	const char *why;

	if (tracer__loss(s->tracer, &loss))
		return;
	load.events = loss.events;
	load.dropped = loss.dropped;
	load.frames = loss.frames;
	if (s->ops->tracked)
		s->ops->tracked(s->ctx, &load.tracked, &load.max_pages);
	why = sampling__update(&s->sampling, &load);
	if (!why)
		return;
	/* What was counted so far was sampled at the old rate. */
	lowered = s->sampling.threshold;
	s->sampling.threshold = before;
	s->ops->threshold(s->ctx, lowered);
	s->sampling.threshold = lowered;
	tracer__set_threshold(s->tracer, lowered);
	if (!s->opts->quiet)
		cli__note("sampling 1/%llu of the pages from here on: %s", session__one_in(s), why);
}

int session__poll(struct session *s)
{
	int n = tracer__poll(s->tracer, TICK_MS, on_events, s);

	if (n < 0 && n != -EINTR)
		return n;
	adapt(s, see_vms(s));
	tell_waiting(s);
	return 0;
}

int session__drain(struct session *s)
{
	int n = tracer__drain(s->tracer, on_events, s);

	see_vms(s);
	return n < 0 ? n : 0;
}

bool session__done(const struct session *s)
{
	return interrupt__came() || (s->opts->duration && session__age(s) >= s->opts->duration);
}

double session__age(const struct session *s)
{
	return cli__now() - s->started;
}

struct tracer *session__tracer(const struct session *s)
{
	return s->tracer;
}

__u64 session__threshold(const struct session *s)
{
	return s->sampling.threshold;
}

__u64 session__one_in(const struct session *s)
{
	return sampling__one_in(s->sampling.threshold);
}

size_t session__nr_vms(const struct session *s)
{
	return s->nr_vms;
}
