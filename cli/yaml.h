/* SPDX-License-Identifier: GPL-2.0 */
/*
 * YAML files of settings: a map of names to values, lists and further maps, read by tables of what
 * there is to be. What is wrong is told with its line.
 *
 * Sentences that others say of a value fit into YAML_WHY bytes.
 */
#ifndef HVTRACE_CLI_YAML_H
#define HVTRACE_CLI_YAML_H

#include <stdbool.h>
#include <stddef.h>

#define YAML_WHY 512

struct yaml_file;

/* A place in a file. */
struct yaml_at {
	struct yaml_file *file;
	int node; /* libyaml's number */
};

typedef int (*yaml_pair)(void *ctx, const char *name, struct yaml_at value, char *why, size_t size);

/* A text (len bytes), or a file ("-": standard input) of at most 4 MiB: fn of each pair at its
 * root, in which places are valid; the name is only for messages. An empty file is an empty map.
 * -EINVAL: not YAML, or not one map, -ENOMEM: told in why as "NAME:LINE: ...", as all below; -errno
 * of the file. */
int yaml__take_text(const char *name, const char *text, size_t len, yaml_pair fn, void *ctx,
		    char *why, size_t size);
int yaml__take_file(const char *file, yaml_pair fn, void *ctx, char *why, size_t size);

/* fn of each pair; -EINVAL: not a map, or a name is there twice. Ends with what fn returns other
 * than 0. */
int yaml__each_pair(struct yaml_at at, yaml_pair fn, void *ctx, char *why, size_t size);
/* fn of each element; -EINVAL: not a list. */
typedef int (*yaml_element)(void *ctx, struct yaml_at value, char *why, size_t size);
int yaml__each_element(struct yaml_at at, yaml_element fn, void *ctx, char *why, size_t size);
bool yaml__is_map(struct yaml_at at);
/* A scalar's text, which lives as long as the file; `what` it is, for the message. -EINVAL: it is a
 * list or a map, or has a NUL within. */
int yaml__text(struct yaml_at at, const char *what, const char **out, char *why, size_t size);

/* Take the setting `name`, of which the text is the value, for ctx. -EINVAL: with a sentence in why
 * that needs no line; -ENOMEM. */
typedef int (*yaml_setter)(void *ctx, const char *name, const char *text, char *why, size_t size);
/* Give it that of a scalar. What it refuses is told with the line. */
int yaml__set(struct yaml_at at, const char *name, yaml_setter set, void *ctx, char *why,
	      size_t size);

/* Write "NAME:LINE: " and the message. Returns -EINVAL. */
int yaml__wrong(struct yaml_at at, char *why, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same for what others refused with this error and reason: out of memory stays what it is. */
int yaml__refused(struct yaml_at at, int err, const char *reason, char *why, size_t size);

#endif
