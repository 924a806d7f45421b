// SPDX-License-Identifier: GPL-2.0
/* VMs on hosts: examples, against all ways there are, and what a packing and its proof promise. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/plan/pack.h"
#include "../../analysis/plan/pack_bound.h"
#include "../../analysis/plan/pack_lp.h"
#include "random.h"

#define MAX_VMS 600
#define MAX_HOSTS 64
/* More than anything here takes: results do not depend on the time. */
#define PLENTY 600

struct problem {
	__u64 vms[MAX_VMS], hosts[MAX_HOSTS];
	size_t nr_vms, nr_hosts;
};

static struct pack *solve(const struct problem *p, double seconds)
{
	const struct pack_opts o = {.sz = sizeof(o),
				    .vms = p->vms,
				    .nr_vms = p->nr_vms,
				    .hosts = p->hosts,
				    .nr_hosts = p->nr_hosts,
				    .seconds = seconds};
	struct pack *out;

	assert_int_equal(pack__solve(&out, &o), 0);
	return out;
}

/* --- checked independently --- */

static int descending(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return (x < y) - (x > y);
}

/* How many of the largest hosts have as much memory as all VMs together; one more than there are if
 * not even all have. */
static size_t fewest_by_size(const struct problem *p)
{
	__u64 sorted[MAX_HOSTS], need = 0, room = 0;
	size_t k = 0;

	memcpy(sorted, p->hosts, sizeof(sorted));
	qsort(sorted, p->nr_hosts, sizeof(sorted[0]), descending);
	for (size_t i = 0; i < p->nr_vms; i++)
		need += p->vms[i];
	while (k < p->nr_hosts && room < need)
		room += sorted[k++];
	return room < need ? k + 1 : k;
}

/* Each VM is on a host or left out, and no host is too full. */
static void check_packing(const struct problem *p, const struct pack *got)
{
	__u64 load[MAX_HOSTS] = {0}, left = 0;
	size_t used = 0;

	for (size_t i = 0; i < p->nr_vms; i++) {
		assert_in_range(got->host[i] + 1, 0, p->nr_hosts);
		if (got->host[i] < 0)
			left += p->vms[i];
		else
			load[got->host[i]] += p->vms[i];
	}
	for (size_t j = 0; j < p->nr_hosts; j++) {
		assert_true(load[j] <= p->hosts[j]);
		used += load[j] > 0;
	}
	assert_int_equal(got->left, left);
	assert_int_equal(got->hosts, used);
	assert_true(got->bound >= fewest_by_size(p));
	if (!left)
		assert_true(got->bound <= got->hosts);
}

/* The most that a host of such a size can hold of these worths. Sizes are counted in units, rounded
 * down, so that it is no less. */
static __u64 most_worth(const struct problem *p, const __u64 *worth, __u64 size, __u64 unit)
{
	size_t room = size / unit;
	__u64 *best = calloc(room + 1, sizeof(*best)), most;

	assert_non_null(best);
	for (size_t i = 0; i < p->nr_vms; i++)
		for (size_t c = room + 1, s = p->vms[i] / unit; c-- > s;)
			if (best[c - s] + worth[i] > best[c])
				best[c] = best[c - s] + worth[i];
	most = best[room];
	free(best);
	return most;
}

/* One host less than the bound cannot hold all that worth. By sizes a host holds what it has, too.
 */
static void check_proof(const struct problem *p, const struct pack *got, __u64 unit)
{
	__u64 most[MAX_HOSTS], worth = 0, held = 0;
	bool sizes = true;

	if (!got->worth || !got->bound)
		return;
	for (size_t i = 0; i < p->nr_vms; i++) {
		worth += got->worth[i];
		sizes &= got->worth[i] == p->vms[i];
	}
	for (size_t j = 0; j < p->nr_hosts; j++)
		most[j] = sizes ? p->hosts[j] : most_worth(p, got->worth, p->hosts[j], unit);
	qsort(most, p->nr_hosts, sizeof(most[0]), descending);
	for (size_t j = 0; j + 1 < got->bound; j++)
		held += most[j];
	assert_true(held < worth);
}

