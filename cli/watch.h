/* SPDX-License-Identifier: GPL-2.0 */
/* The VMs as live follows them: what they did over an interval and in all, kept when they end. */
#ifndef HVTRACE_WATCH_H
#define HVTRACE_WATCH_H

#include "../analysis/report.h"
#include "../loader/tracer.h"
#include "table.h"
#include "vm_check.h"
#include "vm_recent.h"
#include "vms_csv.h"

struct watch {
	__u64 generation;
	__u16 id;
	pid_t pid;
	bool kvm, ended;
	char name[64], vmm[24];
	__u64 mem_pages;		    /* slots less what was given back */
	double since, seconds;		    /* it was first seen, and until it ended */
	struct vm_counters now, before;	    /* as of the last account; of the interval's begin */
	double evictions, evictions_before; /* all pages: sampled ones times N */
	__u64 refaults_before;
	const struct vm_recent *recent; /* what curves are of; NULL: all that was seen */
	struct vm_check *check;
	double told_check; /* time of the change that was told of, seconds; 0: of none */
	bool told_difference;
	struct vm_report *report; /* once it ended */
};

struct watch_list {
	struct watch **vms; /* in the order they were seen */
	size_t nr;
};

/* NULL: out of memory. One of that name that has ended is what it may be compared with. */
struct watch *watch_list__add(struct watch_list *l, const struct tracer_vm *vm,
			      const struct engine *e);
/* After watch__end(): others of its name can be compared with it. */
void watch_list__ended(const struct watch_list *l, const struct watch *w);
struct watch *watch_list__find(const struct watch_list *l, __u64 generation);
void watch_list__free(struct watch_list *l);

/* What to call a VM: its name, with the pid if another has the same. Returns buf. */
#define WATCH_LABEL 80
const char *watch_list__label(const struct watch_list *l, const struct watch *w,
			      char buf[WATCH_LABEL]);

/* Take over what the tracer knows by now. Evictions since the last call are of pages sampled at
 * 1/one_in: call before that changes. */
void watch__account(struct watch *w, const struct tracer_vm *vm, const struct vm_counters *c,
		    __u64 one_in);
/* Put its curve to the test, with what was accounted last: at a time, in seconds. 1: its memory
 * changed; 0; -ENOMEM. */
int watch__check(struct watch *w, double time);
/* The line of the interval of so many seconds that ends now, and begin the next one. */
void watch__row(struct watch *w, const struct engine *e, __u64 one_in, double seconds,
		struct table_row *row);
/* What the engine knows of it now. NULL: out of memory. */
struct vm_report *watch__report(const struct watch *w, const struct engine *e, const __u64 *sizes,
				size_t n);
/* Keep that: it ended. -ENOMEM. */
int watch__end(struct watch *w, const struct engine *e);

/* Seconds since it was first seen, until it ended. */
double watch__seconds(const struct watch *w);
/* What a page read takes: all time of reads by the pages they read; ns, NAN: none was. */
double watch__miss_page(const struct watch *w);
/* What a plan has to know of it beside the curve of a space; the name is that of the report. */
void watch__facts(const struct watch *w, const struct vm_report *r, enum page_space space,
		  struct vms_csv_row *out);

#endif
