// SPDX-License-Identifier: GPL-2.0
/*
 * How long a plan takes: curves of made-up VMs (slopes, cliffs, loops one in another, with errors)
 * to sizes, exact at a granule of 1/1024 of the memory there is, at the default granule, and by
 * convex hulls. One thread.
 *
 *   plan [VMS [POINTS [ROUNDS]]]    default 1000 VMs with 256 points, 5 rounds
 *
 * A line each: granules, milliseconds (median) of the curves, and of the plan; what is lost.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../analysis/plan/appetite.h"

/* 64 GiB for 1000 VMs of up to 256 MiB each: half of what they could use. */
#define VM_PAGES 65536ULL
#define ROUNDS_MAX 99

struct bench {
	size_t vms, points, rounds;
	struct curve_point *curves;
	struct plan_node *nodes;
	struct plan_step **steps;
	__u64 random;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* splitmix64 (Steele et al., OOPSLA '14); 0 <= x < 1. */
static double unit(struct bench *b)
{
	__u64 z = b->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return ((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* A share of the accesses falls as a power of the size, the rest in cliffs. */
static void make_curve(struct bench *b, struct curve_point *p)
{
	double slope = unit(b), power = .2 + unit(b), cliff[3], high[3];
	double cold = .3 * unit(b);

	for (int i = 0; i < 3; i++) {
		cliff[i] = unit(b);
		high[i] = (1 - slope) * unit(b) / 3;
	}
	for (size_t i = 0; i < b->points; i++) {
		double x = (double)i / (b->points - 1), ratio = slope * (1 - pow(x, power));

		for (int k = 0; k < 3; k++)
			ratio += x < cliff[k] ? high[k] : 0;
		p[i] = (struct curve_point){
			.size = VM_PAGES * i / (b->points - 1),
			.misses = 1e6 * (cold + (1 - cold) * ratio),
			.accesses = 1e6,
			.error = .01 * unit(b),
		};
	}
}

static void make_curves(struct bench *b)
{
	for (size_t i = 0; i < b->vms; i++)
		make_curve(b, b->curves + i * b->points);
}

static int make_leaf(struct bench *b, size_t i)
{
	struct plan_node *leaf = &b->nodes[1 + i];
	struct appetite_opts o = {
		.sz = sizeof(o),
		.points = b->curves + i * b->points,
		.n = b->points,
		.accesses = 10 + i % 1000,
		.latency = 1e5,
		.weight = 1 + i % 3,
	};
	struct appetite *a;
	int err = appetite__new(&a, &o);

	if (!err)
		err = appetite__steps(a, 0, PLAN_NO_MOST, &b->steps[i], &leaf->nr_steps);
	leaf->steps = b->steps[i];
	leaf->most = PLAN_NO_MOST;
	appetite__free(a);
	return err;
}

static int make_leaves(struct bench *b)
{
	int err = 0;

	for (size_t i = 0; i < b->vms && !err; i++) {
		free(b->steps[i]);
		b->steps[i] = NULL;
		err = make_leaf(b, i);
	}
	return err;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

static int run(struct bench *b, const char *name, __u64 granule, bool greedy)
{
	struct planner_opts o = {
		.sz = sizeof(o), .nodes = b->nodes, .n = b->vms + 1, .granule = granule};
	double curves[ROUNDS_MAX] = {0}, plans[ROUNDS_MAX] = {0};
	struct plan *p = NULL;
	int err = 0;

	o.greedy = greedy;
	for (size_t r = 0; r < b->rounds && !err; r++) {
		double start = now(), made;

		err = make_leaves(b);
		made = now();
		plan__free(p);
		p = NULL;
		if (!err)
			err = planner__solve(&p, &o);
		curves[r] = made - start;
		plans[r] = now() - made;
	}
	if (!err)
		printf("%-10s %9.0f %12.1f %10.1f %14.3f %14.3f\n", name,
		       greedy ? 0. : (double)(b->nodes[0].most / p->granule),
		       1e3 * median(curves, b->rounds), 1e3 * median(plans, b->rounds), p->cost,
		       p->bound);
	plan__free(p);
	return err;
}

static int run_all(struct bench *b)
{
	b->curves = calloc(b->vms * b->points, sizeof(*b->curves));
	b->nodes = calloc(b->vms + 1, sizeof(*b->nodes));
	b->steps = calloc(b->vms, sizeof(*b->steps));
	if (!b->curves || !b->nodes || !b->steps)
		return -1;
	b->nodes[0].most = VM_PAGES * b->vms / 4;
	make_curves(b);
	printf("%zu VMs, %zu points\n", b->vms, b->points);
	puts("plan        granules  ms (curves)  ms (plan)  lost (ms/s)  no plan below");
	return run(b, "1/1024", b->nodes[0].most / 1024, false) ?: run(b, "default", 0, false)
			?: run(b, "hulls", 0, true);
}

static size_t number(char **argv, int argc, int i, size_t otherwise, size_t min, size_t max)
{
	size_t n = argc > i ? strtoul(argv[i], NULL, 10) : otherwise;

	return n < min ? min : n > max ? max : n;
}

int main(int argc, char **argv)
{
	struct bench b = {
		.vms = number(argv, argc, 1, 1000, 1, 1000000),
		.points = number(argv, argc, 2, 256, 2, 65536),
		.rounds = number(argv, argc, 3, 5, 1, ROUNDS_MAX),
		.random = 1,
	};
	int err = run_all(&b);

	for (size_t i = 0; i < b.vms && b.steps; i++)
		free(b.steps[i]);
	free(b.steps);
	free(b.nodes);
	free(b.curves);
	if (err)
		fprintf(stderr, "plan: failed: %d\n", err);
	return err != 0;
}
