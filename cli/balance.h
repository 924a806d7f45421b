/* SPDX-License-Identifier: GPL-2.0 */
/* hvtrace balance: what its parts share. */
#ifndef HVTRACE_BALANCE_CLI_H
#define HVTRACE_BALANCE_CLI_H

#include <stdio.h>

#include "../analysis/plan/appetite.h"
#include "../analysis/plan/losses.h"
#include "../analysis/plan/stepper.h"
#include "balance_journal.h"
#include "balance_options.h"
#include "balance_sight.h"

/* One VM: what moves its memory, and what is seen of it. */
struct balance_vm {
	const struct balance_spec *spec;
	struct actuator *knob;
	struct actuator *cache;	       /* of a probe, beside its balloon; NULL: none */
	struct balance_served *served; /* NULL: it is traced */

	bool reachable, known;	 /* known: it was reachable once */
	char fault[BALANCE_WHY]; /* "": none */
	double retry_at;
	struct actuator_state state;
	__u64 baseline, min, max; /* pages */

	bool counted; /* last is set */
	struct sight_counts last;
	double last_time;
	struct sight_counts recent; /* fading with the half-life, over so many seconds: */
	double recent_seconds;
	double misses, seconds; /* since the last look */

	struct losses *losses;
	struct appetite *appetite; /* as of the last plan; NULL: nothing seen */
};

struct balance {
	const struct balance_options *o;
	struct balance_vm *vms;
	size_t n;
	struct balance_trace *trace; /* NULL: all VMs are served */
	struct journal *journal;     /* NULL: a dry run */
	struct stepper *stepper;
	FILE *log; /* JSON; NULL: none */
	__u64 budget, step, granule;
	double started, next_look, next_plan, looked;
	unsigned long tables;
	bool writes_failed;
	/* The last plan's: pages for each VM, and ms a second by their weights. */
	__u64 *planned;
	double cost, cost_now;
};

/* --- balance_vm.c --- */

/* -ENOMEM. */
int balance_vm__init(struct balance_vm *v, const struct balance_spec *spec, double half_life);
void balance_vm__free(struct balance_vm *v);
pid_t balance_vm__pid(const struct balance_vm *v); /* 0: not known */
/* Read back what it has; what is wrong is in its fault then. -errno. */
int balance_vm__read(struct balance_vm *v);
/* Count what it did since the last time. */
void balance_vm__count(struct balance_vm *v, struct balance_trace *t, double time,
		       double half_life);
/* Its appetite by now; what was seen is remembered. -ENOENT: nothing was seen yet; -errno. */
int balance_vm__see(struct balance_vm *v, struct balance_trace *t, double time);
/* It was seen for long enough to say something. */
bool balance_vm__seen(const struct balance_vm *v, double interval);
double balance_vm__rate(const struct balance_vm *v);	/* misses a second */
double balance_vm__latency(const struct balance_vm *v); /* ns of a miss */

/* --- balance_plan.c --- */

/* A new plan, and what follows of it. -errno. */
int balance__plan(struct balance *b, double time);
/* What a VM misses with so many pages, at most, a second: for the stepper. */
double balance__promise(void *ctx, size_t vm, __u64 pages);
/* What it loses then, ms a second. */
double balance__lost(const struct balance *b, size_t vm, __u64 pages, double time);

/* --- balance_log.c: JSON lines, and the table --- */

void balance_log__start(struct balance *b);
void balance_log__plan(struct balance *b, bool followed, const char *why);
void balance_log__step(struct balance *b, const struct step *s, enum step_result result,
		       const char *fault);
void balance_log__fault(struct balance *b, const struct balance_vm *v);
void balance_log__end(struct balance *b, const char *how);
void balance_log__put_back(struct balance *b, const char *vm, const char *kind, const char *fault);
/* Any other line: consumed. */
void balance_log__line(struct balance *b, json_t *line);

/* --- balance_probe.c --- */

/* Instead of balancing: an exit status. */
int balance__probe(struct balance *b);

/* --- balance_run.c --- */

/* Wait until VMs are to be looked at again. false: it is time to end (then it waits no longer than
 * some 50 ms), or *status is set. */
bool balance__wait(struct balance *b, double *now, int *status);
/* All of it: an exit status. */
int balance__run(const struct balance_options *o);
/* Put back what a journal says. */
int balance__restore(const struct balance_options *o);

#endif