/* --- examples --- */

struct example {
	const char *what;
	__u64 vms[12], hosts[6];
	size_t used; /* 0: they do not fit */
};

static const struct example examples[] = {
	{"one on one", {5}, {5}, 1},
	{"one on the largest", {5}, {3, 5, 4}, 1},
	{"too large", {6}, {3, 5}, 0},
	{"too many", {3, 3, 3}, {4, 4}, 0},
	{"enough room, but in pieces", {2, 2, 2}, {3, 3}, 0},
	{"two halves", {3, 3, 3, 3}, {6, 6, 6}, 2},
	{"two large hosts do what four small ones would", {4, 4, 4, 4}, {4, 4, 4, 4, 8, 8}, 2},
	{"the largest first would take three", {6, 5, 4, 3, 2}, {10, 10, 10}, 2},
	{"and here nothing but three does", {6, 6, 6, 2}, {10, 10, 10}, 3},
	{"largest first fails: 8 6 + 5 5 4", {8, 6, 5, 5, 4}, {14, 14}, 2},
	{"exactly full", {7, 5, 5, 3, 4, 6}, {10, 10, 10}, 3},
	{"different hosts, all full", {9, 8, 7, 6, 5}, {9, 12, 14}, 3},
};

static void test_examples(void **state)
{
	for (size_t k = 0; k < sizeof(examples) / sizeof(examples[0]); k++) {
		const struct example *e = &examples[k];
		struct problem p = {0};
		struct pack *got;

		while (p.nr_vms < 12 && e->vms[p.nr_vms])
			p.nr_vms++;
		while (p.nr_hosts < 6 && e->hosts[p.nr_hosts])
			p.nr_hosts++;
		memcpy(p.vms, e->vms, sizeof(e->vms));
		memcpy(p.hosts, e->hosts, sizeof(e->hosts));
		got = solve(&p, PLENTY);
		check_packing(&p, got);
		check_proof(&p, got, 1);
		if (got->bound != (e->used ?: p.nr_hosts + 1) || !got->left != !!e->used ||
		    (e->used && got->hosts != e->used))
			fail_msg("%s: on %zu hosts of %zu, %llu left", e->what, got->hosts,
				 got->bound, got->left);
		pack__free(got);
	}
}

static void test_nothing(void **state)
{
	struct problem p = {0};
	struct pack *got = solve(&p, 0);

	assert_int_equal(got->hosts, 0);
	assert_int_equal(got->bound, 0);
	pack__free(got);
	p.nr_hosts = 2;
	got = solve(&p, PLENTY);
	assert_int_equal(got->hosts, 0);
	pack__free(got);
	p = (struct problem){.vms = {1}, .nr_vms = 1};
	got = solve(&p, PLENTY);
	assert_int_equal(got->bound, 1);
	assert_int_equal(got->left, 1);
	pack__free(got);
	pack__free(NULL);
}

static void test_what_is_no_problem(void **state)
{
	const __u64 none = 0, large = SIZE_MAX_PAGES + 1;
	struct pack_opts o = {.sz = sizeof(o), .vms = &none, .nr_vms = 1};
	struct pack *got;

	assert_int_equal(pack__solve(&got, &o), -EINVAL);
	assert_null(got);
	o.vms = &large;
	assert_int_equal(pack__solve(&got, &o), -EINVAL);
	o = (struct pack_opts){.sz = sizeof(o), .hosts = &large, .nr_hosts = 1};
	assert_int_equal(pack__solve(&got, &o), -EINVAL);
	o = (struct pack_opts){0};
	assert_int_equal(pack__solve(&got, &o), -EINVAL);
}

/* --- against all ways --- */

