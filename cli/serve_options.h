/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The settings of hvtrace serve: by option or by configuration file, under the same names. What
 * an option says wins; disks add up.
 */
#ifndef HVTRACE_SERVE_OPTIONS_H
#define HVTRACE_SERVE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "disk_spec.h"

#define SERVE_WHY 512

struct serve_options {
	__u64 cache;	 /* pages */
	char *policy;	 /* NULL: the default */
	size_t huge;	 /* bytes of a huge page to try first, 0: none from the pool */
	int node;	 /* -1: any */
	char *control;	 /* socket, NULL: none */
	double interval; /* seconds between tables */
	double duration; /* seconds, 0 = until a signal */
	double wait;	 /* seconds to wait for an image's lock */
	bool json, quiet;
	__u64 audit;	    /* one hit in so many, 0 = none */
	char *metrics;	    /* [ADDRESS:]PORT, NULL: none */
	char *user;	    /* to run as, NULL: as started */
	char *socket_owner; /* USER[:GROUP] of the disks' sockets */
	__u64 max_pages;    /* that curves track */
	char *csv;	    /* folder */
	char *config;	    /* file, NULL: none */

	struct disk_spec *disks;
	size_t nr_disks;
	unsigned given; /* a bit for each setting that was set */
};

void serve_options__init(struct serve_options *o);
void serve_options__free(struct serve_options *o);

/* 0, -1 to end well (help was printed), or an exit status after a line that says what is wrong.
 * Reads the configuration file, too. */
int serve_options__parse(struct serve_options *o, int argc, char **argv);

/* Take one setting by its name. -ENOENT: no such setting; -EEXIST: given before; -EINVAL; -ENOMEM;
 * with a sentence in why. */
int serve_options__set(struct serve_options *o, const char *name, const char *value, char *why,
		       size_t size);
bool serve_options__given(const struct serve_options *o, const char *name);
/* The name of setting i; NULL: there are no more. Does it have the same value in both? */
const char *serve_options__setting(size_t i);
bool serve_options__same(const struct serve_options *a, const struct serve_options *b, size_t i);

/* Takes over the disk; unless its name or socket is there already: -EEXIST; -ENOMEM. */
int serve_options__add_disk(struct serve_options *o, struct disk_spec *d, char *why, size_t size);

/* What of `from` was not given to `o`: settings, and disks. Takes it over; nothing is left in
 * `from`. A disk of a name that is there: -EEXIST; -ENOMEM. */
int serve_options__merge(struct serve_options *o, struct serve_options *from, char *why,
			 size_t size);

/* A configuration file's text (len bytes). -EINVAL, "FILE:LINE: ..." in why; -ENOMEM. */
int serve_config__parse(struct serve_options *o, const char *file, const char *text, size_t len,
			char *why, size_t size);
/* Read it. -errno. */
int serve_config__read(struct serve_options *o, const char *file, char *why, size_t size);

#endif
