// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "../cache/lru_stack.h"
#include "../cache/minmax.h"
#include "dense_histogram.h"
#include "log_histogram.h"
#include "reuse_histogram.h"

/* Distances beyond are counted as this: a stack holds less than 2^32 pages. */
#define MAX_DISTANCE ((1ULL << 32) - 1)
/* The same when sampled, in pages: so rare are pages whose hash is as good as 0. */
#define FAR 0x1p62
/* Buckets a power of two, as a power of two. Sums of a bucket's width in 1024 are lost in the
 * noise of any sample; groups serve to tell the error only. */
#define SAMPLED_BITS 9
#define GROUP_BITS 4
#define UNSEEN_BITS 8

struct group {
	double accesses, cold, unseen_all;
	struct log_histogram reused, unseen;
};

/* Sampled accesses: sums over all groups, and each one. */
struct sampled {
	__u64 samples;
	double accesses, cold, unseen_all;
	struct log_histogram reused, unseen;
	struct group group[ESTIMATE_GROUPS];
};

struct reuse_histogram {
	struct memory *memory;
	__u64 accesses, cold, unseen_all; /* at rate 1 */
	struct dense_histogram reused;
	struct log_histogram unseen;
	struct sampled *sampled; /* NULL while all is exact */
};

struct reuse_histogram *reuse_histogram__new(struct memory *m)
{
	struct reuse_histogram *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->memory = m;
	h->unseen.bits = UNSEEN_BITS;
	return h;
}

static void free_sampled(struct sampled *s)
{
	if (!s)
		return;
	log_histogram__clear(&s->reused);
	log_histogram__clear(&s->unseen);
	for (int g = 0; g < ESTIMATE_GROUPS; g++) {
		log_histogram__clear(&s->group[g].reused);
		log_histogram__clear(&s->group[g].unseen);
	}
	free(s);
}

void reuse_histogram__free(struct reuse_histogram *h)
{
	if (!h)
		return;
	dense_histogram__free(&h->reused, h->memory);
	log_histogram__clear(&h->unseen);
	free_sampled(h->sampled);
	free(h);
}

/* --- counting sampled accesses --- */

static struct sampled *get_sampled(struct reuse_histogram *h)
{
	struct sampled *s = h->sampled;

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->reused.bits = SAMPLED_BITS;
	s->unseen.bits = UNSEEN_BITS;
	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		s->group[g].reused.bits = s->group[g].unseen.bits = GROUP_BITS;
	h->sampled = s;
	return s;
}

static void count_sampled(struct sampled *s, const struct reuse *r)
{
	s->samples++;
	s->accesses += 1 / r->rate;
	s->group[r->group].accesses += 1 / r->rate;
}

/* A value into a histogram and its group's. */
static int add_both(struct log_histogram *all, struct log_histogram *group, __u64 value,
		    double weight)
{
	if (log_histogram__add(all, value, weight))
		return -ENOMEM;
	if (!log_histogram__add(group, value, weight))
		return 0;
	log_histogram__add(all, value, -weight);
	return -ENOMEM;
}

static __u64 in_pages(__u64 sampled, const struct reuse *r)
{
	double density = r->density > 0 ? r->density : r->rate;

	return fmin((sampled + (1 - r->rate) / 2) / density, FAR);
}

static int sampled_cold(struct reuse_histogram *h, const struct reuse *r)
{
	struct sampled *s = get_sampled(h);

	if (!s)
		return -ENOMEM;
	s->cold += 1 / r->rate;
	s->group[r->group].cold += 1 / r->rate;
	count_sampled(s, r);
	return 0;
}

static int sampled_reused(struct reuse_histogram *h, const struct reuse *r, __u64 distance)
{
	struct sampled *s = get_sampled(h);

	if (!s ||
	    add_both(&s->reused, &s->group[r->group].reused, in_pages(distance, r), 1 / r->rate))
		return -ENOMEM;
	count_sampled(s, r);
	return 0;
}

static int sampled_unseen(struct reuse_histogram *h, const struct reuse *r, __u64 bound)
{
	struct sampled *s = get_sampled(h);
	__u64 b = in_pages(bound, r);

	if (!s || add_both(&s->unseen, &s->group[r->group].unseen,
			   log_histogram__round_up(&s->unseen, b), 1 / r->rate))
		return -ENOMEM;
	s->unseen_all += 1 / r->rate;
	s->group[r->group].unseen_all += 1 / r->rate;
	count_sampled(s, r);
	return 0;
}

/* --- counting --- */

int reuse_histogram__cold(struct reuse_histogram *h, const struct reuse *r)
{
	if (r->rate < 1)
		return sampled_cold(h, r);
	h->cold++;
	h->accesses++;
	return 0;
}

int reuse_histogram__reused(struct reuse_histogram *h, const struct reuse *r, __u64 distance)
{
	__u64 d = distance < MAX_DISTANCE ? distance : MAX_DISTANCE;

	if (r->rate < 1)
		return sampled_reused(h, r, d);
	if ((d >= h->reused.room || h->reused.counted >= ~0U - 1) &&
	    dense_histogram__reserve(&h->reused, h->memory, d + 1, 1))
		return -ENOMEM;
	dense_histogram__add(&h->reused, d);
	h->accesses++;
	return 0;
}

