// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"

struct page {
	__u64 last; /* step of its last access, from 1; 0 = none yet */
	bool cached, dirty;
};

struct lru {
	struct page *pages;
	__u64 *log; /* page of each access: the oldest entry that is its page's last is the LRU page
		     */
	__u64 oldest, cached;
};

static void evict(struct lru *l, struct reference *out)
{
	struct page *p;

	do {
		p = &l->pages[l->log[l->oldest++]];
	} while (!p->cached || p->last != l->oldest);
	p->cached = false;
	l->cached--;
	out->evictions++;
	out->writebacks += p->dirty;
}

static void access_page(struct lru *l, struct workload_access a, __u64 frames,
			struct reference *out)
{
	struct page *p = &l->pages[a.page];

	l->log[out->accesses++] = a.page;
	if (!p->cached) {
		out->fills++;
		out->cold += !p->last;
		if (l->cached == frames)
			evict(l, out);
		p->cached = true;
		p->dirty = false;
		l->cached++;
	}
	p->last = out->accesses;
	p->dirty |= a.write;
}

int reference__run(const struct workload *w, __u64 steps, __u64 frames, struct reference *out)
{
	struct lru l = {.pages = calloc(w->disk_pages, sizeof(*l.pages)),
			.log = calloc(steps, sizeof(*l.log))};
	struct workload_state state;

	memset(out, 0, sizeof(*out));
	if (l.pages && l.log) {
		workload__start(w, &state);
		while (out->accesses < steps)
			access_page(&l, workload__next(w, &state), frames, out);
	}
	free(l.pages);
	free(l.log);
	return out->accesses == steps ? 0 : -ENOMEM;
}