/* Do the VMs from i on fit into what room there is? */
static bool fits(const struct problem *p, size_t i, __u64 *room, size_t k)
{
	if (i == p->nr_vms)
		return true;
	for (size_t j = 0; j < k; j++) {
		bool found;

		if (room[j] < p->vms[i] || (j && room[j] == room[j - 1]))
			continue;
		room[j] -= p->vms[i];
		found = fits(p, i + 1, room, k);
		room[j] += p->vms[i];
		if (found)
			return true;
	}
	return false;
}

/* Any k hosts, not the largest only: that these suffice is for the code to know. */
static size_t fewest(const struct problem *p)
{
	size_t best = p->nr_hosts + 1;

	for (unsigned int set = 0; set < 1U << p->nr_hosts; set++) {
		__u64 room[MAX_HOSTS];
		size_t k = 0;

		for (size_t j = 0; j < p->nr_hosts; j++)
			if (set >> j & 1)
				room[k++] = p->hosts[j];
		if (k < best && fits(p, 0, room, k))
			best = k;
	}
	return best;
}

static struct problem any_problem(struct random *r, size_t vms, size_t hosts, __u64 scale)
{
	struct problem p = {.nr_vms = random__below(r, vms + 1),
			    .nr_hosts = random__below(r, hosts + 1)};
	__u64 size = 1 + random__below(r, scale);

	for (size_t i = 0; i < p.nr_vms; i++)
		p.vms[i] = 1 + random__below(r, size);
	for (size_t j = 0; j < p.nr_hosts; j++)
		p.hosts[j] = random__one_in(r, 3) ? 1 + random__below(r, 3 * size) : 2 * size;
	return p;
}

static void test_all_ways(void **state)
{
	struct random r = {random__seed()};
	int packed = 0, none = 0;

	for (int round = 0; round < 3000; round++) {
		struct problem p = any_problem(&r, 7, 4, random__one_in(&r, 4) ? 1 << 30 : 20);
		size_t want = fewest(&p);
		struct pack *got = solve(&p, PLENTY);

		check_packing(&p, got);
		if (p.nr_hosts && got->bound != want)
			fail_msg("round %d: bound %zu, not %zu", round, got->bound, want);
		if (want > p.nr_hosts)
			assert_true(got->left);
		else
			assert_int_equal(got->hosts, want);
		packed += !got->left;
		none += !!got->left;
		pack__free(got);
	}
	assert_true(packed > 500 && none > 500);
}

/* A page too much is too much, even of the largest hosts there are, where solvers do not see it. */
static void test_near_misses(void **state)
{
	struct random r = {random__seed()};
	int packed = 0;

	for (int round = 0; round < 200; round++) {
		struct problem p = any_problem(&r, 7, 4, 12);
		struct pack *got;
		size_t want;

		for (size_t i = 0; i < p.nr_vms; i++)
			p.vms[i] = (p.vms[i] << 44) + random__below(&r, 2);
		for (size_t j = 0; j < p.nr_hosts; j++)
			p.hosts[j] <<= 44;
		want = fewest(&p);
		got = solve(&p, .1);
		check_packing(&p, got);
		if (p.nr_hosts)
			assert_true(got->bound <= want);
		packed += !got->left;
		pack__free(got);
	}
	assert_true(packed > 20);
}

/* If not all fit, those that do are on hosts. */
static void test_as_many_as_fit(void **state)
{
	const struct problem p = {.vms = {9, 3, 4}, .nr_vms = 3, .hosts = {5, 3, 5}, .nr_hosts = 3};
	struct pack *got = solve(&p, PLENTY);

	check_packing(&p, got);
	assert_int_equal(got->bound, 4);
	assert_int_equal(got->left, 9);
	assert_int_equal(got->host[0], -1);
	pack__free(got);
}

/* --- large ones --- */

/* Hosts cut into VMs: they fit into these k hosts, filled to the last page. */
static struct problem cut_hosts(struct random *r, size_t k, size_t spare, __u64 unit, size_t pieces)
{
	struct problem p = {.nr_hosts = k + spare};

