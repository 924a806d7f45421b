// SPDX-License-Identifier: GPL-2.0
#include "stepper.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "../../cache/minmax.h"

/* Misses in a window that say nothing, whatever was promised. */
#define FEW_MISSES 16

struct mover {
	bool known, reachable;
	struct stepper_seen seen;
	__u64 target, aim, start;

	/* following */
	double near_at; /* when it was last seen to come nearer */
	__u64 near;	/* how far it was off then */
	double frozen_until, left_until, took_at, gave_at;

	/* the guard */
	double promised, promised_before; /* before the last take */
	__u64 before_take, base;	  /* before the last take, and before all since `start` */
	bool tripped, again;		  /* again: what the last take took is back already */
	__u64 owed;			  /* the size that the guard wants for it; 0: none */
	__u64 floor;
	double floor_until, guard_from;
	double misses, seconds; /* of the window so far */
	double observed, broken;
};

struct stepper {
	struct stepper_opts o;
	double (*promise)(void *ctx, size_t vm, __u64 pages);
	void *ctx;
	size_t n;
	struct mover vms[];
};

struct stepper *stepper__new(const struct stepper_opts *o, size_t n,
			     double (*promise)(void *ctx, size_t vm, __u64 pages), void *ctx)
{
	struct stepper *s;

	if (o->sz != sizeof(*o) || !o->step || !n || !(o->window > 0)) {
		errno = EINVAL;
		return NULL;
	}
	s = calloc(1, sizeof(*s) + n * sizeof(s->vms[0]));
	if (!s)
		return NULL;
	s->o = *o;
	s->n = n;
	s->promise = promise;
	s->ctx = ctx;
	return s;
}

void stepper__free(struct stepper *s)
{
	free(s);
}

/* What a guest may be off its target: balloons work in units of their own. */
static __u64 tolerance(const struct stepper *s)
{
	return larger(s->o.step / 8, 1);
}

static __u64 off(const struct mover *m)
{
	return larger(m->seen.now, m->target) - smaller(m->seen.now, m->target);
}

static bool follows(const struct stepper *s, const struct mover *m)
{
	return off(m) <= tolerance(s);
}

static __u64 held(const struct mover *m)
{
	return m->known ? larger(m->seen.now, m->target) : 0;
}

__u64 stepper__held(const struct stepper *s)
{
	__u64 sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += held(&s->vms[i]);
	return sum;
}

void stepper__set_budget(struct stepper *s, __u64 pages)
{
	s->o.budget = pages;
}

static __u64 spare(const struct stepper *s)
{
	__u64 sum = stepper__held(s);

	return sum < s->o.budget ? s->o.budget - sum : 0;
}

/* --- what is seen --- */

static void begin(struct mover *m, __u64 now, double time)
{
	*m = (struct mover){
		.known = true,
		.target = now,
		.aim = now,
		.start = now,
		.base = now,
		.near_at = time,
		.took_at = -INFINITY,
		.gave_at = -INFINITY,
		.frozen_until = -INFINITY,
		.left_until = -INFINITY,
		.floor_until = -INFINITY,
		.guard_from = -INFINITY,
		.promised = INFINITY,
	};
}

static void look_how_near(const struct stepper *s, struct mover *m, double time)
{
	if (follows(s, m) || off(m) + tolerance(s) <= m->near) {
		m->near = off(m);
		m->near_at = time;
	}
}

/* Poisson: counts lie within three of their roots. */
static bool too_many(const struct stepper *s, const struct mover *m)
{
	double expected = m->promised * m->seconds;

	return m->misses > expected * (1 + s->o.slack) + 3 * sqrt(expected) + FEW_MISSES;
}

static void count_anew(struct mover *m)
{
	m->misses = m->seconds = 0;
}

/* A promise is held against the misses of whole windows. */
static void look_at_misses(const struct stepper *s, struct mover *m, double time)
{
	if (time < m->guard_from || m->owed || m->tripped)
		return;
	m->misses += m->seen.misses;
	m->seconds += m->seen.seconds;
	if (m->seconds < s->o.window)
		return;
	m->observed = m->misses / m->seconds;
	if (isfinite(m->promised) && too_many(s, m)) {
		m->tripped = true;
		m->broken = m->promised;
	}
	count_anew(m);
}

void stepper__look(struct stepper *s, size_t vm, const struct stepper_seen *seen, double time)
{
	struct mover *m = &s->vms[vm];

	if (!m->known)
		begin(m, seen->now, time);
	m->reachable = true;
	m->seen = *seen;
	look_how_near(s, m, time);
	look_at_misses(s, m, time);
}

void stepper__lose(struct stepper *s, size_t vm)
{
	s->vms[vm].reachable = false;
}

