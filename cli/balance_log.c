// SPDX-License-Identifier: GPL-2.0
/* What balance tells: JSON lines with every decision and its reason, and a table for the eyes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../analysis/size.h"
#include "balance.h"
#include "cli.h"
#include "columns.h"

/* The heading is repeated after so many tables. */
#define HEAD_EVERY 20

/* --- JSON --- */

static json_t *bytes(__u64 pages)
{
	return json_integer(pages * PAGE_BYTES);
}

/* JSON has no infinity. */
static json_t *real(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *wall_time(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static void write_to(struct balance *b, FILE *f, const json_t *line)
{
	if (json_dumpf(line, f, JSON_COMPACT | JSON_REAL_PRECISION(9)) || fputc('\n', f) == EOF ||
	    fflush(f))
		b->writes_failed |= f != stdout;
}

void balance_log__line(struct balance *b, json_t *line)
{
	if (line) {
		json_object_set_new(line, "time", wall_time());
		json_object_set_new(line, "time_s", json_real(cli__now() - b->started));
		if (b->log)
			write_to(b, b->log, line);
		if (b->o->json)
			write_to(b, stdout, line);
	}
	json_decref(line);
}

static json_t *vm_json(const struct balance *b, size_t i)
{
	const struct balance_vm *v = &b->vms[i];
	struct appetite_loss at = {0};
	struct stepper_vm s;

	stepper__vm(b->stepper, i, b->looked, &s);
	if (v->appetite)
		appetite__at(v->appetite, b->planned[i], &at);
	return json_pack(
		"{s:s,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:o,s:b,s:b}", "vm",
		v->spec->name, "reachable", s.reachable, "now_bytes", bytes(s.now), "target_bytes",
		bytes(s.target), "planned_bytes", bytes(b->planned[i]), "min_bytes", bytes(v->min),
		"max_bytes", bytes(v->max), "misses_per_s", real(balance_vm__rate(v)),
		"miss_latency_ns", real(balance_vm__latency(v)), "lost_ms_per_s",
		real(balance__lost(b, i, s.target, b->looked)), "planned_lost_ms_per_s",
		real(balance__lost(b, i, b->planned[i], b->looked)), "planned_error_ms_per_s",
		real(v->appetite && at.known ? at.lost.upper - at.lost.guess : INFINITY),
		"planned_known", v->appetite && at.known, "promised_misses_per_s", real(s.promised),
		"frozen", s.frozen, "follows", s.follows);
}

static json_t *vms_json(const struct balance *b)
{
	json_t *vms = json_array();

	for (size_t i = 0; i < b->n; i++)
		json_array_append_new(vms, vm_json(b, i));
	return vms;
}

void balance_log__start(struct balance *b)
{
	balance_log__line(b, json_pack("{s:s,s:b,s:o,s:o,s:o,s:f,s:s}", "type", "start", "apply",
				       b->o->apply, "budget_bytes", bytes(b->budget), "step_bytes",
				       bytes(b->step), "granule_bytes", bytes(b->granule),
				       "interval_s", b->o->interval, "on_exit",
				       b->o->on_exit == EXIT_KEEP ? "keep" : "restore"));
}

/* --- steps --- */

static const char *const names[] = {
	[STEP_TAKE] = "take",	    [STEP_GIVE] = "give",	[STEP_GUARD] = "give back",
	[STEP_RECLAIM] = "reclaim", [STEP_RELEASE] = "release",
};

static void reason_of(const struct balance *b, const struct step *s, char *out, size_t size)
{
	const struct balance_vm *v = &b->vms[s->vm];
	double gain = balance__lost(b, s->vm, s->from, b->looked) -
		      balance__lost(b, s->vm, s->to, b->looked);
	double misses;

	switch (s->kind) {
	case STEP_TAKE:
		snprintf(out, size, "%s; promised: at most %.4g misses/s",
			 losses__at(v->losses, s->to, b->looked, &misses)
				 ? "as far as is known others need it more"
				 : "a trial: nothing shows that it is needed",
			 s->promised);
		break;
	case STEP_GIVE:
		snprintf(out, size, "the plan; this step saves it %.3g ms/s", gain > 0 ? gain : 0);
		break;
	case STEP_GUARD:
		snprintf(out, size, "it missed %.4g/s, promised were at most %.4g/s%s", s->observed,
			 s->promised,
			 s->to == s->from ? "; but there is no memory to give back" : "");
		break;
	case STEP_RECLAIM:
		snprintf(out, size, "a VM misses more than it was promised, and gets this back");
		break;
	case STEP_RELEASE:
		snprintf(out, size,
			 "its guest does not follow its target: let alone for %g s, with what it "
			 "has",
			 b->o->freeze);
		break;
	}
}

static void tell_step(const struct balance *b, const struct step *s, const char *reason,
		      enum step_result result, const char *fault)
{
	char from[SIZE_TEXT], to[SIZE_TEXT];

	if (b->o->quiet || b->o->json)
		return;
	cli__note("%s%s: %s, %s to %s: %s%s%s", result == STEP_LEFT ? "would do: " : "",
		  b->vms[s->vm].spec->name, names[s->kind], size__format(s->from, from),
		  size__format(s->to, to), reason, fault ? "; failed: " : "", fault ?: "");
}

void balance_log__step(struct balance *b, const struct step *s, enum step_result result,
		       const char *fault)
{
	char reason[BALANCE_WHY];

	reason_of(b, s, reason, sizeof(reason));
	tell_step(b, s, reason, result, fault);
	balance_log__line(b, json_pack("{s:s,s:s,s:s,s:o,s:o,s:s,s:o,s:o,s:b,s:s*}", "type", "step",
				       "vm", b->vms[s->vm].spec->name, "action", names[s->kind],
				       "from_bytes", bytes(s->from), "to_bytes", bytes(s->to),
				       "reason", reason, "observed_misses_per_s", real(s->observed),
				       "promised_misses_per_s", real(s->promised), "applied",
				       result == STEP_DONE, "error", fault));
}

void balance_log__fault(struct balance *b, const struct balance_vm *v)
{
	if (!b->o->json)
		cli__note("%s: %s", v->spec->name, v->fault[0] ? v->fault : "is there again");
	balance_log__line(b, json_pack("{s:s,s:s,s:b,s:s*}", "type", "vm", "vm", v->spec->name,
				       "reachable", v->reachable, "error",
				       v->fault[0] ? v->fault : NULL));
}

void balance_log__put_back(struct balance *b, const char *vm, const char *kind, const char *fault)
{
	if (fault || !b->o->quiet)
		cli__note("%s: %s%s%s", vm, kind, fault ? ": " : " put back as it was",
			  fault ?: "");
	balance_log__line(b, json_pack("{s:s,s:s,s:s,s:b,s:s*}", "type", "put back", "vm", vm,
				       "kind", kind, "done", fault == NULL, "error", fault));
}

void balance_log__end(struct balance *b, const char *how)
{
	balance_log__line(b, json_pack("{s:s,s:s}", "type", "end", "how", how));
}

/* --- the table --- */

struct row {
	const char *name;
	double now, planned, misses, latency, lost, after, error, promised;
};

#define VALUE(field)                                                                               \
	static double get_##field(const void *of)                                                  \
	{                                                                                          \
		return ((const struct row *)of)->field;                                            \
	}
VALUE(now)
VALUE(planned)
VALUE(misses)
VALUE(latency)
VALUE(lost)
VALUE(after)
VALUE(error)
VALUE(promised)

static void format_ms(char buf[COLUMN_TEXT], double v)
{
	snprintf(buf, COLUMN_TEXT, v < 99.95 ? "%.1f" : "%.0f", v);
}

static const struct column columns[] = {
	{"VM", "vm", 14, NULL, NULL, NULL},
	{"NOW", "now", 6, get_now, columns__format_pages, NULL},
	{"PLAN", "plan", 6, get_planned, columns__format_pages, NULL},
	{"MISS/s", "misses", 7, get_misses, columns__format_count, NULL},
	{"LATENCY", "latency", 7, get_latency, columns__format_ns, NULL},
	{"LOST ms/s", "lost", 9, get_lost, format_ms, NULL},
	{"THEN ms/s", "then", 9, get_after, format_ms, NULL},
	{"+/-", "error", 6, get_error, format_ms, NULL},
	{"PROMISED/s", "promised", 10, get_promised, columns__format_count, NULL},
};
#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void put_row(const struct balance *b, size_t i)
{
	const struct balance_vm *v = &b->vms[i];
	struct appetite_loss at = {0};
	struct stepper_vm s;
	struct row row;

	stepper__vm(b->stepper, i, b->looked, &s);
	if (v->appetite)
		appetite__at(v->appetite, b->planned[i], &at);
	row = (struct row){
		.now = s.now,
		.planned = b->planned[i],
		.misses = v->counted ? balance_vm__rate(v) : NAN,
		.latency = v->counted ? balance_vm__latency(v) : NAN,
		.lost = balance__lost(b, i, s.target, b->looked),
		.after = balance__lost(b, i, b->planned[i], b->looked),
		.error = at.known ? at.lost.upper - at.lost.guess : NAN,
		.promised = isfinite(s.promised) ? s.promised : NAN,
	};
	columns__row(stdout, columns, NR_COLUMNS, v->spec->name, &row);
}

static void put_table(struct balance *b, const char *why)
{
	char held[SIZE_TEXT], budget[SIZE_TEXT];

	if (b->tables++ % HEAD_EVERY == 0)
		columns__head(stdout, columns, NR_COLUMNS);
	for (size_t i = 0; i < b->n; i++)
		if (b->vms[i].known)
			put_row(b, i);
	printf("%s of %s | %s%s\n", size__format(stepper__held(b->stepper), held),
	       size__format(b->budget, budget), why, b->o->apply ? "" : " | dry run");
	cli__flush();
}

void balance_log__plan(struct balance *b, bool followed, const char *why)
{
	balance_log__line(b, json_pack("{s:s,s:b,s:s,s:o,s:o,s:o,s:o}", "type", "plan", "followed",
				       followed, "reason", why, "cost_ms_per_s", real(b->cost),
				       "cost_now_ms_per_s", real(b->cost_now), "held_bytes",
				       bytes(stepper__held(b->stepper)), "vms", vms_json(b)));
	if (!b->o->json)
		put_table(b, why);
}