	for (size_t j = 0; j < p.nr_hosts; j++)
		p.hosts[j] = unit * (random__one_in(r, 3) ? 1000 : 2000);
	qsort(p.hosts, p.nr_hosts, sizeof(p.hosts[0]), descending);
	for (size_t j = 0; j < k; j++) {
		__u64 left = p.hosts[j] / unit;

		for (size_t n = 1; n < pieces && left > 1; n++) {
			__u64 cut = 1 + random__below(r, 2 * left / (pieces - n + 1));

			cut = cut < left ? cut : left - 1;
			p.vms[p.nr_vms++] = unit * cut;
			left -= cut;
		}
		p.vms[p.nr_vms++] = unit * left;
	}
	return p;
}

static void test_cut_hosts(void **state)
{
	struct random r = {random__seed_or(1)};

	for (int round = 0; round < 8; round++) {
		struct problem p = cut_hosts(&r, 12, 3, 4096, 3 + random__below(&r, 8));
		struct pack *got = solve(&p, 5);

		check_packing(&p, got);
		check_proof(&p, got, 4096);
		/* They are as full as can be, so the bound is known; to find it again is hard. */
		assert_int_equal(got->bound, 12);
		assert_int_equal(got->left, 0);
		assert_in_range(got->hosts, 12, 13);
		pack__free(got);
	}
}

/* Sizes between a third and a half, and a few others: sizes alone do not prove it. */
static void test_few_to_a_host(void **state)
{
	struct random r = {random__seed_or(1)};

	for (int round = 0; round < 4; round++) {
		struct problem p = {.nr_vms = 60, .nr_hosts = 40};
		struct pack *got;

		for (size_t i = 0; i < p.nr_vms; i++)
			p.vms[i] = 250 + random__below(&r, 300);
		for (size_t j = 0; j < p.nr_hosts; j++)
			p.hosts[j] = 1000;
		got = solve(&p, 10);
		check_packing(&p, got);
		check_proof(&p, got, 1);
		assert_int_equal(got->left, 0);
		assert_in_range(got->hosts, got->bound, got->bound + 1);
		pack__free(got);
	}
}

/* A large VM leaves room for one small one, three small ones fill a host: 30 hosts have one of
 * each, the other 30 small VMs take 10. By sizes 35 would do, by how many fit 30. */
static void test_prices(void **state)
{
	struct problem p = {.nr_vms = 90, .nr_hosts = 60};
	struct pack *got;

	for (size_t i = 0; i < p.nr_vms; i++)
		p.vms[i] = i % 3 ? 300 : 550;
	for (size_t j = 0; j < p.nr_hosts; j++)
		p.hosts[j] = 1000;
	got = solve(&p, PLENTY);
	check_packing(&p, got);
	assert_int_equal(got->hosts, 40);
	assert_int_equal(got->bound, 40);
	assert_non_null(got->worth);
	check_proof(&p, got, 1);
	pack__free(got);
}

/* The same from a packing with a host for each VM: the patterns that show it have to be found. */
static void test_patterns(void **state)
{
	__u64 vms[90], hosts[90];
	const struct pack_opts o = {.sz = sizeof(o),
				    .vms = vms,
				    .nr_vms = 90,
				    .hosts = hosts,
				    .nr_hosts = 90,
				    .seconds = PLENTY};
	struct packing alone;
	struct pack_bound lb;
	struct pack_bins b;
	struct pack_lp *lp;

	for (size_t i = 0; i < 90; i++) {
		vms[i] = i % 3 ? 300 : 550;
		hosts[i] = 1000;
	}
	assert_int_equal(pack_bins__init(&b, &o), 0);
	assert_int_equal(pack_bound__init(&lb, &b), 0);
	assert_int_equal(packing__init(&alone, &b), 0);
	for (size_t i = 0; i < 90; i++)
		packing__put(&alone, &b, i, i);
	assert_int_equal(pack_lp__new(&lp, &b, &alone), 0);
	assert_int_equal(pack_lp__generate(lp, &lb, 90), 0);
	assert_int_equal(lb.bins, 40);
	pack_lp__free(lp);
	packing__free(&alone);
	pack_bound__free(&lb);
	pack_bins__free(&b);
}

