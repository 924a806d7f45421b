// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"

void *actuator__new(const struct actuator_ops *ops, size_t bytes, const char *place)
{
	struct actuator *a = calloc(1, bytes);

	if (!a)
		return NULL;
	a->ops = ops;
	a->place = strdup(place);
	if (a->place)
		return a;
	free(a);
	return NULL;
}

void actuator__free(struct actuator *a)
{
	if (!a)
		return;
	if (a->ops->free)
		a->ops->free(a);
	free(a->place);
	free(a);
}

bool actuator__bytes(const json_t *object, const char *key, __u64 *out)
{
	const json_t *value = json_object_get(object, key);
	double n = json_is_number(value) ? json_number_value(value) : -1;

	if (!(n >= 0 && n <= 0x1p53))
		return false;
	*out = n;
	return true;
}

const char *actuator__kind(const struct actuator *a)
{
	return a->ops->kind;
}

const char *actuator__place(const struct actuator *a)
{
	return a->place;
}

pid_t actuator__pid(const struct actuator *a)
{
	return a->pid;
}

int actuator__read(struct actuator *a, struct actuator_state *out, char *why, size_t size)
{
	int err;

	*out = (struct actuator_state){0};
	err = a->ops->read(a, out, why, size);
	if (err)
		*out = (struct actuator_state){0};
	return err;
}

int actuator__set(struct actuator *a, __u64 pages, char *why, size_t size)
{
	return a->ops->set(a, pages, why, size);
}

json_t *actuator__save(struct actuator *a, char *why, size_t size)
{
	return a->ops->save(a, why, size);
}

int actuator__restore(struct actuator *a, const json_t *saved, char *why, size_t size)
{
	return a->ops->restore(a, saved, why, size);
}
