// SPDX-License-Identifier: GPL-2.0
/*
 * References to sampled pages are numbered, collected, and given to one cache after the other.
 *
 * Memory: 24 to 48 byte a sampled page for its number, then for each size a page's state (FIFO and
 * CLOCK 1 byte, S3-FIFO 8, LRU and ARC 12) and 4 byte a page of each queue's capacity (FIFO and
 * CLOCK 1, S3-FIFO 2). OPT: 8 byte a sampled reference at the end, whatever the sizes.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../sample.h"
#include "policy_sim.h"

/* Below it numbers of pages would not fit into 64 bits. */
#define MIN_RATE 0x1p-32

/* --- making one --- */

static bool valid(const struct policy_opts *o)
{
	bool rate = !o->rate || (o->rate >= MIN_RATE && o->rate <= 1);

	if (!rate || !policy__ops(o->policy) || !o->nr_sizes)
		return false;
	for (size_t i = 0; o->sizes && i < o->nr_sizes; i++)
		if (o->sizes[i] < (i ? o->sizes[i - 1] : 1))
			return false;
	return true;
}

/* At least a page, and less than POLICY_UNBOUNDED: there are never as many pages. */
static __u32 scale_down(__u64 size, double rate)
{
	return fmin(fmax(rint(size * rate), 1), POLICY_UNBOUNDED - 1.0);
}

static void set_sizes(struct policy_sim *s, const __u64 *sizes)
{
	s->choose = !sizes;
	if (s->choose) {
		size_grid__init(s);
		return;
	}
	for (size_t i = 0; i < s->nr_sizes; i++)
		s->sizes[i] = (struct sim_size){.size = sizes[i],
						.capacity = scale_down(sizes[i], s->sampler.rate)};
	s->next_capacity = s->sizes[0].capacity;
}

static struct policy_sim *new_sim(const struct policy_opts *o)
{
	struct policy_sim *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ops = policy__ops(o->policy);
	s->nr_sizes = o->nr_sizes;
	s->sizes = calloc(s->nr_sizes, sizeof(*s->sizes));
	s->open = policy_cache__new(s->ops);
	if (!s->sizes || !s->open ||
	    sampler__init(&s->sampler, o->rate > 0 ? o->rate : 1, o->seed, false)) {
		policy_sim__free(s);
		return NULL;
	}
	return s;
}

struct policy_sim *policy_sim__new(const struct policy_opts *opts)
{
	struct policy_opts o = {0};
	struct policy_sim *s;

	if (opts && opts->sz <= sizeof(o))
		memcpy(&o, opts, opts->sz);
	if (!o.sz || !valid(&o)) {
		errno = EINVAL;
		return NULL;
	}
	s = new_sim(&o);
	if (!s) {
		errno = ENOMEM;
		return NULL;
	}
	set_sizes(s, o.sizes);
	return s;
}

void policy_sim__free(struct policy_sim *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->sizes && i < s->forked; i++)
		policy_cache__free(s->sizes[i].cache);
	policy_cache__free(s->open);
	page_numbers__free(&s->numbers);
	sampler__free(&s->sampler);
	free(s->sizes);
	free(s);
}

/* --- simulating --- */

int policy_sim__flush(struct policy_sim *s)
{
	struct policy_refs refs = {.page = s->page, .group = s->group, .n = s->n};
	int err = 0;

	if (!s->n)
		return 0;
	for (size_t i = 0; i < s->forked && !err; i++)
		if (s->sizes[i].cache)
			err = s->ops->access(s->sizes[i].cache, &refs);
	if (s->open && !err)
		err = s->ops->access(s->open, &refs);
	s->n = 0;
	return err;
}

/* A cache for next_capacity; *cache stays NULL if the policy looks ahead. */
static int fork_cache(const struct policy_sim *s, struct policy_cache **cache)
{
	*cache = NULL;
	if (s->ops->replay)
		return 0;
	*cache = policy_cache__clone(s->open, s->next_capacity);
	return *cache ? 0 : -ENOMEM;
}

static int fork_chosen(struct policy_sim *s)
{
	struct policy_cache *cache;

	if (size_grid__wants(s)) {
		if (fork_cache(s, &cache))
			return -ENOMEM;
		size_grid__take(s, cache);
	}
	size_grid__next(s);
	return 0;
}

static void close_open(struct policy_sim *s)
{
	s->next_capacity = POLICY_UNBOUNDED;
	if (s->ops->replay)
		return;
	policy_cache__free(s->open);
	s->open = NULL;
}

static int fork_given(struct policy_sim *s)
{
	while (s->forked < s->nr_sizes && s->sizes[s->forked].capacity == s->next_capacity)
		if (fork_cache(s, &s->sizes[s->forked++].cache))
			return -ENOMEM;
	if (s->forked < s->nr_sizes)
		s->next_capacity = s->sizes[s->forked].capacity;
	else
		close_open(s);
	return 0;
}

/* A page is about to be referenced that next_capacity has no room for. */
static int fork_size(struct policy_sim *s)
{
	int err = policy_sim__flush(s);

	if (err)
		return err;
	return s->choose ? fork_chosen(s) : fork_given(s);
}

static int reserve(struct policy_sim *s, __u32 n)
{
	__u64 need = (__u64)s->numbers.pages + n, room = need + need / 2;
	int err = page_numbers__reserve(&s->numbers, n);

	if (err || need <= s->room)
		return err;
	if (room > POLICY_UNBOUNDED)
		room = POLICY_UNBOUNDED;
	for (size_t i = 0; i < s->forked && !err; i++)
		if (s->sizes[i].cache)
			err = policy_cache__reserve(s->sizes[i].cache, room);
	if (s->open && !err)
		err = policy_cache__reserve(s->open, room);
	if (!err)
		s->room = room;
	return err;
}

static int add(struct policy_sim *s, __u64 hash, __u64 lot)
{
	unsigned int group = estimate__group(lot, s->sampler.threshold);
	__u32 pages = s->numbers.pages, page = page_numbers__get(&s->numbers, hash);
	int err = 0;

	s->accesses[group]++;
	if (page == pages) {
		s->cold[group]++;
		if (page == s->next_capacity)
			err = fork_size(s);
	}
	s->group[s->n] = group;
	s->page[s->n++] = page;
	if (s->n == POLICY_BATCH && !err)
		err = policy_sim__flush(s);
	return err;
}

static int add_all(struct policy_sim *s, size_t n)
{
	int err = reserve(s, n);

	for (size_t i = 0; i < n && !err; i++) {
		if (i + POLICY_AHEAD < n)
			page_numbers__prefetch(&s->numbers, s->hash[i + POLICY_AHEAD]);
		err = add(s, s->hash[i], s->lot[i]);
	}
	return err;
}

int policy_sim__access(struct policy_sim *s, const __u64 *pages, size_t n)
{
	int err = 0;

	while (n && !err) {
		size_t some = n < POLICY_BATCH ? n : POLICY_BATCH;

		err = add_all(s, sampler__take(&s->sampler, pages, some, s->hash, s->lot));
		s->references += some;
		pages += some;
		n -= some;
	}
	return err;
}
