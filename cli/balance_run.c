// SPDX-License-Identifier: GPL-2.0
/* The loop of balance: look twice a second, plan once an interval, carry out what is next. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../analysis/size.h"
#include "balance.h"
#include "cli.h"
#include "interrupt.h"

/* Seconds between looks, and until a VM that was not to be reached is tried again. */
#define LOOK 0.5
#define RETRY 2
#define TICK_US 50000

static int tick(struct balance *b)
{
	int err = 0;

	if (b->trace)
		err = balance_trace__poll(b->trace);
	else
		usleep(TICK_US);
	return err ? cli__failed("tracing stopped: %s", strerror(-err)) : CLI_DONE;
}

static bool is_over(const struct balance *b, double now)
{
	return interrupt__came() || (b->o->duration && now - b->started >= b->o->duration);
}

bool balance__wait(struct balance *b, double *now, int *status)
{
	do {
		*status = tick(b);
		*now = cli__now();
	} while (!*status && *now < b->next_look && !is_over(b, *now));
	b->next_look = *now + LOOK;
	return !*status && !is_over(b, *now);
}

/* --- what was --- */

static int note(struct balance *b, const struct balance_vm *v, char *why, size_t size)
{
	const struct balance_spec *s = v->spec;
	int err = journal__note(b->journal, s->name, s->disk, v->knob, why, size);

	if (!err && v->cache && b->o->probe_vm)
		err = journal__note(b->journal, s->name, s->disk, v->cache, why, size);
	return err;
}

static int note_all(struct balance *b, char *why, size_t size)
{
	int err = 0;

	for (size_t i = 0; i < b->n && !err; i++)
		if (b->vms[i].known)
			err = note(b, &b->vms[i], why, size);
	return err ?: journal__write(b->journal, b->o->on_exit == EXIT_KEEP, why, size);
}

/* --- looking --- */

static void look_away(struct balance *b, size_t i, double time)
{
	struct balance_vm *v = &b->vms[i];

	stepper__lose(b->stepper, i);
	v->retry_at = time + RETRY;
}

/* What it has is what all may have together, unless that was told; and what is to be put back. */
static int welcome(struct balance *b, struct balance_vm *v)
{
	int err = 0;

	if (b->journal)
		err = note(b, v, v->fault, sizeof(v->fault))
			      ?: journal__write(b->journal, b->o->on_exit == EXIT_KEEP, v->fault,
						sizeof(v->fault));
	if (err || b->o->memory)
		return err;
	b->budget += v->state.now;
	stepper__set_budget(b->stepper, b->budget);
	return 0;
}

static void look_at(struct balance *b, size_t i, double time)
{
	struct balance_vm *v = &b->vms[i];
	bool was = v->reachable, first = !v->known;
	struct stepper_seen seen;
	int err = balance_vm__read(v);

	if (!err && first) {
		err = welcome(b, v);
		v->known = v->reachable = !err;
	}
	if (v->reachable != was)
		balance_log__fault(b, v);
	if (err) {
		look_away(b, i, time);
		return;
	}
	balance_vm__count(v, b->trace, time, b->o->half_life);
	seen = (struct stepper_seen){
		.now = v->state.now,
		.least = v->state.least,
		.min = v->min,
		.max = v->max,
		.misses = v->misses,
		.seconds = v->seconds,
	};
	stepper__look(b->stepper, i, &seen, time);
}

static void look(struct balance *b, double time)
{
	b->looked = time;
	for (size_t i = 0; i < b->n; i++)
		if (b->vms[i].reachable || time >= b->vms[i].retry_at)
			look_at(b, i, time);
}

/* --- acting --- */

static enum step_result carry_out(struct balance *b, const struct step *s, char *fault, size_t size)
{
	if (!b->o->apply)
		return STEP_LEFT;
	if (s->to == s->from)
		return STEP_DONE;
	return actuator__set(b->vms[s->vm].knob, s->to, fault, size) ? STEP_FAILED : STEP_DONE;
}

