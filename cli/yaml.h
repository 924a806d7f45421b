/* SPDX-License-Identifier: GPL-2.0 */
/*
 * YAML files of settings: a map of names to values, lists and further maps, read by tables of what
 * there is to be. What is wrong is told with its line.
 */
#ifndef HVTRACE_CLI_YAML_H
#define HVTRACE_CLI_YAML_H

#include <stdbool.h>
#include <stddef.h>

struct yaml_file;

/* A place in a file. */
struct yaml_at {
	struct yaml_file *file;
	int node; /* libyaml's number */
};

/* Takes the text (len bytes) apart; the name is only for messages. An empty file is an empty map.
 * -EINVAL: not YAML, or not one map, -ENOMEM: told in why as "NAME:LINE: ...", as all below. */
int yaml_file__parse(struct yaml_file **out, const char *name, const char *text, size_t len,
		     char *why, size_t size);
void yaml_file__free(struct yaml_file *f); /* NULL is fine */
struct yaml_at yaml_file__root(struct yaml_file *f);

/* fn of each pair; -EINVAL: not a map, or a name is there twice. Ends with what fn returns other
 * than 0. */
typedef int (*yaml_pair)(void *ctx, const char *name, struct yaml_at value, char *why, size_t size);
int yaml__each_pair(struct yaml_at at, yaml_pair fn, void *ctx, char *why, size_t size);
/* fn of each element; -EINVAL: not a list. */
typedef int (*yaml_element)(void *ctx, struct yaml_at value, char *why, size_t size);
int yaml__each_element(struct yaml_at at, yaml_element fn, void *ctx, char *why, size_t size);
bool yaml__is_map(struct yaml_at at);
/* A scalar's text, which lives as long as the file; `what` it is, for the message. -EINVAL: it is a
 * list or a map, or has a NUL within. */
int yaml__text(struct yaml_at at, const char *what, const char **out, char *why, size_t size);

/* Write "NAME:LINE: " and the message. Returns -EINVAL. */
int yaml__wrong(struct yaml_at at, char *why, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
