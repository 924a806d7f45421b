// SPDX-License-Identifier: GPL-2.0
#include "pack.h"

#include <errno.h>
#include <glpk.h>
#include <stdlib.h>
#include <string.h>

#include "../../cache/minmax.h"
#include "pack_bins.h"
#include "pack_bound.h"
#include "pack_fill.h"
#include "pack_lp.h"

/* How often bins are emptied and filled again before, and after, the linear program. */
#define FIRST_TRIES 2000
#define MORE_TRIES 200000

struct packer {
	struct pack_bins b;
	struct pack_bound lb;
	struct pack_filler *filler;
	struct packing best, trial;
	size_t used; /* bins of best */
};

static size_t count_used(const struct packer *s, const struct packing *p)
{
	size_t used = 0;

	for (size_t i = 0; i < s->b.nr_bins; i++)
		used += p->room[i] < s->b.bin[i].size;
	return used;
}

/* Less left out comes first, then fewer bins. */
static void take_better(struct packer *s)
{
	size_t used = count_used(s, &s->trial);

	if (s->trial.left > s->best.left || (s->trial.left == s->best.left && used >= s->used))
		return;
	packing__copy(&s->best, &s->trial, &s->b);
	s->used = used;
}

static bool is_packed(const struct packer *s)
{
	return !s->best.left;
}

/* The best there can be, or it is known that there is none. */
static bool is_done(const struct packer *s)
{
	return s->lb.bins > s->b.nr_bins || (is_packed(s) && s->used <= s->lb.bins);
}

/* How many bins a better packing may have. */
static size_t next_try(const struct packer *s)
{
	return is_packed(s) ? s->used - 1 : s->b.nr_bins;
}

static bool try_first(struct packer *s, size_t k)
{
	pack_filler__pack(s->filler, &s->trial, k);
	take_better(s);
	return !s->trial.left;
}

/* The first packing at all: from the bound on in growing steps, and then back by halves. If there
 * is none, as much as fits into all. */
static void first_packing(struct packer *s)
{
	size_t low = smaller(s->lb.bins, s->b.nr_bins), high = low, step = 1;

	while (!try_first(s, high)) {
		low = high + 1;
		if (high == s->b.nr_bins)
			return;
		high = smaller(high + step, s->b.nr_bins);
		step *= 2;
	}
	while (low < high) {
		size_t k = (low + high) / 2;

		if (try_first(s, k))
			high = k;
		else
			low = k + 1;
	}
}

/* One bin less each time, as far as it goes. */
static void fewer_bins(struct packer *s, size_t tries)
{
	size_t used;

	do {
		used = s->used;
		if (is_done(s))
			return;
		pack_filler__pack(s->filler, &s->trial, next_try(s));
		pack_filler__improve(s->filler, &s->trial, tries);
		take_better(s);
	} while (is_packed(s) && s->used < used);
}

/* What does not fit into k bins raises the bound, what does is the packing. */
static int try_small(struct packer *s)
{
	int fits = 0;

	while (!is_done(s) && fits >= 0 && pack_exact__is_small(&s->b, s->lb.bins)) {
		size_t k = s->lb.bins;

		fits = pack_exact__try(&s->b, k, &s->trial);
		if (fits > 0)
			take_better(s);
		else if (!fits)
			pack_bound__believe(&s->lb, k + 1);
	}
	return fits == -ENOMEM ? fits : 0;
}

static int try_patterns(struct packer *s)
{
	struct pack_lp *lp;
	int err;

	if (is_done(s) || pack_bins__over(&s->b))
		return 0;
	err = pack_lp__new(&lp, &s->b, &s->best);
	if (!err)
		err = pack_lp__generate(lp, &s->lb, next_try(s) + 1);
	if (!err)
		fewer_bins(s, MORE_TRIES);
	if (!err && !is_done(s)) {
		pack_lp__pack(lp, &s->lb, &s->trial);
		take_better(s);
	}
	pack_lp__free(lp);
	return err;
}

