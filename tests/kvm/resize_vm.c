// SPDX-License-Identifier: GPL-2.0
/*
 * resize-vm: a KVM VM whose page cache (LRU) changes its size on the way, as that of a guest does
 * whose balloon is filled and emptied. It makes so many accesses a second, whatever it misses.
 *
 *   resize-vm -name guest=NAME --disk PATH --rate ACCESSES --frames N [--seconds S] [--then N]...
 *
 * PATH is overwritten. For S seconds each (10) it has N frames; those that go are given back to the
 * host.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stamps.h"
#include "vmm.h"

#define MAX_SIZES 8
#define SLICES 50 /* of a second */

static const struct workload workload = {
	.seed = 42,
	.disk_pages = 4000,
	.nr_parts = 2,
	.part = {{WORKLOAD_UNIFORM, 1, 0, 1000, 0, 0}, {WORKLOAD_ZIPF, 3, 1000, 3000, 0, 0}},
};

struct options {
	const char *disk;
	unsigned int seconds;
	__u64 rate;
	__u64 frames[MAX_SIZES];
	size_t nr;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int nr)
{
	interrupted = 1;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"seconds", 1, NULL, 's'}, {"name", 1, NULL, 'n'},   {"disk", 1, NULL, 'd'},
		{"rate", 1, NULL, 'r'},	   {"frames", 1, NULL, 'f'}, {"then", 1, NULL, 'f'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long_only(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's')
			o->seconds = strtoul(optarg, NULL, 10);
		else if (c == 'd')
			o->disk = optarg;
		else if (c == 'r')
			o->rate = strtoull(optarg, NULL, 10);
		else if (c == 'f' && o->nr < MAX_SIZES)
			o->frames[o->nr++] = strtoull(optarg, NULL, 10);
		else if (c != 'n')
			return -1;
	}
	return o->disk && o->nr && o->rate >= SLICES && o->seconds ? 0 : -1;
}

static __u64 largest(const struct options *o)
{
	__u64 most = 0;

	for (size_t i = 0; i < o->nr; i++)
		most = o->frames[i] > most ? o->frames[i] : most;
	return most;
}

static struct timespec later(struct timespec t, long ns)
{
	t.tv_nsec += ns;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* A second's accesses, at one size. On a busy host they take longer. */
static int one_second(struct vmm *v, const struct options *o, __u64 frames)
{
	static struct guest_script script;
	struct timespec due;
	int err = 0;

	script__init(&script);
	script.workload = workload;
	script__add(
		&script,
		(struct guest_op){.kind = OP_CACHE, .count = frames, .stride = o->rate / SLICES});
	clock_gettime(CLOCK_MONOTONIC, &due);
	for (int i = 0; i < SLICES && !err && !interrupted; i++) {
		err = vmm__run(v, &script);
		due = later(due, 1000000000 / SLICES);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	}
	return err;
}

static int give_back(struct vmm *v, __u64 from, __u64 to)
{
	static struct guest_script script;

	if (from >= to)
		return 0;
	script__init(&script);
	script__add(&script, (struct guest_op){.kind = OP_DROP, .frame = from, .count = to - from});
	return vmm__run(v, &script);
}

static int run(struct vmm *v, const struct options *o)
{
	int err = 0;

	for (size_t i = 0; i < o->nr && !err; i++) {
		if (i)
			err = give_back(v, o->frames[i], o->frames[i - 1]);
		for (unsigned int s = 0; s < o->seconds && !err && !interrupted; s++)
			err = one_second(v, o, o->frames[i]);
	}
	return err;
}

static int resize(const struct options *o)
{
	struct vmm_opts opts = {
		.sz = sizeof(opts), .memory = VMM_MEMFD, .frames = largest(o), .disk = o->disk};
	__u64 heap = guest_cache__bytes(opts.frames, workload.disk_pages);
	struct vmm *v;
	int err;

	opts.heap_pages = (heap + GUEST_PAGE - 1) / GUEST_PAGE;
	err = stamps__write(o->disk, workload.disk_pages);
	if (err)
		return err;
	v = vmm__new(&opts, &err);
	if (!v)
		return err;
	err = run(v, o);
	vmm__free(v);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = {.seconds = 10};
	struct sigaction act = {.sa_handler = on_signal};
	int err;

	if (parse(argc, argv, &o)) {
		fprintf(stderr, "usage: resize-vm --disk PATH --rate ACCESSES --frames N "
				"[--seconds S] [--then N]... [-name guest=NAME]\n");
		return 2;
	}
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	err = resize(&o);
	if (err)
		fprintf(stderr, "resize-vm: %s: %s\n", o.disk, strerror(-err));
	return err ? 1 : 0;
}