int reuse_histogram__unseen(struct reuse_histogram *h, const struct reuse *r, __u64 bound)
{
	__u64 b = bound < MAX_DISTANCE ? bound : MAX_DISTANCE;

	if (r->rate < 1)
		return sampled_unseen(h, r, b);
	if (log_histogram__add(&h->unseen, log_histogram__round_up(&h->unseen, b), 1))
		return -ENOMEM;
	h->unseen_all++;
	h->accesses++;
	return 0;
}

int reuse_histogram__exact(struct reuse_histogram *h, const __u32 *distance, size_t n, __u64 end)
{
	enum { AHEAD = 16 };

	if (dense_histogram__reserve(&h->reused, h->memory, end, n))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (i + AHEAD < n && distance[i + AHEAD] != LRU_COLD)
			dense_histogram__prefetch(&h->reused, distance[i + AHEAD]);
		if (distance[i] == LRU_COLD)
			h->cold++;
		else
			dense_histogram__add(&h->reused, distance[i]);
	}
	h->accesses += n;
	return 0;
}

void reuse_histogram__prefetch(const struct reuse_histogram *h, __u64 distance)
{
	if (distance < h->reused.room)
		dense_histogram__prefetch(&h->reused, distance);
}

/* --- asking --- */

double reuse_histogram__exact_accesses(const struct reuse_histogram *h)
{
	return h->accesses;
}

double reuse_histogram__exact_cold(const struct reuse_histogram *h)
{
	return h->cold;
}

double reuse_histogram__accesses(const struct reuse_histogram *h)
{
	return h->accesses + (h->sampled ? h->sampled->accesses : 0);
}

double reuse_histogram__cold_misses(const struct reuse_histogram *h)
{
	return h->cold + (h->sampled ? h->sampled->cold : 0);
}

__u64 reuse_histogram__samples(const struct reuse_histogram *h)
{
	return h->sampled ? h->sampled->samples : 0;
}

double reuse_histogram__group_accesses(const struct reuse_histogram *h, __u32 group)
{
	return h->sampled ? h->sampled->group[group].accesses : 0;
}

double reuse_histogram__group_cold(const struct reuse_histogram *h, __u32 group)
{
	return h->sampled ? h->sampled->group[group].cold : 0;
}

double reuse_histogram__reused_from(const struct reuse_histogram *h, double y)
{
	double exact;

	dense_histogram__from(&h->reused, &y, 1, &exact);
	return exact + (h->sampled ? log_histogram__from(&h->sampled->reused, y) : 0);
}

__u64 reuse_histogram__reused_end(const struct reuse_histogram *h)
{
	return larger(h->reused.end, h->sampled ? log_histogram__end(&h->sampled->reused) : 0);
}

__u64 reuse_histogram__unseen_end(const struct reuse_histogram *h)
{
	return larger(log_histogram__end(&h->unseen),
		      h->sampled ? log_histogram__end(&h->sampled->unseen) : 0);
}

static double sampled_misses(const struct sampled *s, double size)
{
	if (size <= 0)
		return s->accesses;
	return s->cold + log_histogram__from(&s->reused, size) +
	       log_histogram__from(&s->unseen, size) / 2;
}

static double group_misses(const struct group *g, double size)
{
	if (size <= 0)
		return g->accesses;
	return g->cold + log_histogram__from(&g->reused, size) +
	       log_histogram__from(&g->unseen, size) / 2;
}

/* That every access is a miss without memory is no matter of chance: not down to there. */
static void take_sampled(const struct sampled *s, double size, double off, struct reuse_misses *out)
{
	out->sampled = sampled_misses(s, size);
	out->fewer = size > 0 ? sampled_misses(s, fmax(size - off, size / 2)) : out->sampled;
	out->more = size > 0 ? sampled_misses(s, size + off) : out->sampled;
	if (size > 0)
		out->unseen += log_histogram__from(&s->unseen, size);
	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		out->group[g] = group_misses(&s->group[g], size);
}

int reuse_histogram__misses(const struct reuse_histogram *h, const double *size, const double *off,
			    double stretch, size_t n, struct reuse_misses *out)
{
	double *reused = malloc((n + 1) * sizeof(*reused));

	if (!reused)
		return -ENOMEM;
	dense_histogram__from(&h->reused, size, n, reused);
	for (size_t i = 0; i < n; i++) {
		double unseen = log_histogram__from(&h->unseen, size[i]);

		out[i] = (struct reuse_misses){.exact = h->accesses};
		if (size[i] > 0) {
			out[i].exact = h->cold + reused[i] + unseen / 2;
			out[i].unseen = unseen;
		}
		if (h->sampled)
			take_sampled(h->sampled, size[i] * stretch, off[i], &out[i]);
	}
	free(reused);
	return 0;
}

size_t reuse_histogram__heap(const struct reuse_histogram *h)
{
	size_t n = sizeof(*h) + log_histogram__heap(&h->unseen);
	const struct sampled *s = h->sampled;

	if (!s)
		return n;
	n += sizeof(*s) + log_histogram__heap(&s->reused) + log_histogram__heap(&s->unseen);
	for (int g = 0; g < ESTIMATE_GROUPS; g++)
		n += log_histogram__heap(&s->group[g].reused) +
		     log_histogram__heap(&s->group[g].unseen);
	return n;
}