/* --- the knapsack behind prices and patterns --- */

#define ITEMS 8
#define UNITS 150

/* Of all subsets. */
static __u64 best_of(const __u64 *size, const __u64 *worth, size_t n, size_t units)
{
	__u64 best = 0;

	for (unsigned int set = 0; set < 1U << n; set++) {
		__u64 takes = 0, brings = 0;

		for (size_t i = 0; i < n; i++)
			if (set >> i & 1) {
				takes += size[i];
				brings += worth[i];
			}
		if (takes <= units && brings > best)
			best = brings;
	}
	return best;
}

static void check_taken(const __u64 *size, const __u64 *worth, size_t n, size_t units,
			const __u64 *taken, __u64 best)
{
	__u64 brings = 0;

	for (size_t i = n; i-- > 0;)
		if (taken[i * (UNITS / 64 + 1) + units / 64] >> units % 64 & 1) {
			assert_true(size[i] <= units);
			units -= size[i];
			brings += worth[i];
		}
	assert_int_equal(brings, best);
}

static void test_knapsack(void **state)
{
	struct random r = {random__seed()};

	for (int round = 0; round < 200; round++) {
		__u64 size[ITEMS], worth[ITEMS], most[UNITS + 1], only[UNITS + 1];
		__u64 taken[ITEMS * (UNITS / 64 + 1)];
		size_t n = random__below(&r, ITEMS + 1);

		for (size_t i = 0; i < n; i++) {
			size[i] = random__below(&r, 60);
			worth[i] = random__below(&r, 20);
		}
		memset(taken, 0xff, sizeof(taken));
		memset(most, 0xff, sizeof(most));
		memset(only, 0xff, sizeof(only));
		pack_knapsack(size, worth, n, UNITS, most, taken);
		pack_knapsack(size, worth, n, UNITS, only, NULL);
		assert_memory_equal(most, only, sizeof(most));
		for (size_t units = 0; units <= UNITS; units += 1 + random__below(&r, 9)) {
			assert_int_equal(most[units], best_of(size, worth, n, units));
			check_taken(size, worth, n, units, taken, most[units]);
		}
	}
}

/* Two VMs fill a host to the page, and not to the unit: no worths prove that they need two. */
static void test_bound_in_units(void **state)
{
	const __u64 vms[] = {14000002, 6000001}, host = 20000003, worth[] = {1, 1};
	const struct pack_opts o = {
		.sz = sizeof(o), .vms = vms, .nr_vms = 2, .hosts = &host, .nr_hosts = 1};
	struct pack_bound lb;
	struct pack_bins b;

	assert_int_equal(pack_bins__init(&b, &o), 0);
	assert_true(b.unit > 1);
	assert_int_equal(pack_bound__init(&lb, &b), 0);
	assert_int_equal(pack_bound__raise(&lb, &b, worth), 0);
	assert_int_equal(lb.bins, 1);
	pack_bound__free(&lb);
	pack_bins__free(&b);
}

/* Sizes in pages, that no unit divides: what is counted in units is still true. */
static void test_odd_sizes(void **state)
{
	struct random r = {random__seed()};

	for (int round = 0; round < 20; round++) {
		struct problem p = {.nr_vms = 50, .nr_hosts = 12};
		struct pack *got;

		for (size_t i = 0; i < p.nr_vms; i++)
			p.vms[i] = 1 + random__below(&r, 10000019);
		for (size_t j = 0; j < p.nr_hosts; j++)
			p.hosts[j] = 20000003 + random__below(&r, 19999999);
		got = solve(&p, 1);
		check_packing(&p, got);
		check_proof(&p, got, 4801);
		pack__free(got);
	}
}

