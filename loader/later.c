// SPDX-License-Identifier: GPL-2.0
#include "later.h"

static bool range__touches(const struct page_range *r, __u64 page, __u64 end)
{
	return page <= r->end && end >= r->page;
}

static void range__widen(struct page_range *r, __u64 page, __u64 end)
{
	if (page < r->page)
		r->page = page;
	if (end > r->end)
		r->end = end;
}

/* Writes come in runs: look at the last one only. */
void later__add(struct later *l, __u64 page, __u64 end)
{
	struct ranges *to = &l->recent;
	struct page_range *last = &to->range[to->n - !!to->n];

	if (to->n && (to->n == LATER_RANGES || range__touches(last, page, end)))
		range__widen(last, page, end);
	else
		to->range[to->n++] = (struct page_range){page, end};
}

void later__tick(struct later *l)
{
	l->due = l->older;
	l->older = l->recent;
	l->recent.n = 0;
}

bool later__is_empty(const struct later *l)
{
	return !l->recent.n && !l->older.n;
}
