// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "../analysis/export.h"
#include "../analysis/size.h"
#include "policy_set.h"

/* Sizes when none are asked for. */
#define DEFAULT_POINTS 32

struct policy_set {
	struct policy_sim *sims[POLICIES]; /* NULL: not asked for */
};

struct policy_set *policy_set__new(const struct mrc_options *o)
{
	struct policy_set *s = calloc(1, sizeof(*s));
	/* Without a page all policies are the same. */
	size_t zero = o->sizes && !o->sizes[0];

	for (int p = 0; s && p < POLICIES; p++) {
		struct policy_opts opts = {
			.sz = sizeof(opts),
			.policy = p,
			.sizes = o->sizes ? o->sizes + zero : NULL,
			.nr_sizes = o->sizes ? o->nr_sizes - zero : o->points ?: DEFAULT_POINTS,
			.rate = o->rate,
			.seed = o->seed,
		};

		if (!o->policies[p])
			continue;
		s->sims[p] = policy_sim__new(&opts);
		if (!s->sims[p]) {
			policy_set__free(s);
			return NULL;
		}
	}
	return s;
}

void policy_set__free(struct policy_set *s)
{
	for (int p = 0; s && p < POLICIES; p++)
		policy_sim__free(s->sims[p]);
	free(s);
}

int policy_set__access(struct policy_set *s, const __u64 *pages, size_t n)
{
	int err = 0;

	for (int p = 0; p < POLICIES && !err; p++)
		if (s->sims[p])
			err = policy_sim__access(s->sims[p], pages, n);
	return err;
}

static int take_curve(struct policy_sim *sim, struct policy_curve *c)
{
	c->n = policy_sim__points(sim);
	c->points = calloc(c->n + 1, sizeof(*c->points));
	return c->points ? policy_sim__curve(sim, c->points) : -1;
}

/* Each simulation goes as soon as its curve is there: OPT's takes memory of its own. */
struct policy_curves *policy_set__curves(struct policy_set *s)
{
	struct policy_curves *c = calloc(1, sizeof(*c));

	for (int p = 0; c && p < POLICIES; p++) {
		if (!s->sims[p])
			continue;
		if (take_curve(s->sims[p], &c->of[p])) {
			policy_curves__free(c);
			return NULL;
		}
		policy_sim__free(s->sims[p]);
		s->sims[p] = NULL;
	}
	return c;
}

void policy_curves__free(struct policy_curves *c)
{
	for (int p = 0; c && p < POLICIES; p++)
		free(c->of[p].points);
	if (c)
		free(c->yardstick.points);
	free(c);
}

/* The smallest size above `after` (~0: any) of any policy; ~0: none. */
static __u64 next_size(const struct policy_curves *c, __u64 after)
{
	__u64 next = ~0ULL;

	for (int p = 0; p < POLICIES; p++)
		for (size_t i = 0; i < c->of[p].n; i++) {
			__u64 size = c->of[p].points[i].size;

			if ((after == ~0ULL || size > after) && size < next)
				next = size;
		}
	return next;
}

__u64 *policy_curves__sizes(const struct policy_curves *c, size_t *n)
{
	size_t room = 1;
	__u64 *sizes;

	for (int p = 0; p < POLICIES; p++)
		room += c->of[p].n;
	sizes = calloc(room, sizeof(*sizes));
	*n = 0;
	if (!sizes)
		return NULL;
	for (__u64 size = next_size(c, ~0ULL); size != ~0ULL; size = next_size(c, size))
		sizes[(*n)++] = size;
	return sizes;
}

/* --- text --- */

static const struct curve_point *point_at(const struct policy_curve *c, __u64 size)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->points[i].size == size)
			return &c->points[i];
	return NULL;
}

static bool sampled(const struct policy_curves *c)
{
	for (int p = 0; p < POLICIES; p++)
		for (size_t i = 0; i < c->of[p].n; i++)
			if (c->of[p].points[i].error > 0)
				return true;
	return false;
}

static void print_cell(FILE *out, const struct curve_point *p, bool errors)
{
	if (!p)
		fprintf(out, errors ? "%17s" : "%9s", "-");
	else if (errors)
		fprintf(out, "  %.4f+/-%.4f", curve_point__ratio(p), p->error);
	else
		fprintf(out, "%9.4f", curve_point__ratio(p));
}

/* A column of the table. */
struct column {
	const char *name;
	const struct policy_curve *curve;
};

static int take_columns(const struct policy_curves *c, struct column out[POLICIES + 1])
{
	int n = 0;

	if (c->yardstick.n)
		out[n++] = (struct column){"LRU", &c->yardstick};
	for (int p = 0; p < POLICIES; p++)
		if (c->of[p].n)
			out[n++] = (struct column){policy__name(p), &c->of[p]};
	return n;
}

static void print_block(FILE *out, const struct policy_curves *c, const struct column *columns,
			int n, bool errors)
{
	char text[SIZE_TEXT];

	fprintf(out, "\n%10s", "memory");
	for (int i = 0; i < n; i++)
		fprintf(out, errors ? "%17s" : "%9s", columns[i].name);
	fputc('\n', out);
	for (__u64 size = next_size(c, ~0ULL); size != ~0ULL; size = next_size(c, size)) {
		fprintf(out, "%10s", size__format(size, text));
		for (int i = 0; i < n; i++)
			print_cell(out, point_at(columns[i].curve, size), errors);
		fputc('\n', out);
	}
}

void policy_curves__print(FILE *out, const struct policy_curves *c)
{
	struct column columns[POLICIES + 1];
	bool errors = sampled(c);
	int n = take_columns(c, columns), block = errors ? 4 : n;

	fputs("\nMiss ratios of other policies:\n", out);
	for (int from = 0; from < n; from += block)
		print_block(out, c, columns + from, n - from < block ? n - from : block, errors);
}

/* --- JSON --- */

void policy_curves__json(FILE *out, const char *vm, const char *space,
			 const struct policy_curves *c)
{
	for (int p = 0; p < POLICIES; p++) {
		if (!c->of[p].n)
			continue;
		fputs("{\"type\":\"policy\",\"vm\":", out);
		export__json_string(out, vm);
		fprintf(out, ",\"space\":\"%s\",\"policy\":\"%s\",", space, policy__name(p));
		export__json_points(out, c->of[p].points, c->of[p].n);
		fputs("}\n", out);
	}
}
