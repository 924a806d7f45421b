// SPDX-License-Identifier: GPL-2.0
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "policy_model.h"

#define HOLE (~0ULL)

/* Newest first. */
struct pages {
	__u64 page[4096];
	int frequency[4096];
	size_t n;
};

static int find(const struct pages *l, __u64 page)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->page[i] == page)
			return i;
	return -1;
}

static void take(struct pages *l, size_t i)
{
	l->n--;
	memmove(l->page + i, l->page + i + 1, (l->n - i) * sizeof(*l->page));
	memmove(l->frequency + i, l->frequency + i + 1, (l->n - i) * sizeof(*l->frequency));
}

static void add(struct pages *l, __u64 page, int frequency)
{
	memmove(l->page + 1, l->page, l->n * sizeof(*l->page));
	memmove(l->frequency + 1, l->frequency, l->n * sizeof(*l->frequency));
	l->page[0] = page;
	l->frequency[0] = frequency;
	l->n++;
}

static __u64 take_oldest(struct pages *l)
{
	__u64 page = l->page[l->n - 1];

	take(l, l->n - 1);
	return page;
}

/* One policy's whole state. */
struct model {
	size_t capacity;
	struct pages a, b, ghost_a, ghost_b; /* S, M, G, -; T1, T2, B1, B2 */
	size_t hand;
	double p;
};

static bool fifo(struct model *m, __u64 page)
{
	if (find(&m->a, page) >= 0)
		return true;
	if (m->a.n == m->capacity)
		take_oldest(&m->a);
	add(&m->a, page, 0);
	return false;
}

static bool lru(struct model *m, __u64 page)
{
	int at = find(&m->a, page);

	if (at >= 0)
		take(&m->a, at);
	else if (m->a.n == m->capacity)
		take_oldest(&m->a);
	add(&m->a, page, 0);
	return at >= 0;
}

/* A ring of places; frequency is the bit. */
static bool second_chance(struct model *m, __u64 page)
{
	int at = find(&m->a, page);

	if (at >= 0) {
		m->a.frequency[at] = 1;
		return true;
	}
	if (m->a.n < m->capacity) {
		m->a.page[m->a.n++] = page;
		return false;
	}
	for (; m->a.frequency[m->hand]; m->hand = (m->hand + 1) % m->capacity)
		m->a.frequency[m->hand] = 0;
	m->a.page[m->hand] = page;
	m->hand = (m->hand + 1) % m->capacity;
	return false;
}

/* --- S3-FIFO --- */

static size_t main_share(const struct model *m)
{
	return m->capacity * 9 / 10;
}

static void evict_main(struct model *m)
{
	while (m->b.n) {
		int frequency = m->b.frequency[m->b.n - 1];
		__u64 page = take_oldest(&m->b);

		if (!frequency)
			return;
		add(&m->b, page, frequency - 1);
	}
}

static void evict_small(struct model *m)
{
	while (m->a.n) {
		int frequency = m->a.frequency[m->a.n - 1];
		__u64 page = take_oldest(&m->a);

		if (frequency <= 1) {
			add(&m->ghost_a, page, 0);
			if (m->ghost_a.n > main_share(m))
				take_oldest(&m->ghost_a);
			return;
		}
		if (m->b.n >= main_share(m))
			evict_main(m);
		add(&m->b, page, 0);
	}
}

static bool s3fifo(struct model *m, __u64 page)
{
	struct pages *in = find(&m->a, page) >= 0 ? &m->a : &m->b;
	int at = find(in, page), ghost;

	if (at >= 0) {
		in->frequency[at] += in->frequency[at] < 3;
		return true;
	}
	while (m->a.n + m->b.n >= m->capacity) {
		if (m->a.n >= 0.1 * m->capacity)
			evict_small(m);
		else
			evict_main(m);
	}
	ghost = find(&m->ghost_a, page);
	if (ghost >= 0)
		m->ghost_a.page[ghost] = HOLE;
	add(ghost >= 0 ? &m->b : &m->a, page, 0);
	return false;
}

