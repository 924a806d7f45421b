// SPDX-License-Identifier: GPL-2.0
#include "served.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* --- the list --- */

void served_list__free(struct served_list *l)
{
	for (size_t i = 0; i < l->nr; i++) {
		vm_report__free(l->disks[i]->report);
		free(l->disks[i]);
	}
	free(l->disks);
	*l = (struct served_list){0};
}

struct served *served_list__find(const struct served_list *l, const char *name)
{
	for (size_t i = l->nr; i > 0; i--)
		if (!l->disks[i - 1]->ended && !strcmp(l->disks[i - 1]->name, name))
			return l->disks[i - 1];
	return NULL;
}

struct served *served_list__find_id(const struct served_list *l, __u16 id)
{
	for (size_t i = l->nr; i > 0; i--)
		if (!l->disks[i - 1]->ended && l->disks[i - 1]->now.id == id)
			return l->disks[i - 1];
	return NULL;
}

static struct served *add(struct served_list *l, const struct server_disk *now)
{
	struct served **disks = realloc(l->disks, (l->nr + 1) * sizeof(*disks));
	struct served *d;

	if (!disks)
		return NULL;
	l->disks = disks;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	snprintf(d->name, sizeof(d->name), "%s", now->name);
	d->since = cli__now();
	l->disks[l->nr++] = d;
	return d;
}

int served_list__account(struct served_list *l, const struct server *s)
{
	struct server_disk now;

	for (size_t i = 0; !server__disk(s, i, &now); i++) {
		struct served *d = served_list__find_id(l, now.id) ?: add(l, &now);

		if (!d)
			return -ENOMEM;
		served__update(d, &now);
	}
	return 0;
}

static void add_words(void *to, const void *from, size_t bytes)
{
	const __u64 *f = from;
	__u64 *t = to;

	for (size_t i = 0; i < bytes / sizeof(*t); i++)
		t[i] += f[i];
}

static void add_to_rest(struct served_list *l, const struct served *d)
{
	struct server_disk *sum = &l->rest.now;

	add_words(&sum->counts, &d->now.counts, sizeof(sum->counts));
	add_words(&sum->hit, &d->now.hit, sizeof(sum->hit));
	add_words(&sum->miss, &d->now.miss, sizeof(sum->miss));
	l->nr_rest++;
	snprintf(l->rest.name, sizeof(l->rest.name), "%zu removed before", l->nr_rest);
}

static void drop(struct served_list *l, size_t i)
{
	struct served *d = l->disks[i];

	add_to_rest(l, d);
	vm_report__free(d->report);
	free(d);
	l->nr--;
	memmove(&l->disks[i], &l->disks[i + 1], (l->nr - i) * sizeof(*l->disks));
}

void served_list__trim(struct served_list *l)
{
	size_t removed = 0;

	for (size_t i = l->nr; i > 0; i--)
		if (l->disks[i - 1]->removed && ++removed > SERVED_REMOVED)
			drop(l, i - 1);
}

int served__end(struct served *d, const struct engine *e)
{
	d->ended = true;
	/* They were the server's. */
	d->now.name = d->name;
	d->now.path = d->now.socket = d->now.engine = "";
	d->report = vm_report__new(e, d->now.id, d->name, NULL, NULL, 0);
	return d->report ? 0 : -ENOMEM;
}

/* --- findings --- */

/* So many frames say how the guest treats them: what they held before is 16 MiB. */
#define ENOUGH_FRAMES 4096
/* Percent that are worth a word. */
#define MANY_ZEROED 50

/* Those whose bytes were compared with what they should hold. */
static __u64 looked_at(const struct served_counts *c)
{
	return c->capture[CAPTURED] + c->capture[CAPTURE_CHANGED];
}

/* Some frames at a time: a guest that was booted in another way is to be seen as it is now. */
static void judge_frames(struct served *d)
{
	const struct served_counts *c = &d->now.counts;
	__u64 frames = looked_at(c) - looked_at(&d->judged);
	__u64 zeroed = c->zeroed - d->judged.zeroed;

	if (frames < ENOUGH_FRAMES)
		return;
	/* The counters are read one after the other while they grow. */
	d->zeroed_percent = zeroed < frames ? 100 * zeroed / frames : 100;
	d->judged = *c;
}

void served__update(struct served *d, const struct server_disk *now)
{
	d->now = *now;
	d->seconds = cli__now() - d->since;
	judge_frames(d);
}

bool served__finding(const struct served *d, char text[SERVED_FINDING])
{
	text[0] = 0;
	if (d->zeroed_percent < MANY_ZEROED)
		return false;
	snprintf(text, SERVED_FINDING,
		 "%u %% of the frames its guest reads into were zeroed before: boot the guest with "
		 "init_on_alloc=0",
		 d->zeroed_percent);
	return true;
}

/* --- latencies --- */

