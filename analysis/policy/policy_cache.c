// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../cache/minmax.h"
#include "policy.h"

/* Bytes of an array of one entry a page, to which `from` pages are no news. */
static int grow(void *array, size_t entry, size_t from, size_t to)
{
	char *p;

	if (to > SIZE_MAX / entry)
		return -ENOMEM;
	p = realloc(*(void **)array, to * entry);
	if (!p)
		return -ENOMEM;
	memset(p + from * entry, 0, (to - from) * entry);
	*(void **)array = p;
	return 0;
}

/* A queue's array is as large as the pages there are, and wraps around at the capacity: nothing
 * is taken from it before it is that large. */
static int grow_queues(struct policy_cache *c, __u32 pages)
{
	__u32 from = smaller(c->room, c->capacity), to = smaller(pages, c->capacity);
	int err = 0;

	for (unsigned int i = 0; i < c->ops->queues && !err && to > from; i++)
		err = grow(&c->queue[i].page, sizeof(__u32), from, to);
	return err;
}

int policy_cache__reserve(struct policy_cache *c, __u32 pages)
{
	size_t heads = c->ops->heads;
	int err;

	if (pages <= c->room)
		return 0;
	err = grow_queues(c, pages);
	if (!err)
		err = grow(&c->pages, c->ops->page_bytes, c->room ? c->room + heads : 0,
			   pages + heads);
	if (err)
		return err;
	if (!c->room && c->ops->init)
		c->ops->init(c);
	c->room = pages;
	return 0;
}

struct policy_cache *policy_cache__new(const struct policy_ops *ops)
{
	struct policy_cache *c = calloc(1, ops->cache_bytes);

	if (!c)
		return NULL;
	c->ops = ops;
	c->capacity = POLICY_UNBOUNDED;
	return c;
}

void policy_cache__free(struct policy_cache *c)
{
	if (!c)
		return;
	if (c->ops->free)
		c->ops->free(c);
	for (unsigned int i = 0; i < c->ops->queues; i++)
		free(c->queue[i].page);
	free(c->pages);
	free(c);
}

static void *copy(const void *from, size_t bytes)
{
	void *to = malloc(bytes);

	return to ? memcpy(to, from, bytes) : NULL;
}

struct policy_cache *policy_cache__clone(const struct policy_cache *c, __u32 capacity)
{
	struct policy_cache *new = copy(c, c->ops->cache_bytes);
	bool ok = new;

	if (!new)
		return NULL;
	new->capacity = capacity;
	new->pages = copy(c->pages, (c->room + (size_t)c->ops->heads) * c->ops->page_bytes);
	ok = new->pages;
	for (unsigned int i = 0; i < c->ops->queues; i++) {
		new->queue[i].page =
			copy(c->queue[i].page, smaller(c->room, capacity) * sizeof(__u32));
		ok = ok && new->queue[i].page;
	}
	if (ok)
		return new;
	policy_cache__free(new);
	return NULL;
}
