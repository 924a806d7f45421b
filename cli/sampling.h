/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much is sampled: as much as the host can bear. The threshold begins at
 * every page and is halved, never raised, when the load asks for it; a page
 * that is sampled later was sampled all the time, so curves stay unbiased.
 */
#ifndef HVTRACE_SAMPLING_H
#define HVTRACE_SAMPLING_H

#include <stdbool.h>
#include <linux/types.h>

/* Sampled events a second that cost no more than a few percent of a core. */
#define SAMPLING_BUDGET 50000
/* Frames followed at a time: what the tracer's frame map holds by default. */
#define SAMPLING_FRAMES (1ULL << 20)
/* Seconds over which the load is judged: shorter bursts are the ring buffer's affair. */
#define SAMPLING_WINDOW 1.0
/* A flood, so many times the budget, is not waited out: this many seconds tell it from a burst. */
#define SAMPLING_FLOOD 4
#define SAMPLING_FLOOD_WINDOW 0.1

struct sampling {
	bool adaptive;
	__u64 threshold;
	/* at the begin of the window */
	double since;
	__u64 events, dropped, frames;
};

/* What the policy looks at; counts since the start. */
struct sampling_load {
	double now;	   /* seconds */
	__u64 events;	   /* sent by BPF */
	__u64 dropped;	   /* found the ring buffer full */
	__u64 frames;	   /* pushed out of the frame map */
	__u64 guest_pages; /* memory of all VMs, 0 = not known */
	__u64 tracked;	   /* pages the engine tracks */
	__u64 max_pages;   /* ... and may track, 0 = no bound */
};

/* n: one page in n, fixed; 0: adaptive, beginning at every page. */
void sampling__init(struct sampling *s, __u64 n, double now);
/* Call often. NULL: leave things alone. Else the threshold was lowered, and this is why. */
const char *sampling__update(struct sampling *s, const struct sampling_load *load);
/* Frames to be followed at a time on a host of so much memory (pages): the sampled ones of all
 * it can have, with room for chance, but at most SAMPLING_FRAMES. */
__u64 sampling__frames(const struct sampling *s, __u64 host_pages);
/* The N of "1/N" of a threshold. */
__u64 sampling__one_in(__u64 threshold);

#endif
