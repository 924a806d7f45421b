// SPDX-License-Identifier: GPL-2.0
#include "volumes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

struct volume {
	char *name;
	size_t bytes;
};

/* Most traces have one disk, few more than some dozens: the last one first, then a hash table of
 * numbers + 1, at most half full. */
struct volumes {
	struct volume *all;
	__u32 *table;
	size_t n, slots;
	size_t last;
};

#define FIRST_SLOTS 16

struct volumes *volumes__new(void)
{
	struct volumes *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->slots = FIRST_SLOTS;
	v->table = calloc(v->slots, sizeof(*v->table));
	v->all = calloc(v->slots / 2, sizeof(*v->all));
	if (v->table && v->all)
		return v;
	volumes__free(v);
	return NULL;
}

void volumes__free(struct volumes *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++)
		free(v->all[i].name);
	free(v->all);
	free(v->table);
	free(v);
}

/* FNV-1a. */
static size_t hash(const unsigned char *name, size_t n)
{
	__u64 h = 0xcbf29ce484222325ULL;

	while (n--)
		h = (h ^ *name++) * 0x100000001b3ULL;
	return h ^ h >> 32;
}

static bool is_named(const struct volumes *v, size_t number, const void *name, size_t n)
{
	const struct volume *it = &v->all[number];

	return it->bytes == n && !memcmp(it->name, name, n);
}

/* Where the name is, or is to go. */
static __u32 *slot_of(const struct volumes *v, const void *name, size_t n)
{
	size_t mask = v->slots - 1, at = hash(name, n) & mask;

	while (v->table[at] && !is_named(v, v->table[at] - 1, name, n))
		at = (at + 1) & mask;
	return &v->table[at];
}

long volumes__find(const struct volumes *v, const void *name, size_t n)
{
	__u32 slot;

	if (v->last < v->n && is_named(v, v->last, name, n))
		return v->last;
	slot = *slot_of(v, name, n);
	return slot ? (long)slot - 1 : -ENOENT;
}

static int grow(struct volumes *v)
{
	size_t slots = 2 * v->slots;
	struct volume *all = realloc(v->all, slots / 2 * sizeof(*all));
	__u32 *table;

	if (!all)
		return -ENOMEM;
	v->all = all;
	table = calloc(slots, sizeof(*table));
	if (!table)
		return -ENOMEM;
	free(v->table);
	v->table = table;
	v->slots = slots;
	for (size_t i = 0; i < v->n; i++)
		*slot_of(v, all[i].name, all[i].bytes) = i + 1;
	return 0;
}

static long add(struct volumes *v, const void *name, size_t n)
{
	char *copy;

	if (v->n == VOLUMES_MAX)
		return -ENOSPC;
	if (v->n == v->slots / 2 && grow(v))
		return -ENOMEM;
	copy = malloc(n ? n : 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, name, n);
	v->all[v->n] = (struct volume){.name = copy, .bytes = n};
	*slot_of(v, name, n) = v->n + 1;
	return v->n++;
}

long volumes__number(struct volumes *v, const void *name, size_t n)
{
	long number = volumes__find(v, name, n);

	if (number == -ENOENT)
		number = add(v, name, n);
	if (number >= 0)
		v->last = number;
	return number;
}
