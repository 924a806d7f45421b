/* SPDX-License-Identifier: GPL-2.0 */
/* What hvtrace balance is told: by options and VMs on the command line, or by a YAML file. */
#ifndef HVTRACE_BALANCE_OPTIONS_H
#define HVTRACE_BALANCE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "actuator/actuator.h"

/* A VM: NAME,qmp=PATH[,min=SIZE]... */
struct balance_spec {
	char *name;
	char *qmp, *cgroup; /* of these at most one: what moves its memory */
	char *serve, *disk; /* hvtrace serve's control socket, and the disk there */
	pid_t pid;	    /* 0: as its QMP socket, cgroup or server says */
	__u64 min, max;	    /* pages; 0: half of what it has; all that it can have */
	double weight;	    /* of its losses; 1 */
	double loss;	/* ms a second that it may lose more than at first; negative: no bound */
	unsigned given; /* a bit for each name that was set */
};

/* Where what was is written down, unless told. */
#define BALANCE_JOURNAL "/run/hvtrace/balance.json"

enum balance_exit { EXIT_RESTORE, EXIT_KEEP };

struct balance_options {
	struct balance_spec *vms;
	size_t nr_vms;
	bool apply, json, quiet, restore;
	enum balance_exit on_exit;
	__u64 memory;			   /* pages for all; 0: what they have */
	__u64 step;			   /* pages; 0: a 16th of what a VM has on average */
	double interval, settle, duration; /* s; settle 0: the interval; duration 0: no end */
	double half_life;		   /* s: of what curves and rates are of */
	double remember, patience, freeze; /* s */
	double trial, gain;		   /* ms a second */
	double margin, slack;		   /* shares */
	__u64 sample;			   /* one page in so many; 0: as is fitting */
	char *journal, *log, *csv;	   /* files */
	char *probe_vm;			   /* NULL: no probe */
	__u64 probe;			   /* pages */
};

#define BALANCE_WHY 512
/* Seconds that a VM, or a server, has to answer. */
#define BALANCE_PATIENCE 5

/* All at their defaults. */
void balance_options__init(struct balance_options *o);
void balance_options__free(struct balance_options *o);
/* Take one setting by its name, as the command line and a file have it. -ENOENT: no such name;
 * -EINVAL, -ENOMEM; with a sentence in why, as below. */
int balance_options__set(struct balance_options *o, const char *name, const char *value, char *why,
			 size_t size);
/* One more VM. -EEXIST: there is one of that name. */
int balance_options__add(struct balance_options *o, const char *text, char *why, size_t size);
/* What a file says; `name` is for messages. */
int balance_config__parse(struct balance_options *o, const char *name, const char *text, size_t len,
			  char *why, size_t size);
int balance_config__read(struct balance_options *o, const char *file, char *why, size_t size);
/* Does it fit together? -EINVAL. */
int balance_options__check(const struct balance_options *o, char *why, size_t size);

int balance_spec__set(struct balance_spec *v, const char *name, const char *value, char *why,
		      size_t size);
int balance_spec__check(const struct balance_spec *v, char *why, size_t size);
void balance_spec__free(struct balance_spec *v);
/* Takes over the spec, which is empty then. */
int balance_options__take(struct balance_options *o, struct balance_spec *v, char *why,
			  size_t size);

#endif
