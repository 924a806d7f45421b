// SPDX-License-Identifier: GPL-2.0
#include "merge.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1024

/* Events of one CPU, oldest first: [head, tail) of the array. */
struct stream {
	struct page_event *events;
	size_t head, tail, room;
	size_t take_end; /* while taking: end of what is old enough */
};

struct merge {
	size_t cpus;
	size_t waiting;
	struct page_event batch[BATCH];
	struct stream **heap; /* streams with something to take, the oldest on top */
	struct stream streams[];
};

struct merge *merge__new(size_t cpus)
{
	struct merge *m = calloc(1, sizeof(*m) + cpus * sizeof(m->streams[0]));

	if (!m)
		return NULL;
	m->cpus = cpus;
	m->heap = calloc(cpus, sizeof(*m->heap));
	if (!m->heap) {
		free(m);
		return NULL;
	}
	return m;
}

void merge__free(struct merge *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->cpus; i++)
		free(m->streams[i].events);
	free(m->heap);
	free(m);
}

/* Room for n more: move to the front what is left, or grow. */
static int stream__reserve(struct stream *s, size_t n)
{
	size_t have = s->tail - s->head, room = s->room ? s->room : 1024;
	struct page_event *grown;

	if (s->tail + n <= s->room)
		return 0;
	if (s->head) {
		memmove(s->events, s->events + s->head, have * sizeof(*s->events));
		s->head = 0;
		s->tail = have;
	}
	while (room < have + n)
		room *= 2;
	if (room == s->room)
		return 0;
	grown = realloc(s->events, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->events = grown;
	s->room = room;
	return 0;
}

/* Nearly always at the end; an interrupt's event may overtake a few. */
static void stream__insert(struct stream *s, const struct page_event *e)
{
	size_t at = s->tail++;

	while (at > s->head && s->events[at - 1].time > e->time) {
		s->events[at] = s->events[at - 1];
		at--;
	}
	s->events[at] = *e;
}

int merge__add(struct merge *m, size_t cpu, const struct page_event *events, size_t n)
{
	struct stream *s;
	int err;

	if (cpu >= m->cpus)
		return -EINVAL;
	s = &m->streams[cpu];
	err = stream__reserve(s, n);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		stream__insert(s, &events[i]);
	m->waiting += n;
	return 0;
}

static __u64 stream__time(const struct stream *s)
{
	return s->events[s->head].time;
}

/* First event that is not before `until`. */
static size_t stream__bound(const struct stream *s, __u64 until)
{
	size_t lo = s->head, hi = s->tail;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->events[mid].time < until)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void heap__sink(struct stream **heap, size_t n, size_t at)
{
	struct stream *s = heap[at];

	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && stream__time(heap[child + 1]) < stream__time(heap[child]))
			child++;
		if (stream__time(s) <= stream__time(heap[child]))
			break;
		heap[at] = heap[child];
	}
	heap[at] = s;
}

static size_t merge__gather(struct merge *m, __u64 until)
{
	size_t n = 0;

	for (size_t i = 0; i < m->cpus; i++) {
		struct stream *s = &m->streams[i];

		s->take_end = stream__bound(s, until);
		if (s->take_end > s->head)
			m->heap[n++] = s;
	}
	for (size_t i = n / 2; i-- > 0;)
		heap__sink(m->heap, n, i);
	return n;
}

size_t merge__take(struct merge *m, __u64 until, merge_fn fn, void *ctx)
{
	size_t heap = merge__gather(m, until), taken = 0, n = 0;

	while (heap) {
		struct stream *s = m->heap[0];

		m->batch[n++] = s->events[s->head++];
		if (s->head == s->take_end)
			m->heap[0] = m->heap[--heap];
		if (heap)
			heap__sink(m->heap, heap, 0);
		if (n < BATCH && heap)
			continue;
		fn(ctx, m->batch, n);
		taken += n;
		n = 0;
	}
	m->waiting -= taken;
	return taken;
}

size_t merge__waiting(const struct merge *m)
{
	return m->waiting;
}