/* Another host, or a larger one, or a VM less, never takes more hosts: where both are known for
 * sure. */
static void test_more_room(void **state)
{
	struct random r = {random__seed()};

	for (int round = 0; round < 300; round++) {
		struct problem p = any_problem(&r, 8, 4, 30);
		struct pack *was = solve(&p, PLENTY), *is;

		if (random__one_in(&r, 2) && p.nr_hosts)
			p.hosts[random__below(&r, p.nr_hosts)] += random__below(&r, 30);
		else if (random__one_in(&r, 2) && p.nr_vms)
			p.nr_vms--;
		else
			p.hosts[p.nr_hosts++] = 1 + random__below(&r, 60);
		is = solve(&p, PLENTY);
		if (!was->left) {
			assert_int_equal(is->left, 0);
			assert_true(is->hosts <= was->hosts);
		}
		pack__free(is);
		pack__free(was);
	}
}

/* Do all fit, the largest first, each into the least room that is enough? */
static bool fit_best(const struct problem *p)
{
	__u64 vms[MAX_VMS], room[MAX_HOSTS];

	memcpy(vms, p->vms, sizeof(vms));
	memcpy(room, p->hosts, sizeof(room));
	qsort(vms, p->nr_vms, sizeof(vms[0]), descending);
	for (size_t i = 0; i < p->nr_vms; i++) {
		size_t best = p->nr_hosts;

		for (size_t j = 0; j < p->nr_hosts; j++)
			if (room[j] >= vms[i] && (best == p->nr_hosts || room[j] < room[best]))
				best = j;
		if (best == p->nr_hosts)
			return false;
		room[best] -= vms[i];
	}
	return true;
}

/* Without time the first packing that is found, and a bound, and both hold. */
static void test_no_time(void **state)
{
	struct random r = {random__seed()};
	int packed = 0;

	for (int round = 0; round < 200; round++) {
		struct problem p = any_problem(&r, 60, 30, 1000);
		struct pack *got = solve(&p, 0);

		check_packing(&p, got);
		check_proof(&p, got, 1);
		if (fit_best(&p)) {
			assert_int_equal(got->left, 0);
			packed++;
		}
		pack__free(got);
	}
	assert_true(packed > 40);
}

/* --- spreading --- */

static void test_spread(void **state)
{
	const __u64 vms[] = {2, 9, 3, 5}, hosts[] = {10, 8, 1};
	struct pack_opts o = {
		.sz = sizeof(o), .vms = vms, .nr_vms = 4, .hosts = hosts, .nr_hosts = 3};
	__u64 room[3];
	int host[4];

	/* 9 to the first, 5 to the second, 3 to it, and for 2 there is no room. */
	assert_int_equal(pack__spread(host, room, &o), 2);
	assert_int_equal(host[1], 0);
	assert_int_equal(host[3], 1);
	assert_int_equal(host[2], 1);
	assert_int_equal(host[0], -1);
	assert_int_equal(room[0], 1);
	assert_int_equal(room[1], 0);
	assert_int_equal(room[2], 1);
	o.nr_hosts = 0;
	assert_int_equal(pack__spread(host, room, &o), 19);
	o.nr_vms = 0;
	assert_int_equal(pack__spread(host, room, &o), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_what_is_no_problem),
		cmocka_unit_test(test_all_ways),
		cmocka_unit_test(test_near_misses),
		cmocka_unit_test(test_as_many_as_fit),
		cmocka_unit_test(test_cut_hosts),
		cmocka_unit_test(test_few_to_a_host),
		cmocka_unit_test(test_prices),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_knapsack),
		cmocka_unit_test(test_bound_in_units),
		cmocka_unit_test(test_odd_sizes),
		cmocka_unit_test(test_more_room),
		cmocka_unit_test(test_no_time),
		cmocka_unit_test(test_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
