// SPDX-License-Identifier: GPL-2.0
/*
 * References a second of each replacement policy's simulation, at 32 sizes from 1 Ki to 1 Mi
 * pages, in one pass.
 *
 *   policy FILE [RATE]...    FILE: little-endian 64-bit page numbers, see bench/trace.c; RATE:
 *                            sampling, default 0.01 and 1
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../analysis/hvanalysis.h"

#define SIZES 32

struct trace {
	const __u64 *pages;
	size_t n;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct trace open_trace(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct trace t = {0};
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	t.n = st.st_size / sizeof(*t.pages);
	t.pages = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (t.pages == MAP_FAILED)
		die(path);
	close(fd);
	return t;
}

static struct policy_sim *new_sim(enum policy policy, double rate)
{
	__u64 sizes[SIZES];
	struct policy_opts opts = {.sz = sizeof(opts),
				   .policy = policy,
				   .sizes = sizes,
				   .nr_sizes = SIZES,
				   .rate = rate};
	struct policy_sim *s;

	for (int i = 0; i < SIZES; i++)
		sizes[i] = 1024 * exp2(10.0 * i / (SIZES - 1));
	s = policy_sim__new(&opts);
	if (!s)
		die("policy_sim__new");
	return s;
}

/* Seconds of the whole, OPT's replay included. */
static double run(const struct trace *t, enum policy policy, double rate)
{
	struct curve_point curve[SIZES];
	struct policy_sim *s = new_sim(policy, rate);
	double from = now();

	if (policy_sim__access(s, t->pages, t->n) || policy_sim__curve(s, curve))
		die(policy__name(policy));
	policy_sim__free(s);
	return now() - from;
}

static void bench(const struct trace *t, double rate)
{
	for (int p = 0; p < POLICIES; p++) {
		double seconds = run(t, p, rate);

		printf("%-8s rate %-6g %10.2f M references/s  %8.2f ns a reference and size\n",
		       policy__name(p), rate, t->n / seconds / 1e6, seconds * 1e9 / t->n / SIZES);
	}
}

int main(int argc, char **argv)
{
	struct trace t;

	if (argc < 2) {
		fprintf(stderr, "policy: usage: policy FILE [RATE]...\n");
		return 2;
	}
	t = open_trace(argv[1]);
	if (argc == 2) {
		bench(&t, 0.01);
		bench(&t, 1);
	}
	for (int i = 2; i < argc; i++)
		bench(&t, atof(argv[i]));
	return 0;
}
