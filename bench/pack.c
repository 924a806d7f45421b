// SPDX-License-Identifier: GPL-2.0
/*
 * VMs on the fewest hosts: how near to the lower bound, and how soon, on one core.
 *
 *   pack [VMS [HOSTS [SECONDS [SEEDS]]]]    500, 40, 60 and 3
 *
 * A table on stdout. `mixed`: sizes as clouds have them, 1 to 64 GiB in powers of two, less what
 * each could do without; `even`: anything up to a third of a host; `large`: a quarter to a half of
 * a host, where few fit and sizes prove little; `full`: hosts cut into VMs, so that a packing
 * leaves no page. Hosts are of two sizes, or in `large` of one, and VMs are as many as fill about 9
 * in 10 of them; in `full` as stated, on all hosts but two.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../analysis/plan/pack.h"

#define GIB (1ULL << 18) /* pages */

struct problem {
	__u64 *vms, *hosts;
	size_t nr_vms, nr_hosts, most_vms;
	unsigned long long random;
};

static void die(const char *why)
{
	fprintf(stderr, "pack: %s\n", why);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* 0 <= x < 1. */
static double any(struct problem *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (p->random >> 11) * 0x1p-53;
}

static __u64 room_of(const struct problem *p)
{
	__u64 sum = 0;

	for (size_t j = 0; j < p->nr_hosts; j++)
		sum += p->hosts[j];
	return sum;
}

static void make_hosts(struct problem *p, __u64 small, __u64 large)
{
	for (size_t j = 0; j < p->nr_hosts; j++)
		p->hosts[j] = j < p->nr_hosts / 2 ? large : small;
}

/* Plans are made in granules: of 64 MiB here. */
static __u64 granules(double pages)
{
	__u64 granule = GIB / 16, n = ceil(pages / granule);

	return (n ? n : 1) * granule;
}

/* All VMs, and then as much of each as fills 9 in 10 of the hosts. */
static void fill(struct problem *p, double (*size)(struct problem *p))
{
	double sum = 0, *part = calloc(p->most_vms, sizeof(*part));

	if (!part)
		die("no memory");
	for (size_t i = 0; i < p->most_vms; i++)
		sum += part[i] = size(p);
	for (size_t i = 0; i < p->most_vms; i++)
		p->vms[i] = granules(part[i] / sum * 0.9 * room_of(p));
	p->nr_vms = p->most_vms;
	free(part);
}

static double cloud_size(struct problem *p)
{
	return (1 << (int)(7 * any(p))) * (0.4 + 0.6 * any(p));
}

static double even_size(struct problem *p)
{
	return 0.1 + any(p);
}

static void make_mixed(struct problem *p)
{
	make_hosts(p, 256 * GIB, 512 * GIB);
	fill(p, cloud_size);
}

static void make_even(struct problem *p)
{
	make_hosts(p, 256 * GIB, 384 * GIB);
	fill(p, even_size);
}

/* As many as there is room for. */
static void make_large(struct problem *p)
{
	__u64 room;

	make_hosts(p, 256 * GIB, 256 * GIB);
	room = room_of(p) * 85 / 100;
	for (p->nr_vms = 0; p->nr_vms < p->most_vms; p->nr_vms++) {
		__u64 size = granules((0.25 + 0.25 * any(p)) * 256 * GIB);

		if (size > room)
			break;
		p->vms[p->nr_vms] = size;
		room -= size;
	}
}

static void cut(struct problem *p, __u64 room, size_t pieces)
{
	for (; pieces > 1; pieces--) {
		__u64 piece = granules(2 * any(p) * room / pieces);

		if (piece + granules(1) > room)
			break;
		p->vms[p->nr_vms++] = piece;
		room -= piece;
	}
	p->vms[p->nr_vms++] = room;
}

static void make_full(struct problem *p)
{
	size_t used = p->nr_hosts - 2;

	make_hosts(p, 256 * GIB, 512 * GIB);
	p->nr_vms = 0;
	for (size_t j = 0; j < used; j++)
		cut(p, p->hosts[j], (p->most_vms - p->nr_vms) / (used - j));
}

static void make_threes(struct problem *p)
{
	make_hosts(p, 256 * GIB, 256 * GIB);
	p->nr_vms = 0;
	for (size_t j = 0; j < p->nr_hosts - 2 && p->nr_vms + 3 <= p->most_vms; j++) {
		__u64 *vm = &p->vms[p->nr_vms];

		vm[0] = granules((0.38 + 0.11 * any(p)) * 256 * GIB);
		vm[1] = granules((256 * GIB - vm[0]) * (0.43 + 0.07 * any(p)));
		vm[2] = 256 * GIB - vm[0] - vm[1];
		p->nr_vms += 3;
	}
}

struct shape {
	const char *name;
	void (*make)(struct problem *p);
};

static const struct shape shapes[] = {{"mixed", make_mixed},
				      {"even", make_even},
				      {"large", make_large},
				      {"full", make_full},
				      {"threes", make_threes}};

static void run(const struct shape *s, struct problem *p, double seconds, int seed)
{
	struct pack_opts o = {.sz = sizeof(o), .seconds = seconds};
	double start, took, gap;
	struct pack *got;

	p->random = 0x9e3779b97f4a7c15ULL * seed;
	s->make(p);
	o.vms = p->vms;
	o.nr_vms = p->nr_vms;
	o.hosts = p->hosts;
	o.nr_hosts = p->nr_hosts;
	start = now();
	if (pack__solve(&got, &o))
		die("cannot solve it");
	took = now() - start;
	if (got->left)
		die("no packing found");
	gap = got->bound ? 100.0 * (got->hosts - got->bound) / got->bound : 0;
	printf("%-6s %4d %5zu %6zu %5zu %6zu %6.1f %% <= 5 %% %-6s %8.2f <= %g %s\n", s->name, seed,
	       p->nr_vms, p->nr_hosts, got->hosts, got->bound, gap, gap <= 5 ? "met" : "missed",
	       took, seconds, took <= seconds + 0.5 ? "met" : "missed");
	fflush(stdout);
	pack__free(got);
}

int main(int argc, char **argv)
{
	struct problem p = {.most_vms = argc > 1 ? strtoul(argv[1], NULL, 10) : 500,
			    .nr_hosts = argc > 2 ? strtoul(argv[2], NULL, 10) : 40};
	double seconds = argc > 3 ? strtod(argv[3], NULL) : 60;
	int seeds = argc > 4 ? atoi(argv[4]) : 3;

	if (argc > 5 || p.most_vms < p.nr_hosts || p.nr_hosts < 4 || seconds < 0)
		die("usage: pack [VMS [HOSTS [SECONDS [SEEDS]]]], four hosts or more, no fewer "
		    "VMs");
	p.vms = calloc(p.most_vms + p.nr_hosts, sizeof(*p.vms));
	p.hosts = calloc(p.nr_hosts, sizeof(*p.hosts));
	if (!p.vms || !p.hosts)
		die("no memory");
	printf("%-6s %4s %5s %6s %5s %6s %8s %14s %8s\n", "shape", "seed", "VMs", "hosts", "used",
	       "bound", "gap", "", "seconds");
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (int seed = 1; seed <= seeds; seed++)
			run(&shapes[i], &p, seconds, seed);
	free(p.hosts);
	free(p.vms);
	return 0;
}
