/* SPDX-License-Identifier: GPL-2.0 */
/* The disks as serve follows them: what they did over an interval and in all, kept when they go. */
#ifndef HVTRACE_SERVED_H
#define HVTRACE_SERVED_H

#include "../analysis/report.h"
#include "../cache/serve/server.h"
#include "disk_spec.h"
#include "vms_csv.h"

struct served {
	char name[DISK_NAME_MAX + 1];
	bool ended, removed; /* removed: before all ended */
	double since;	     /* it is served (cli__now()), */
	double seconds;	     /* as of the last account */
	/* As of the last account, and of the interval's begin. Their strings are the server's, and
	 * gone when it ended. */
	struct server_disk now, before;
	char blind[256];	  /* which writes by others are not seen; "": all are */
	struct vm_report *report; /* once it ended */
	/* Of the last frames that were looked at for captures; as of then; the finding was told. */
	unsigned zeroed_percent;
	struct served_counts judged;
	bool told;
};

/* Disks that were removed are kept for the report at the end: so many, the last ones. */
#define SERVED_REMOVED 64

struct served_list {
	struct served **disks; /* in the order they were added */
	size_t nr;
	/* The sum of those that were removed before, named after how many they are: counts and
	 * latencies.
	 */
	size_t nr_rest;
	struct served rest;
};

void served_list__free(struct served_list *l);
/* Take over what the server knows by now, new disks too. -ENOMEM. */
int served_list__account(struct served_list *l, const struct server *s);
/* The one that has this name or id now; NULL: none. */
struct served *served_list__find(const struct served_list *l, const char *name);
struct served *served_list__find_id(const struct served_list *l, __u16 id);

/* Its figures by now. */
void served__update(struct served *d, const struct server_disk *now);
/* What its administrator should know, a sentence; false: nothing. */
#define SERVED_FINDING 160
bool served__finding(const struct served *d, char text[SERVED_FINDING]);

/* Add up those that were removed, but for the last SERVED_REMOVED. */
void served_list__trim(struct served_list *l);

/* Keep what the engine knows of it, under its name. It ended. -ENOMEM. */
int served__end(struct served *d, const struct engine *e);

/* --- latencies --- */

__u64 served_latency__count(const struct served_latency *l);
double served_latency__mean(const struct served_latency *l); /* ns; 0: nothing was counted */

/* What a page that is not cached takes: all time of reads that missed, by the pages that they
 * missed; ns, NAN: none did. */
double served__miss_page(const struct served *d);
/* Accesses of its curve, a second; NAN: nothing was read yet. */
double served__accesses(const struct served *d, const struct vm_report *r);
/* What a plan has to know of it beside its curve. */
void served__facts(const struct served *d, struct vms_csv_row *out);

/* --- counts: one table drives text, JSON, CSV and metrics --- */

struct served_count {
	const char *key;  /* in JSON and CSV; in metrics with _total */
	const char *text; /* "12 ..." */
	const char *help;
	size_t offset; /* in struct served_counts */
};
extern const struct served_count served_counts_table[];
extern const size_t nr_served_counts;
__u64 served_count__of(const struct served_counts *c, size_t i);

/* Why pages were not captured: enum capture but for CAPTURED, and evicted pages that were gone. */
#define SERVED_REASONS CAPTURES
extern const char *const served_reasons[SERVED_REASONS];
__u64 served__not_captured(const struct served_counts *c, unsigned reason);
__u64 served__lost(const struct served_counts *c); /* of all reasons */
/* Bytes that need not be read from storage: hits, but for those that were compared with it. */
__u64 served__saved(const struct served_counts *c);

#endif