static void act(struct balance *b, double time)
{
	struct step s;

	while (stepper__next(b->stepper, time, &s)) {
		char fault[BALANCE_WHY] = "";
		enum step_result result = carry_out(b, &s, fault, sizeof(fault));

		balance_log__step(b, &s, result, fault[0] ? fault : NULL);
		stepper__done(b->stepper, &s, result, time);
	}
}

static int balance_on(struct balance *b)
{
	int status, err;
	double now;

	while (balance__wait(b, &now, &status)) {
		look(b, now);
		if (now >= b->next_plan) {
			b->next_plan = now + b->o->interval;
			err = balance__plan(b, now);
			if (err)
				return cli__failed("no plan: %s", strerror(-err));
		}
		act(b, now);
		if (b->writes_failed)
			return cli__failed("cannot write to the log '%s'", b->o->log);
	}
	return status;
}

/* --- set-up --- */

static int set_up_vms(struct balance *b)
{
	b->n = b->o->nr_vms;
	b->vms = calloc(b->n, sizeof(*b->vms));
	b->planned = calloc(b->n, sizeof(*b->planned));
	if (!b->vms || !b->planned)
		return cli__failed("out of memory");
	for (size_t i = 0; i < b->n; i++)
		if (balance_vm__init(&b->vms[i], &b->o->vms[i], b->o->half_life))
			return cli__failed("out of memory");
	return CLI_DONE;
}

/* Those that cannot be reached are left out until they can; but one there must be. */
static int reach_vms(struct balance *b)
{
	size_t reached = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (!balance_vm__read(&b->vms[i]))
			reached++;
		else if (b->n == 1)
			return cli__failed("%s: %s", b->vms[i].spec->name, b->vms[i].fault);
		else
			cli__note("%s: %s; left out until then", b->vms[i].spec->name,
				  b->vms[i].fault);
		b->budget += b->vms[i].state.now;
	}
	return reached ? CLI_DONE : cli__failed("no VM can be reached");
}

static __u64 power_of_two(__u64 n)
{
	return n ? 1ULL << (63 - __builtin_clzll(n)) : 1;
}

static int set_up_sizes(struct balance *b)
{
	if (b->o->memory)
		b->budget = b->o->memory;
	b->granule = power_of_two(b->budget / 1024);
	b->step = b->o->step ?: power_of_two(b->budget / b->n / 16);
	for (size_t i = 0; i < b->n; i++) {
		b->vms[i].losses = losses__new(b->granule, b->o->remember);
		if (!b->vms[i].losses)
			return cli__failed("out of memory");
	}
	return CLI_DONE;
}

static int set_up_stepper(struct balance *b)
{
	const struct balance_options *o = b->o;
	struct stepper_opts opts = {
		.sz = sizeof(opts),
		.budget = b->budget,
		.step = b->step,
		.settle = o->settle ?: o->interval,
		.window = 1,
		.patience = o->patience,
		.freeze = o->freeze,
		.floor = o->remember,
		.slack = o->slack,
		.margin = o->margin,
		.least_gain = o->gain,
	};

	b->stepper = stepper__new(&opts, b->n, balance__promise, b);
	return b->stepper ? CLI_DONE : cli__failed("out of memory");
}

static int set_up_trace(struct balance *b)
{
	pid_t pids[b->n];
	size_t n = 0, traced = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct balance_vm *v = &b->vms[i];
		pid_t pid = balance_vm__pid(v);

		traced += !v->served;
		if (!v->served && pid)
			pids[n++] = pid;
	}
	return traced ? balance_trace__open(&b->trace, b->o, pids, n) : CLI_DONE;
}

static int set_up_log(struct balance *b)
{
	if (!b->o->log)
		return CLI_DONE;
	b->log = fopen(b->o->log, "ae");
	return b->log ? CLI_DONE
		      : cli__failed("cannot write to the log '%s': %s", b->o->log, strerror(errno));
}

/* --- putting back --- */

static void on_put_back(void *ctx, const char *vm, const char *kind, const char *fault)
{
	balance_log__put_back(ctx, vm, kind, fault);
}

