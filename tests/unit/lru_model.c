// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "lru_model.h"

void lru_model__free(struct lru_model *l)
{
	free(l->pages);
	*l = (struct lru_model){0};
}

static void make_room(struct lru_model *l)
{
	if (l->nr < l->room)
		return;
	l->room = 2 * l->room + 64;
	l->pages = realloc(l->pages, l->room * sizeof(*l->pages));
	if (!l->pages)
		abort();
}

__u64 lru_model__touch(struct lru_model *l, __u64 page)
{
	size_t at = 0;

	make_room(l);
	while (at < l->nr && l->pages[at] != page)
		at++;
	memmove(l->pages + 1, l->pages, at * sizeof(*l->pages));
	l->pages[0] = page;
	if (at < l->nr)
		return at;
	l->nr++;
	return LRU_MODEL_COLD;
}