/* --- plans --- */

static bool can_move(const struct mover *m, double time)
{
	return m->known && m->reachable && time >= m->frozen_until && time >= m->left_until;
}

void stepper__bounds(const struct stepper *s, size_t vm, double time, __u64 *least, __u64 *most)
{
	const struct mover *m = &s->vms[vm];

	*least = *most = m->target;
	if (!m->known || !m->reachable || time < m->frozen_until)
		return;
	*least = m->seen.min;
	if (time < m->floor_until)
		*least = larger(*least, smaller(m->floor, m->target));
	*most = larger(*least, m->seen.max);
}

/* Something is not as it was said to be. */
static bool must_move(const struct stepper *s)
{
	bool must = stepper__held(s) > s->o.budget;

	for (size_t i = 0; i < s->n; i++)
		must |= s->vms[i].known && (s->vms[i].target < s->vms[i].seen.min ||
					    s->vms[i].target > s->vms[i].seen.max);
	return must;
}

bool stepper__aim(struct stepper *s, const __u64 *pages, double cost, double cost_now)
{
	double saved = cost_now - cost;
	bool worth = must_move(s) ||
		     (saved > 0 && saved >= s->o.least_gain && saved >= s->o.margin * cost_now);

	for (size_t i = 0; i < s->n; i++)
		s->vms[i].aim = worth ? pages[i] : s->vms[i].target;
	return worth;
}

/* --- steps: each kind by itself, the most urgent first --- */

static bool say(struct step *out, const struct stepper *s, size_t vm, enum step_kind kind, __u64 to)
{
	const struct mover *m = &s->vms[vm];

	*out = (struct step){
		.vm = vm,
		.kind = kind,
		.from = m->target,
		.to = to,
		.observed = m->observed,
		.promised = kind == STEP_GUARD ? m->broken : m->promised,
	};
	return true;
}

/* The size at which the last promise held, or the one before there was any. */
static __u64 back_to(const struct mover *m)
{
	return m->again ? m->base : m->before_take;
}

static __u64 wanted_by_guard(const struct mover *m)
{
	return m->tripped ? larger(back_to(m), m->owed) : m->owed;
}

static bool give_back(const struct stepper *s, double time, struct step *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct mover *m = &s->vms[i];
		__u64 want = wanted_by_guard(m), to = smaller(want, m->target + spare(s));

		if (want <= m->target || !can_move(m, time))
			continue;
		if (to == want || to >= m->target + tolerance(s))
			return say(out, s, i, STEP_GUARD, to);
	}
	return false;
}

/* What the guard wants and neither is there nor on its way. */
static __u64 lacking(const struct stepper *s, double time)
{
	__u64 want = 0, there = spare(s);

	for (size_t i = 0; i < s->n; i++) {
		const struct mover *m = &s->vms[i];

		if (wanted_by_guard(m) > m->target && can_move(m, time))
			want += wanted_by_guard(m) - m->target;
		there += held(m) - m->target;
	}
	return want > there ? want - there : 0;
}

static bool reclaim(const struct stepper *s, double time, struct step *out)
{
	__u64 lack = lacking(s, time), most = 0;
	size_t from = 0;

	for (size_t i = 0; i < s->n && lack; i++) {
		const struct mover *m = &s->vms[i];
		__u64 keep = larger(larger(m->start, m->seen.min), m->seen.least);

		if (m->owed || m->tripped || !can_move(m, time) || m->target <= keep ||
		    m->target - keep <= most)
			continue;
		most = m->target - keep;
		from = i;
	}
	return most && say(out, s, from, STEP_RECLAIM, s->vms[from].target - smaller(most, lack));
}

/* The guard wants what nobody has: the VM has to do with what it got. */
static bool give_up(const struct stepper *s, double time, struct step *out)
{
	bool under_way = false;

	for (size_t i = 0; i < s->n; i++)
		under_way |= held(&s->vms[i]) > s->vms[i].target;
	for (size_t i = 0; i < s->n && !under_way; i++) {
		const struct mover *m = &s->vms[i];

		if ((m->tripped || m->owed) && can_move(m, time))
			return say(out, s, i, STEP_GUARD, m->target);
	}
	return false;
}

static bool release(const struct stepper *s, double time, struct step *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct mover *m = &s->vms[i];

		if (can_move(m, time) && !follows(s, m) && time - m->near_at >= s->o.patience)
			return say(out, s, i, STEP_RELEASE, m->seen.now);
	}
	return false;
}

