/* SPDX-License-Identifier: GPL-2.0 */
/* The VMs of a plan, and their hosts, as they are read from files, recordings and sockets. */
#ifndef HVTRACE_PLAN_VMS_H
#define HVTRACE_PLAN_VMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "../analysis/hvanalysis.h"
#include "../bpf/page_event.h"
#include "group_list.h"
#include "plan_facts.h"

/* Of a host that is given no name. */
#define PLAN_HOST "host"

struct plan_host {
	char *name;
	bool given;
	__u64 memory;		   /* pages: said so, if given */
	__u64 unused;		   /* pages that plans may use and no VM has, as far as known */
	struct group_list *groups; /* of its VMs; NULL: none */
	bool gone;		   /* failed, or left empty: it has no VMs and no memory */
};

struct plan_vm {
	char *name;
	size_t host; /* index */
	enum page_space space;
	bool added; /* sizes of the curve are on top of its direct memory */
	bool fresh; /* it is not there yet: --add-vm */
	bool gone;  /* it is not to be there: --without */
	bool moved; /* it was on another host: */
	size_t from;
	struct curve_point *points; /* ascending sizes, n */
	size_t n;
	struct plan_facts facts;
};

struct plan_vms {
	struct plan_host *hosts;
	size_t nr_hosts;
	struct plan_vm *vms;
	size_t nr;
};

void plan_vms__free(struct plan_vms *v);
/* Index of a host; nr_hosts: there is none of that name. */
size_t plan_vms__find_host(const struct plan_vms *v, const char *name);
/* The host of this name, which is made if need be; NULL: the one without a name. -ENOMEM. */
int plan_vms__host(struct plan_vms *v, const char *name, size_t *host);
/* One more, with its points copied. -EEXIST: its host has one of that name; -ENOMEM. */
int plan_vms__add(struct plan_vms *v, const struct plan_vm *vm);
/* "NAME", or "NAME@HOST": is it this one? */
bool plan_vms__is(const struct plan_vms *v, const struct plan_vm *vm, const char *name);

/* --- where they come from --- */

struct plan_source {
	const char *path; /* a folder of --csv, a curve.csv ("-": standard input), a recording or
			     another trace; or a control socket */
	const char *host; /* NULL: the one without a name */
	const char *name; /* what to call the one VM that is in it; NULL: as it says */
	bool any_space;	  /* disk, or else mem; else only */
	enum page_space space;
	bool fresh;
	const char *const *only; /* only VMs of these names; NULL: all */
	size_t nr_only;
	const struct plan_facts *facts; /* of all that are in it; NULL: none */
};

/* Each an exit status, after a line if it is not CLI_DONE. */
int plan_file__read(struct plan_vms *v, const struct plan_source *s);
int plan_socket__read(struct plan_vms *v, const struct plan_source *s);

/* What a running hvtrace answered to "stats" and "curve". -EINVAL, -EEXIST, -ENOMEM; with a
 * sentence in why. */
int plan_socket__take(struct plan_vms *v, const struct plan_source *s, const json_t *stats,
		      const json_t *curves, char *why, size_t size);
/* A curve of a source, if it is one that is wanted, with what is known of the VM. Errors as
 * above. */
struct plan_curve {
	const char *vm;
	enum page_space space;
	bool added;
	const struct curve_point *points;
	size_t n;
	struct plan_facts facts;
};
int plan_source__take(const struct plan_source *s, struct plan_vms *v,
		      const struct plan_curve *curves, size_t n, char *why, size_t size);

#endif
