// SPDX-License-Identifier: GPL-2.0
/* What serve tells while it runs: its notes, and a table an interval. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../analysis/export.h"
#include "../analysis/size.h"
#include "cli.h"
#include "huge_pages.h"
#include "serve.h"
#include "serve_table.h"

/* Plain lines repeat the heading after so many tables. */
#define HEAD_EVERY 20

void serve__note(const struct serve *s, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	if (s->opts.quiet)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	cli__note("%s", line);
}

void serve__tell_disk(const struct serve *s, const struct served *d)
{
	const struct server_disk *n = &d->now;
	char size[SIZE_TEXT];

	serve__note(s, "%s: '%s'%s, %s, %u queue%s, %s; listens at '%s'", d->name, n->path,
		    n->read_only ? " (read-only)" : "", size__format(n->bytes / PAGE_BYTES, size),
		    n->queues, n->queues == 1 ? "" : "s", n->engine, n->socket);
	if (!n->direct)
		serve__note(s,
			    "%s: the file system of '%s' has no direct I/O: the host's page cache "
			    "holds it, too",
			    d->name, n->path);
	if (!n->locked)
		serve__note(s,
			    "%s: the file system of '%s' has no locks: see to it that nobody else "
			    "writes to it",
			    d->name, n->path);
	if (d->blind[0])
		serve__note(s, "%s: %s", d->name, d->blind);
}

void serve__tell_set_up(const struct serve *s)
{
	char line[HUGE_PAGES_TEXT], size[SIZE_TEXT];

	huge_pages__tell(s->opts.cache * PAGE_BYTES, s->opts.huge, s->opts.node, line);
	serve__note(s, "cache of %s: %s", size__format(s->opts.cache, size), line);
	if (s->foreign)
		serve__note(s, "writes to the images by others are seen, and invalidate");
	else
		serve__note(s, "nobody watches the images: %s", s->blind);
	for (size_t i = 0; i < s->disks.nr; i++)
		serve__tell_disk(s, s->disks.disks[i]);
	if (s->http)
		serve__note(s, "metrics at http://%s/metrics", http__address(s->http));
	if (s->identity.other)
		serve__note(s, "runs as user '%s'", s->opts.user);
}

void serve__tell_findings(struct serve *s)
{
	char text[SERVED_FINDING];

	for (size_t i = 0; i < s->disks.nr; i++) {
		struct served *d = s->disks.disks[i];

		if (d->ended || d->told || !served__finding(d, text))
			continue;
		d->told = true;
		serve__note(s, "%s: %s", d->name, text);
	}
}

/* --- tables --- */

/* Of all disks together. */
struct status {
	size_t disks, connected;
	__u64 events, dropped, audit_failed;
};

static struct status take_status(const struct serve *s)
{
	const struct served_counts *rest = &s->disks.rest.now.counts;
	struct status sum = {.events = rest->events,
			     .dropped = s->refused_events + rest->dropped_events,
			     .audit_failed = rest->audit_failed};

	for (size_t i = 0; i < s->disks.nr; i++) {
		const struct served *d = s->disks.disks[i];

		sum.disks += !d->ended;
		sum.connected += !d->ended && d->now.connected;
		sum.events += d->now.counts.events;
		sum.dropped += d->now.counts.dropped_events;
		sum.audit_failed += d->now.counts.audit_failed;
	}
	return sum;
}

static void print_status(const struct serve *s)
{
	char capacity[SIZE_TEXT], taken[SIZE_TEXT];
	const struct status n = take_status(s);

	printf("%zu disk%s, %zu connected | cache %s of %s (%s) | %llu events, %llu dropped",
	       n.disks, n.disks == 1 ? "" : "s", n.connected,
	       size__format(s->cache.taken / PAGE_BYTES, taken),
	       size__format(s->cache.capacity / PAGE_BYTES, capacity), s->cache.backing, n.events,
	       n.dropped);
	if (s->cache.excess)
		printf(" | %s to be freed", size__format(s->cache.excess / PAGE_BYTES, taken));
	if (n.audit_failed)
		printf(" | %llu AUDITS FAILED", n.audit_failed);
	putchar('\n');
}

static void json_status(const struct serve *s, double seconds)
{
	const struct status n = take_status(s);

	printf("{\"type\":\"status\",\"time_s\":%.3f,\"interval_s\":%.3f,\"vms\":%zu,"
	       "\"connected\":%zu,\"capacity_bytes\":%llu,\"taken_bytes\":%llu,"
	       "\"excess_bytes\":%llu,\"backing\":\"%s\",\"metadata_bytes\":%zu,"
	       "\"events\":%llu,\"dropped\":%llu,\"audit_failed\":%llu}\n",
	       cli__now() - s->started, seconds, n.disks, n.connected, s->cache.capacity,
	       s->cache.taken, s->cache.excess, s->cache.backing, s->cache.metadata, n.events,
	       n.dropped, n.audit_failed);
}

/* Lines of the terminal that are left for disks. */
static size_t rows_that_fit(const struct serve *s)
{
	struct winsize ws;

	if (!s->redraw || ioctl(fileno(stdout), TIOCGWINSZ, &ws) || ws.ws_row < 6)
		return (size_t)-1;
	return ws.ws_row - 5;
}

static void put_row(const struct serve *s, const struct served *d, double seconds)
{
	if (!s->opts.json) {
		serve_table__row(stdout, d, seconds);
		return;
	}
	printf("{\"type\":\"interval\",\"time_s\":%.3f,\"interval_s\":%.3f",
	       cli__now() - s->started, seconds);
	serve_table__json(stdout, d, seconds);
	puts("}");
}

/* How many lines are left. */
static size_t put_rows(struct serve *s, double seconds)
{
	size_t room = rows_that_fit(s), left_out = 0;

	for (size_t i = 0; i < s->disks.nr; i++) {
		struct served *d = s->disks.disks[i];

		if (d->ended)
			continue;
		if (room)
			room--, put_row(s, d, seconds);
		else
			left_out++;
		d->before = d->now;
	}
	if (left_out)
		printf("... and %zu more; 'hvtrace ctl stats' has all\n", left_out);
	return room;
}

/* A table that is drawn over and over wipes out what was said before: it is said again below. */
static void put_findings(const struct serve *s, size_t room)
{
	char text[SERVED_FINDING];

	for (size_t i = 0; i < s->disks.nr && room; i++) {
		const struct served *d = s->disks.disks[i];

		if (d->ended || !served__finding(d, text))
			continue;
		printf("%s: %s\n", d->name, text);
		room--;
	}
}

static void put_table(struct serve *s, double seconds)
{
	size_t room;

	if (s->redraw)
		fputs("\033[H\033[J", stdout);
	if (s->redraw || s->tables % HEAD_EVERY == 0)
		serve_table__head(stdout);
	room = put_rows(s, seconds);
	print_status(s);
	if (s->redraw)
		put_findings(s, room);
}

bool serve__end_interval(struct serve *s)
{
	double now = cli__now();

	serve__account(s);
	if (s->opts.json) {
		put_rows(s, now - s->since);
		json_status(s, now - s->since);
	} else {
		put_table(s, now - s->since);
	}
	s->tables++;
	s->since = now;
	return cli__flush() == CLI_DONE;
}