/* --- ARC --- */

static void replace(struct model *m, bool in_b2)
{
	if (m->a.n >= 1 && ((in_b2 && m->a.n == m->p) || m->a.n > m->p))
		add(&m->ghost_a, take_oldest(&m->a), 0);
	else
		add(&m->ghost_b, take_oldest(&m->b), 0);
}

static void arc_ghost(struct model *m, __u64 page, struct pages *ghost)
{
	double b1 = m->ghost_a.n, b2 = m->ghost_b.n;

	if (ghost == &m->ghost_a)
		m->p = fmin(m->p + (b1 >= b2 ? 1 : b2 / b1), m->capacity);
	else
		m->p = fmax(m->p - (b2 >= b1 ? 1 : b1 / b2), 0);
	replace(m, ghost == &m->ghost_b);
	take(ghost, find(ghost, page));
	add(&m->b, page, 0);
}

static void arc_miss(struct model *m, __u64 page)
{
	size_t all = m->a.n + m->b.n + m->ghost_a.n + m->ghost_b.n;

	if (m->a.n + m->ghost_a.n == m->capacity) {
		if (m->a.n < m->capacity) {
			take_oldest(&m->ghost_a);
			replace(m, false);
		} else {
			take_oldest(&m->a);
		}
	} else if (all >= m->capacity) {
		if (all == 2 * m->capacity)
			take_oldest(&m->ghost_b);
		replace(m, false);
	}
	add(&m->a, page, 0);
}

static bool arc(struct model *m, __u64 page)
{
	struct pages *in = find(&m->a, page) >= 0 ? &m->a : &m->b;

	if (find(in, page) >= 0) {
		take(in, find(in, page));
		add(&m->b, page, 0);
		return true;
	}
	if (find(&m->ghost_a, page) >= 0)
		arc_ghost(m, page, &m->ghost_a);
	else if (find(&m->ghost_b, page) >= 0)
		arc_ghost(m, page, &m->ghost_b);
	else
		arc_miss(m, page);
	return false;
}

/* --- OPT --- */

static size_t next_use(__u64 page, const __u64 *pages, size_t from, size_t n)
{
	while (from < n && pages[from] != page)
		from++;
	return from;
}

static bool opt(struct model *m, const __u64 *pages, size_t now, size_t n)
{
	size_t victim = 0, latest = 0;

	if (find(&m->a, pages[now]) >= 0)
		return true;
	for (size_t i = 0; i < m->a.n; i++) {
		size_t use = next_use(m->a.page[i], pages, now, n);

		if (use > latest) {
			latest = use;
			victim = i;
		}
	}
	if (m->a.n == m->capacity)
		take(&m->a, victim);
	add(&m->a, pages[now], 0);
	return false;
}

static bool hit(struct model *m, enum policy policy, const __u64 *pages, size_t now, size_t n)
{
	switch (policy) {
	case POLICY_LRU:
		return lru(m, pages[now]);
	case POLICY_FIFO:
		return fifo(m, pages[now]);
	case POLICY_CLOCK:
		return second_chance(m, pages[now]);
	case POLICY_S3FIFO:
		return s3fifo(m, pages[now]);
	case POLICY_ARC:
		return arc(m, pages[now]);
	default:
		return opt(m, pages, now, n);
	}
}

size_t policy_model__misses(enum policy policy, size_t capacity, const __u64 *pages, size_t n)
{
	static struct model m; /* one test at a time */
	size_t misses = 0;

	m.capacity = capacity;
	m.a.n = m.b.n = m.ghost_a.n = m.ghost_b.n = m.hand = m.p = 0;
	memset(m.a.frequency, 0, sizeof(m.a.frequency));
	for (size_t i = 0; i < n; i++)
		misses += !hit(&m, policy, pages, i, n);
	return misses;
}
