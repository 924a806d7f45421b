// SPDX-License-Identifier: GPL-2.0
/*
 * What a page event costs the engine, and a tracked page: events of a guest that keeps its pages
 * in the given number of frames, and reads pages of a disk by Zipf's law, evenly, or in a loop.
 *
 *   engine [EVENTS]    events a row; default 4 Mi
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../analysis/engine.h"

enum workload { ZIPF, UNIFORM, LOOP, WORKLOADS };

static const char *const names[WORKLOADS] = {"zipf 0.9", "uniform", "loop"};

struct guest {
	enum workload workload;
	__u64 pages, frames;
	__u64 random, next;
	__u64 *frame_of; /* 1 + frame of a resident page, or 0 */
	__u64 *page_in;	 /* 1 + page in a frame, or 0 */
	__u64 hand;	 /* frame to evict from next: first in, first out */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* splitmix64 (Steele et al., OOPSLA '14). */
static __u64 next_random(struct guest *g)
{
	__u64 z = g->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Inverse of the continuous Zipf distribution: close enough to load an engine. */
static __u64 zipf(struct guest *g)
{
	double u = (next_random(g) >> 11) * 0x1p-53, e = 1 - 0.9;

	return pow(u * (pow(g->pages, e) - 1) + 1, 1 / e) - 1;
}

static __u64 next_page(struct guest *g)
{
	switch (g->workload) {
	case ZIPF:
		return zipf(g) * 0x9e3779b1ULL % g->pages; /* hot pages anywhere on the disk */
	case UNIFORM:
		return next_random(g) % g->pages;
	default:
		return g->next++ % g->pages;
	}
}

/* Append the events of one access; at most two. */
static size_t access_page(struct guest *g, struct page_event *out)
{
	__u64 page = next_page(g), frame;
	size_t n = 0;

	if (g->frame_of[page])
		return 0;
	frame = g->hand++ % g->frames;
	if (g->page_in[frame]) {
		__u64 victim = g->page_in[frame] - 1;

		out[n++] = (struct page_event){
			.page = victim, .frame = frame, .count = 1, .kind = PAGE_EVICT};
		g->frame_of[victim] = 0;
	}
	out[n++] = (struct page_event){.page = page, .frame = frame, .count = 1, .kind = PAGE_FILL};
	g->frame_of[page] = frame + 1;
	g->page_in[frame] = page + 1;
	return n;
}

static size_t make_events(struct guest *g, struct page_event *out, size_t n)
{
	size_t made = 0;

	while (made + 2 <= n)
		made += access_page(g, out + made);
	return made;
}

static void bench(enum workload workload, __u64 pages, struct page_event *events, size_t n)
{
	const struct engine_opts opts = {.sz = sizeof(opts), .threshold = PE_SAMPLE_ALL};
	struct guest g = {
		.workload = workload,
		.pages = pages,
		.frames = pages / 8,
		.random = 1,
		.frame_of = calloc(pages, sizeof(*g.frame_of)),
		.page_in = calloc(pages / 8, sizeof(*g.page_in)),
	};
	struct engine *e = engine__new(&opts);
	struct engine_counts c;
	double time;

	if (!g.frame_of || !g.page_in || !e) {
		fprintf(stderr, "engine: no memory for %llu pages\n", pages);
		exit(1);
	}
	/* Let it see most of the pages first: the figure is of the steady state. */
	for (__u64 done = 0; done < 4 * pages; done += n) {
		n = make_events(&g, events, n);
		engine__apply(e, events, n);
	}
	n = make_events(&g, events, n);
	time = now();
	engine__apply(e, events, n);
	time = now() - time;
	engine__counts(e, 0, SPACE_DISK, &c);
	printf("%-10s %10llu %10llu %10.1f %10.1f %10.1f  %s\n", names[workload], c.tracked,
	       c.ghosts, n / time / 1e6, time / n * 1e9, (double)engine__bytes(e) / c.tracked,
	       engine__backing(e));
	fflush(stdout);
	engine__free(e);
	free(g.frame_of);
	free(g.page_in);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 4 << 20;
	struct page_event *events = n < 2 ? NULL : malloc(n * sizeof(*events));

	if (!events) {
		fprintf(stderr, "engine: EVENTS must be 2 or more, and fit in memory\n");
		return 1;
	}
	printf("%-10s %10s %10s %10s %10s %10s  %s\n", "engine", "pages", "ghosts", "Mevents/s",
	       "ns/event", "byte/page", "backing");
	for (int w = 0; w < WORKLOADS; w++)
		for (__u64 pages = 1 << 16; pages <= 1 << 22; pages <<= 3)
			bench(w, pages, events, n);
	free(events);
	return 0;
}
