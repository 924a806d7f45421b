// SPDX-License-Identifier: GPL-2.0
/*
 * demo-vm: a KVM VM with a page cache of its own (LRU) and a workload whose miss
 * curve is known: two loops and a skewed part, so two knees. At the end it prints
 * the true curve, simulated size by size, to compare a measured one with.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reference.h"
#include "stamps.h"
#include "vmm.h"

#define CACHE_FRAMES 8192

/* The knees are where the cache holds a whole loop and what the others touch during one round. */
static const struct workload workload = {
	.seed = 42,
	.disk_pages = 34000,
	.nr_parts = 3,
	.part = {{WORKLOAD_LOOP, 4, 0, 6000, 10, 0},
		 {WORKLOAD_LOOP, 3, 6000, 16000, 0, 0},
		 {WORKLOAD_ZIPF, 3, 22000, 12000, 20, 0}},
};

struct options {
	const char *disk;
	unsigned int seconds;
	__u64 rate;
};

/* For the signal handler. */
static struct vmm *running;

static void on_signal(int nr)
{
	vmm__stop(running);
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"seconds", 1, NULL, 's'}, {"name", 1, NULL, 'n'}, {"disk", 1, NULL, 'd'},
		{"rate", 1, NULL, 'r'},	   {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long_only(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's')
			o->seconds = strtoul(optarg, NULL, 10);
		else if (c == 'd')
			o->disk = optarg;
		else if (c == 'r')
			o->rate = strtoull(optarg, NULL, 10);
		else if (c != 'n')
			return -1;
	}
	return o->disk && o->seconds ? 0 : -1;
}

static void catch_signals(unsigned int seconds)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	alarm(seconds);
}

static int run(struct vmm *v)
{
	static struct guest_script script;
	int err;

	script__init(&script);
	script.workload = workload;
	script__add(&script,
		    (struct guest_op){.kind = OP_CACHE, .count = CACHE_FRAMES, .stride = ~0ULL});
	err = vmm__run(v, &script);
	return err == -EINTR ? 0 : err;
}

/* Sizes as hvtrace counts them: pages more than the guest has. */
static int print_true_curve(__u64 steps)
{
	static const unsigned int eighths[] = {0, 1, 2, 4, 6, 8, 12, 16, 20, 24, 28};
	struct reference now, ref;
	int err = reference__run(&workload, steps, CACHE_FRAMES, &now);

	if (err)
		return err;
	puts("size_pages,misses,accesses,miss_ratio");
	for (size_t i = 0; i < sizeof(eighths) / sizeof(eighths[0]); i++) {
		__u64 more = CACHE_FRAMES / 8 * eighths[i];

		err = reference__run(&workload, steps, CACHE_FRAMES + more, &ref);
		if (err)
			return err;
		printf("%llu,%llu,%llu,%.6f\n", more, ref.fills, now.fills,
		       now.fills ? (double)ref.fills / now.fills : 0);
	}
	return fflush(stdout) ? -errno : 0;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int demo(const struct options *o)
{
	struct vmm_opts opts = {
		.sz = sizeof(opts), .memory = VMM_MEMFD, .frames = CACHE_FRAMES, .disk = o->disk};
	__u64 heap = guest_cache__bytes(CACHE_FRAMES, workload.disk_pages);
	double start;
	int err;

	opts.heap_pages = (heap + GUEST_PAGE - 1) / GUEST_PAGE;
	err = stamps__write(o->disk, workload.disk_pages);
	if (err)
		return err;
	running = vmm__new(&opts, &err);
	if (!running)
		return err;
	catch_signals(o->seconds);
	vmm__set_pace(running, o->rate);
	start = seconds_now();
	err = run(running);
	fprintf(stderr, "demo-vm: %llu accesses in %.1f s\n", vmm__mailbox(running)->steps,
		seconds_now() - start);
	if (!err)
		err = print_true_curve(vmm__mailbox(running)->steps);
	vmm__free(running);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = {.rate = 15000};
	int err;

	if (parse(argc, argv, &o)) {
		fprintf(stderr,
			"usage: demo-vm --seconds S --disk PATH [-name guest=NAME] [--rate "
			"PAGES/S]\n"
			"PATH is overwritten: a block device or a file of %llu MiB\n",
			(workload.disk_pages * GUEST_PAGE >> 20) + 1);
		return 2;
	}
	err = demo(&o);
	if (err)
		fprintf(stderr, "demo-vm: %s: %s\n", o.disk, strerror(-err));
	return err ? 1 : 0;
}