static int find(struct packer *s)
{
	int err;

	packing__clear(&s->best, &s->b, 0);
	s->used = is_packed(s) ? 0 : s->b.nr_bins + 1;
	first_packing(s);
	fewer_bins(s, FIRST_TRIES);
	err = try_small(s);
	return err ?: try_patterns(s);
}

/* --- in and out --- */

static bool is_valid(const struct pack_opts *o)
{
	bool valid =
		o->sz == sizeof(*o) && o->nr_vms <= PACK_MAX_VMS && o->nr_hosts <= PACK_MAX_HOSTS;

	for (size_t i = 0; i < o->nr_vms && valid; i++)
		valid = o->vms[i] && o->vms[i] <= SIZE_MAX_PAGES;
	for (size_t i = 0; i < o->nr_hosts && valid; i++)
		valid = o->hosts[i] <= SIZE_MAX_PAGES;
	return valid;
}

static int tell(struct pack **out, const struct packer *s)
{
	size_t n = s->b.nr_items;
	struct pack *p = calloc(1, sizeof(*p) + n * sizeof(p->host[0]));

	*out = p;
	if (p && s->lb.worth)
		p->worth = calloc(n + 1, sizeof(*p->worth));
	if (!p || (s->lb.worth && !p->worth)) {
		pack__free(p);
		*out = NULL;
		return -ENOMEM;
	}
	p->hosts = count_used(s, &s->best);
	p->bound = s->lb.bins;
	p->left = s->best.left;
	for (size_t i = 0; i < n; i++) {
		int bin = s->best.bin[i];

		p->host[s->b.item[i].index] = bin < 0 ? -1 : (int)s->b.bin[bin].index;
		if (p->worth)
			p->worth[s->b.item[i].index] = s->lb.worth[i];
	}
	return 0;
}

int pack__solve(struct pack **out, const struct pack_opts *o)
{
	struct packer s = {0};
	int err;

	*out = NULL;
	if (!is_valid(o))
		return -EINVAL;
	err = pack_bins__init(&s.b, o);
	if (err)
		return err;
	err = pack_bound__init(&s.lb, &s.b);
	if (!err)
		err = pack_filler__new(&s.filler, &s.b);
	if (!err)
		err = packing__init(&s.best, &s.b) ?: packing__init(&s.trial, &s.b);
	if (!err)
		err = find(&s) ?: tell(out, &s);
	packing__free(&s.trial);
	packing__free(&s.best);
	pack_filler__free(s.filler);
	pack_bound__free(&s.lb);
	pack_bins__free(&s.b);
	/* Of GLPK, for this thread. */
	glp_free_env();
	return err;
}

void pack__free(struct pack *p)
{
	if (!p)
		return;
	free(p->worth);
	free(p);
}

/* --- spreading --- */

static int roomiest(const __u64 *room, size_t n)
{
	int best = -1;

	for (size_t i = 0; i < n; i++)
		if (best < 0 || room[i] > room[best])
			best = i;
	return best;
}

/* The largest that has not been looked at; of equals the first. */
static size_t next_largest(const struct pack_opts *o, const int *host)
{
	size_t best = o->nr_vms;

	for (size_t i = 0; i < o->nr_vms; i++)
		if (host[i] == -2 && (best == o->nr_vms || o->vms[i] > o->vms[best]))
			best = i;
	return best;
}

__u64 pack__spread(int *host, __u64 *room, const struct pack_opts *o)
{
	__u64 left = 0;

	for (size_t i = 0; i < o->nr_vms; i++)
		host[i] = -2;
	memcpy(room, o->hosts, o->nr_hosts * sizeof(*room));
	for (size_t n = 0; n < o->nr_vms; n++) {
		size_t vm = next_largest(o, host);
		int to = roomiest(room, o->nr_hosts);

		host[vm] = to >= 0 && room[to] >= o->vms[vm] ? to : -1;
		if (host[vm] < 0)
			left += o->vms[vm];
		else
			room[to] -= o->vms[vm];
	}
	return left;
}
