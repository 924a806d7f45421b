/* SPDX-License-Identifier: GPL-2.0 */
/* The disks of a trace, numbered in the order of their appearance. */
#ifndef HVTRACE_VOLUMES_H
#define HVTRACE_VOLUMES_H

#include <stddef.h>

#define VOLUMES_MAX 65536

struct volumes;

struct volumes *volumes__new(void); /* NULL: out of memory */
void volumes__free(struct volumes *v);
/* A disk's number by its name, any n bytes. -ENOENT: has none. */
long volumes__find(const struct volumes *v, const void *name, size_t n);
/* The same, but gives it the next number. -ENOSPC: there are VOLUMES_MAX; -ENOMEM. */
long volumes__number(struct volumes *v, const void *name, size_t n);

#endif
