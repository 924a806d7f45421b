// SPDX-License-Identifier: GPL-2.0
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../analysis/size.h"
#include "cli.h"
#include "progress.h"
#include "columns.h"

/* Seconds between two lines. */
#define EVERY 0.2

static const char *format_bytes(__u64 bytes, char buf[SIZE_TEXT])
{
	return size__format((bytes + PAGE_BYTES - 1) / PAGE_BYTES, buf);
}

static int format_left(double seconds, char *buf, size_t room)
{
	unsigned long s = ceil(seconds);

	if (s >= 3600)
		return snprintf(buf, room, ", %lu h %lu min left", s / 3600, s % 3600 / 60);
	if (s >= 60)
		return snprintf(buf, room, ", %lu min %lu s left", s / 60, s % 60);
	return snprintf(buf, room, ", %lu s left", s);
}

const char *progress__format(const struct progress_now *now, char buf[PROGRESS_TEXT])
{
	double share = now->total ? fmin((double)now->done / now->total, 1) : 0;
	double rate = now->seconds > 0 ? now->refs / now->seconds : 0;
	char done[SIZE_TEXT], total[SIZE_TEXT], refs[COLUMN_TEXT];
	int n;

	n = snprintf(buf, PROGRESS_TEXT, "%s", format_bytes(now->done, done));
	if (now->total)
		n += snprintf(buf + n, PROGRESS_TEXT - n, " of %s, %.0f %%",
			      format_bytes(now->total, total), floor(share * 100));
	columns__format_count(refs, rate);
	n += snprintf(buf + n, PROGRESS_TEXT - n, ", %s refs/s", refs);
	/* Before there is a hundredth, a guess would jump about. */
	if (share >= 0.01 && now->seconds * (1 / share - 1) < 1e7)
		format_left(now->seconds * (1 / share - 1), buf + n, PROGRESS_TEXT - n);
	return buf;
}

void progress__begin(struct progress *p, bool quiet)
{
	*p = (struct progress){.on = !quiet && isatty(STDERR_FILENO)};
	if (p->on)
		p->begun = p->last = cli__now();
}

void progress__show(struct progress *p, __u64 done, __u64 total, __u64 refs)
{
	struct progress_now now = {.done = done, .total = total, .refs = refs};
	char text[PROGRESS_TEXT];
	double t;

	if (!p->on)
		return;
	t = cli__now();
	if (t - p->last < EVERY)
		return;
	p->last = t;
	p->drawn = true;
	now.seconds = t - p->begun;
	/* Behind the line, what is left of a longer one is wiped. */
	fprintf(stderr, "\r%s\x1b[K", progress__format(&now, text));
}

void progress__end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\x1b[K", stderr);
	p->drawn = false;
}