static int put_back(struct balance *b)
{
	char why[BALANCE_WHY];
	int failed = journal__restore(b->journal, on_put_back, b, why, sizeof(why));

	if (failed < 0)
		return cli__failed("%s", why);
	return failed ? cli__failed("not all could be put back: 'hvtrace balance --restore' tries "
				    "again")
		      : CLI_DONE;
}

/* A journal that was left over is of a balance that died with its watchman. */
static int set_up_journal(struct balance *b)
{
	char why[BALANCE_WHY];
	int status = CLI_DONE, err;

	if (!b->o->apply)
		return CLI_DONE;
	if (journal__open(&b->journal, b->o->journal ?: BALANCE_JOURNAL, why, sizeof(why)))
		return cli__failed("%s", why);
	if (journal__is_due(b->journal)) {
		cli__note("another balance left its journal behind: what it changed is put back");
		status = put_back(b);
	}
	if (status) {
		/* It stays, for --restore. */
		journal__close(b->journal);
		b->journal = NULL;
		return status;
	}
	err = b->o->on_exit == EXIT_RESTORE ? journal__watch(b->journal) : 0;
	return err ? cli__failed("cannot start the watchman: %s", strerror(-err)) : CLI_DONE;
}

static int begin_journal(struct balance *b)
{
	char why[BALANCE_WHY];

	if (!b->journal)
		return CLI_DONE;
	return note_all(b, why, sizeof(why)) ? cli__failed("%s", why) : CLI_DONE;
}

static int end_journal(struct balance *b)
{
	int status = CLI_DONE;

	if (!b->journal)
		return CLI_DONE;
	if (journal__is_due(b->journal))
		status = put_back(b);
	else
		journal__clear(b->journal);
	journal__dismiss(b->journal);
	return status;
}

/* --- all of it --- */

/* The watchman is there before anything is opened that it would hold open. */
static int set_up(struct balance *b)
{
	int status = set_up_log(b) ?: set_up_journal(b) ?: set_up_vms(b) ?: reach_vms(b);

	interrupt__catch();
	return status ?: set_up_sizes(b)
			       ?: set_up_stepper(b) ?: set_up_trace(b) ?: begin_journal(b);
}

/* QEMU speaks to one client of a socket at a time: what is put back is so over new connections. */
static void let_go(struct balance *b)
{
	for (size_t i = 0; i < b->n && b->vms; i++)
		balance_vm__free(&b->vms[i]);
	free(b->vms);
	b->vms = NULL;
	b->n = 0;
}

static void tear_down(struct balance *b)
{
	balance_trace__close(b->trace);
	stepper__free(b->stepper);
	let_go(b);
	free(b->planned);
	journal__close(b->journal);
	if (b->log)
		fclose(b->log);
}

int balance__run(const struct balance_options *o)
{
	struct balance b = {.o = o, .started = cli__now()};
	int status = set_up(&b), end;

	if (!status) {
		balance_log__start(&b);
		status = o->probe_vm ? balance__probe(&b) : balance_on(&b);
	}
	let_go(&b);
	end = end_journal(&b);
	balance_log__end(&b, !o->apply		       ? "dry run"
			     : o->on_exit == EXIT_KEEP ? "left as last stated"
			     : end		       ? "not all could be put back"
						       : "put back as it was");
	tear_down(&b);
	return status ?: end ?: cli__flush();
}

int balance__restore(const struct balance_options *o)
{
	struct balance b = {.o = o, .started = cli__now()};
	char why[BALANCE_WHY];
	int status = set_up_log(&b);

	if (!status && journal__open(&b.journal, o->journal ?: BALANCE_JOURNAL, why, sizeof(why)))
		status = cli__failed("%s", why);
	if (!status && !journal__full(b.journal))
		cli__note("there is no journal '%s': nothing to put back",
			  o->journal ?: BALANCE_JOURNAL);
	else if (!status)
		status = put_back(&b);
	tear_down(&b);
	return status;
}
