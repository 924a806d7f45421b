/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What balance sees of its VMs: counts that only grow, and curves of the recent past. From a
 * tracing session of its own, or from the server of the VM's disk.
 */
#ifndef HVTRACE_BALANCE_SIGHT_H
#define HVTRACE_BALANCE_SIGHT_H

#include "../analysis/engine.h"
#include "balance_options.h"

/* Of one VM since some time. */
struct sight_counts {
	double accesses; /* pages read that the VM's memory did not have */
	double misses;	 /* ... and no cache of the host either: storage was read */
	double ns;	 /* waited for these */
};

/* --- a tracing session --- */

struct balance_trace;

/* An exit status, after a line that says what failed. The processes are traced whether they use KVM
 * or not. */
int balance_trace__open(struct balance_trace **out, const struct balance_options *o,
			const pid_t *pids, size_t n);
void balance_trace__close(struct balance_trace *t); /* NULL is fine */
/* Wait for events for some 50 ms, and take them in. -errno. */
int balance_trace__poll(struct balance_trace *t);
/* false: no such process is traced (yet). `mem`: what the host paged counts, not the disk. */
bool balance_trace__counts(struct balance_trace *t, pid_t pid, bool mem, struct sight_counts *out);
/* Sizes are added to what the VM has. The caller frees the points. -ENOENT: nothing seen, -ENOMEM.
 */
int balance_trace__curve(struct balance_trace *t, pid_t pid, bool mem, struct curve_point **points,
			 size_t *n);

/* --- a server of disks --- */

struct balance_served;

/* NULL: out of memory. */
struct balance_served *balance_served__new(const char *socket, const char *disk, double half_life);
void balance_served__free(struct balance_served *s); /* NULL is fine */
/* Ask. -errno with a sentence in why. */
int balance_served__counts(struct balance_served *s, struct sight_counts *out, char *why,
			   size_t size);
/* As above; sizes begin at a cache of nothing. Ask at even times: a point is what came since the
 * last one, beside what fades. -ENOENT: nothing yet. */
int balance_served__curve(struct balance_served *s, double time, struct curve_point **points,
			  size_t *n, char *why, size_t size);
/* Pages of its disk that are cached, as of the last counts. */
__u64 balance_served__cached(const struct balance_served *s);

#endif