static bool give(const struct stepper *s, double time, struct step *out)
{
	__u64 room = spare(s);

	for (size_t i = 0; i < s->n; i++) {
		const struct mover *m = &s->vms[i];
		__u64 to = smaller(smaller(m->aim, m->target + s->o.step), m->target + room);

		if (to <= m->target || !can_move(m, time) || !follows(s, m) || m->owed)
			continue;
		if (to == m->aim || to >= m->target + tolerance(s))
			return say(out, s, i, STEP_GIVE, to);
	}
	return false;
}

static bool has_settled(const struct stepper *s, const struct mover *m, double time)
{
	return follows(s, m) && !m->owed && !m->tripped && time - m->took_at >= s->o.settle &&
	       time - m->gave_at >= s->o.settle;
}

static bool take(const struct stepper *s, double time, struct step *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct mover *m = &s->vms[i];
		__u64 least, most, to;

		if (m->aim >= m->target || !can_move(m, time) || !has_settled(s, m, time))
			continue;
		stepper__bounds(s, i, time, &least, &most);
		least = larger(least, m->seen.least);
		to = larger(larger(m->aim, least),
			    m->target > s->o.step ? m->target - s->o.step : 0);
		if (to >= m->target || (to != m->aim && m->target - to < tolerance(s)))
			continue;
		say(out, s, i, STEP_TAKE, to);
		out->promised = s->promise(s->ctx, i, to);
		return true;
	}
	return false;
}

bool stepper__next(const struct stepper *s, double time, struct step *out)
{
	return give_back(s, time, out) || reclaim(s, time, out) || give_up(s, time, out) ||
	       release(s, time, out) || give(s, time, out) || take(s, time, out);
}

/* --- what a step leaves behind --- */

static void promise_nothing(struct mover *m)
{
	m->promised = m->promised_before = INFINITY;
	m->base = m->before_take = m->target;
	m->again = false;
}

static void took(struct mover *m, const struct step *step, double time)
{
	if (!isfinite(m->promised))
		m->base = step->from;
	m->before_take = step->from;
	m->promised_before = m->promised;
	m->promised = step->promised;
	m->again = false;
	m->took_at = time;
	count_anew(m);
}

static void gave(struct mover *m, double time)
{
	m->gave_at = time;
	if (m->target >= m->base)
		promise_nothing(m);
}

static void guarded(const struct stepper *s, struct mover *m, const struct step *step, double time)
{
	if (m->tripped) {
		m->owed = wanted_by_guard(m);
		m->floor = m->owed;
		m->floor_until = time + s->o.floor;
		m->promised = m->again || m->before_take >= m->base ? INFINITY : m->promised_before;
		m->again = true;
		m->tripped = false;
	}
	m->aim = larger(m->aim, m->owed);
	if (step->to < m->owed && step->to > step->from)
		return;
	m->owed = 0;
	m->gave_at = time;
	/* What was taken has to be read again. */
	m->guard_from = time + s->o.settle;
	count_anew(m);
	if (m->target >= m->base)
		promise_nothing(m);
}

static void reclaimed(struct mover *m)
{
	m->aim = m->target;
	promise_nothing(m);
	count_anew(m);
}

static void released(const struct stepper *s, struct mover *m, double time)
{
	m->aim = m->target;
	m->owed = 0;
	m->frozen_until = time + s->o.freeze;
	promise_nothing(m);
}

static void carry_out(struct stepper *s, struct mover *m, const struct step *step, double time)
{
	m->target = step->to;
	m->near = off(m);
	m->near_at = time;
	switch (step->kind) {
	case STEP_TAKE:
		took(m, step, time);
		break;
	case STEP_GIVE:
		gave(m, time);
		break;
	case STEP_GUARD:
		guarded(s, m, step, time);
		break;
	case STEP_RECLAIM:
		reclaimed(m);
		break;
	case STEP_RELEASE:
		released(s, m, time);
		break;
	}
}

void stepper__done(struct stepper *s, const struct step *step, enum step_result result, double time)
{
	struct mover *m = &s->vms[step->vm];

	switch (result) {
	case STEP_DONE:
		carry_out(s, m, step, time);
		break;
	case STEP_FAILED:
		m->frozen_until = time + s->o.freeze;
		m->aim = m->target;
		break;
	case STEP_LEFT:
		m->left_until = time + s->o.settle;
		break;
	}
}

void stepper__vm(const struct stepper *s, size_t vm, double time, struct stepper_vm *out)
{
	const struct mover *m = &s->vms[vm];

	*out = (struct stepper_vm){
		.known = m->known,
		.reachable = m->reachable,
		.frozen = time < m->frozen_until,
		.follows = follows(s, m),
		.now = m->seen.now,
		.target = m->target,
		.aim = m->aim,
		.start = m->start,
		.floor = time < m->floor_until ? m->floor : 0,
		.promised = m->promised,
		.observed = m->observed,
	};
}