__u64 served_latency__count(const struct served_latency *l)
{
	__u64 n = 0;

	for (size_t b = 0; b < PE_LATENCY_BUCKETS; b++)
		n += l->bucket[b];
	return n;
}

double served_latency__mean(const struct served_latency *l)
{
	__u64 n = served_latency__count(l);

	return n ? (double)l->sum_ns / n : 0;
}

/* --- for plans --- */

double served__miss_page(const struct served *d)
{
	if (!d->now.counts.misses)
		return NAN;
	return served_latency__mean(&d->now.miss) * served_latency__count(&d->now.miss) /
	       d->now.counts.misses;
}

double served__accesses(const struct served *d, const struct vm_report *r)
{
	const struct space_report *disk = &r->space[SPACE_DISK];

	return disk->nr_points && d->seconds > 0 ? disk->curve[0].accesses / d->seconds : NAN;
}

void served__facts(const struct served *d, struct vms_csv_row *out)
{
	double direct = d->now.memory_pages ? (double)d->now.memory_pages * PAGE_BYTES : NAN;

	*out = (struct vms_csv_row){
		.vm = (char *)d->name,
		.memory = direct + (double)d->now.target_slots * PAGE_BYTES,
		.direct = direct,
		.accesses = d->report ? served__accesses(d, d->report) : NAN,
		.latency = served__miss_page(d),
	};
}

/* --- counts --- */

#define COUNT(member, text, help)                                                                  \
	{                                                                                          \
#member, text, help, offsetof(struct served_counts, member)                        \
	}
const struct served_count served_counts_table[] = {
	COUNT(reads, "reads", "Read requests answered."),
	COUNT(writes, "writes", "Write requests answered."),
	COUNT(flushes, "flushes", "Flush requests answered."),
	COUNT(discards, "discards", "Discard and write-zeroes requests answered."),
	COUNT(other, "other requests", "Other requests answered."),
	COUNT(read_bytes, "bytes read", "Bytes read by the guest."),
	COUNT(written_bytes, "bytes written", "Bytes written by the guest."),
	COUNT(errors, "requests failed", "Requests answered with an error of the storage."),
	COUNT(refused, "bad requests", "Requests that broke the rules."),
	COUNT(hits, "pages hit", "Pages read that came from the cache."),
	COUNT(misses, "pages missed", "Pages read that came from the storage."),
	COUNT(bypassed, "reads of less than a page", "Reads of a part of a page or frame."),
	COUNT(zeroed, "evicted pages found zeroed",
	      "Evicted pages whose frame was all zeroes when it was looked at."),
	COUNT(invalidated, "cached pages invalidated",
	      "Cached pages dropped for writes, discards and writes by others."),
	COUNT(evicted, "cached pages evicted", "Cached pages dropped for want of room."),
	COUNT(audited, "hits audited", "Hits compared with the storage."),
	COUNT(audit_overlapped, "audits in vain",
	      "Hits compared with the storage while something wrote to them."),
	COUNT(audit_failed, "audits FAILED", "Hits that differed from the storage."),
	COUNT(storage_reads, "storage reads", "Read requests issued to the storage."),
	COUNT(storage_writes, "storage writes", "Write requests issued to the storage."),
	COUNT(storage_read_bytes, "bytes from storage", "Bytes read from the storage."),
	COUNT(storage_written_bytes, "bytes to storage", "Bytes written to the storage."),
	COUNT(events, "page events", "Page events sent to the miss curves."),
	COUNT(dropped_events, "page events DROPPED", "Page events for which there was no room."),
	COUNT(busy, "requests that waited for a buffer",
	      "Requests that waited for a bounce buffer."),
};
#undef COUNT

const size_t nr_served_counts = sizeof(served_counts_table) / sizeof(served_counts_table[0]);

__u64 served_count__of(const struct served_counts *c, size_t i)
{
	return *(const __u64 *)((const char *)c + served_counts_table[i].offset);
}

const char *const served_reasons[SERVED_REASONS] = {
	"changed", "unknown", "no_room", "writing", "gone",
};

/* The reasons' order is that of enum capture, of which the first is no reason. */
_Static_assert(CAPTURED == 0 && CAPTURE_CHANGED == 1 && CAPTURE_UNKNOWN == 2 &&
		       CAPTURE_NO_ROOM == 3 && CAPTURE_WRITING == 4 && CAPTURES == 5,
	       "served_reasons has a name for each");

__u64 served__not_captured(const struct served_counts *c, unsigned reason)
{
	return reason + 1 < CAPTURES ? c->capture[reason + 1] : c->gone;
}

__u64 served__lost(const struct served_counts *c)
{
	__u64 sum = 0;

	for (unsigned i = 0; i < SERVED_REASONS; i++)
		sum += served__not_captured(c, i);
	return sum;
}

__u64 served__saved(const struct served_counts *c)
{
	return c->hits > c->audited ? (c->hits - c->audited) * PAGE_BYTES : 0;
}
