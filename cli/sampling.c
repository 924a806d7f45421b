// SPDX-License-Identifier: GPL-2.0
#include "sampling.h"

#include <stddef.h>

#include "../bpf/page_event.h"

/* Below one page in 2^20 there is nothing left to learn from: rather lose events, and say so. */
#define THRESHOLD_MIN (PE_SAMPLE_ALL >> 20)
/* Entries that were stale anyway are pushed out, too: this many, or 1 % of the events, are fine. */
#define FRAMES_FINE 256
#define FRAMES_MIN 4096

void sampling__init(struct sampling *s, __u64 n, double now)
{
	*s = (struct sampling){
		.adaptive = !n,
		.threshold = n > 1 ? PE_SAMPLE_ALL / n : PE_SAMPLE_ALL,
		.since = now,
	};
}

__u64 sampling__one_in(__u64 threshold)
{
	__u64 n = threshold ? PE_SAMPLE_ALL / threshold : PE_SAMPLE_ALL;

	/* 2^64-1 over a truncated quotient rounds up to one too many at times. */
	return n > 1 && PE_SAMPLE_ALL / n == threshold ? n
						       : n + (PE_SAMPLE_ALL / (n + 1) == threshold);
}

/* Halve until `load` sampled now would be at most `limit`. */
static bool fit(struct sampling *s, __u64 load, __u64 limit)
{
	bool lowered = false;

	while (load > limit && s->threshold > THRESHOLD_MIN) {
		s->threshold >>= 1;
		load >>= 1;
		lowered = true;
	}
	return lowered;
}

static __u64 sampled(__u64 pages, __u64 threshold)
{
	return (__u64)(pages * (threshold / (double)PE_SAMPLE_ALL));
}

__u64 sampling__frames(const struct sampling *s, __u64 host_pages)
{
	__u64 n = sampled(host_pages, s->threshold);

	n += n / 8 + FRAMES_MIN;
	return n < SAMPLING_FRAMES ? n : SAMPLING_FRAMES;
}

static void open_window(struct sampling *s, const struct sampling_load *l)
{
	s->since = l->now;
	s->events = l->events;
	s->dropped = l->dropped;
	s->frames = l->frames;
}

/* What an ended window says. */
static const char *judge(struct sampling *s, const struct sampling_load *l, double seconds)
{
	__u64 events = l->events - s->events, frames = l->frames - s->frames;

	if (fit(s, events / seconds, SAMPLING_BUDGET))
		return "many events";
	if (l->dropped > s->dropped && fit(s, 2, 1))
		return "events were dropped";
	if (frames > FRAMES_FINE && frames > events / 100 && fit(s, 2, 1))
		return "the frame map is full";
	return NULL;
}

static bool window_ends(const struct sampling *s, const struct sampling_load *l, double seconds)
{
	if (seconds >= SAMPLING_WINDOW)
		return true;
	return seconds >= SAMPLING_FLOOD_WINDOW &&
	       (l->events - s->events) / seconds > (double)SAMPLING_FLOOD * SAMPLING_BUDGET;
}

const char *sampling__update(struct sampling *s, const struct sampling_load *l)
{
	double seconds = l->now - s->since;
	bool ends = window_ends(s, l, seconds);
	const char *why = NULL;

	if (!s->adaptive)
		return NULL;
	if (fit(s, sampled(l->guest_pages, s->threshold), SAMPLING_FRAMES))
		why = "much guest memory";
	else if (l->max_pages && l->tracked > l->max_pages - l->max_pages / 16 && fit(s, 2, 1))
		why = "--max-pages is reached";
	else if (ends)
		why = judge(s, l, seconds);
	/* What follows is judged under the new threshold only. */
	if (why || ends)
		open_window(s, l);
	return why;
}
