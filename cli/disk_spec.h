/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk to be served, as people write it down: NAME,path=..,socket=..[,ro][,min=..]... on the
 * command line, the same names in a configuration file or over the control socket.
 */
#ifndef HVTRACE_DISK_SPEC_H
#define HVTRACE_DISK_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define DISK_NAME_MAX 63
/* Of a disk that is given none. */
#define DISK_SHARE 100

/* Zero-initialised is empty. */
struct disk_spec {
	char *name, *path, *socket, *id; /* NULL: not given */
	bool read_only;
	__u64 min, max;	 /* pages; max 0: no bound */
	__u64 share;	 /* 0: not given */
	unsigned queues; /* 0: not given */
	unsigned given;	 /* a bit for each name that was set */
};

void disk_spec__free(struct disk_spec *d);
/* Take one value. -ENOENT: no such name; -EEXIST: given before; -EINVAL; -ENOMEM; with a sentence
 * in why. */
int disk_spec__set(struct disk_spec *d, const char *name, const char *value, char *why,
		   size_t size);
/* What is needed is there, and fits together: -EINVAL. */
int disk_spec__check(const struct disk_spec *d, char *why, size_t size);
bool disk_spec__given(const struct disk_spec *d, const char *name);
/* A whole NAME,path=..,... Errors as above. */
int disk_spec__parse(struct disk_spec *d, const char *text, char *why, size_t size);

/* The parts of such a text: the first without "=" is the name, others stand for "true". A comma
 * in a value is written twice. Ends with what fn returns other than 0; -EINVAL, -ENOMEM. */
typedef int (*disk_spec_part)(void *ctx, const char *name, const char *value, char *why,
			      size_t size);
int disk_spec__split(const char *text, disk_spec_part fn, void *ctx, char *why, size_t size);

/* "true", "yes", "on" or "1", and their opposites. */
bool disk_spec__parse_bool(const char *text, bool *out);

#endif
