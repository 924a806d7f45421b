// SPDX-License-Identifier: GPL-2.0
/* Resource groups: worked examples, properties of random trees, and division page by page. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../analysis/plan/entitle.h"
#include "../../analysis/plan/groups.h"
#include "../../cache/minmax.h"
#include "random.h"

#define MAX_NODES 16
#define NONE GROUPS_NO_LIMIT

static struct groups *host(__u64 memory)
{
	struct groups *g;

	assert_int_equal(groups__new(&g, memory), 0);
	return g;
}

static int add(struct groups *g, int parent, struct group_spec spec)
{
	int node = groups__add(g, parent, &spec);

	assert_true(node > 0);
	return node;
}

/* A VM that uses all it can have. */
static int add_vm(struct groups *g, int parent, __u64 reservation, __u64 shares, __u64 memory)
{
	return add(g, parent,
		   (struct group_spec){.vm = true,
				       .reservation = reservation,
				       .limit = NONE,
				       .shares = shares,
				       .memory = memory,
				       .active = memory});
}

static int add_group(struct groups *g, int parent, __u64 reservation, __u64 limit, bool expandable)
{
	return add(g, parent,
		   (struct group_spec){
			   .reservation = reservation, .limit = limit, .expandable = expandable});
}

static void refused(int err, const struct groups_refusal *why, int node, int reason, __u64 lacking)
{
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(why->node, node);
	assert_int_equal(why->why, reason);
	assert_int_equal(why->lacking, lacking);
	assert_int_equal(why->asked - why->has, lacking);
}

/* All of a tree on a host with so much memory. */
static struct groups *with_memory(const struct groups *g, __u64 memory)
{
	struct groups *other = host(memory);

	for (size_t i = 1; i < groups__count(g); i++)
		add(other, groups__parent(g, i), *groups__spec(g, i));
	return other;
}

/* One more VM of such a reservation. */
static int would_fit(const struct groups *g, int node, __u64 reservation,
		     struct groups_refusal *why)
{
	struct groups *then = with_memory(g, groups__spec(g, 0)->limit);
	int err;

	add_vm(then, node, reservation, 0, reservation);
	err = groups__check(then, why);
	groups__free(then);
	return err;
}

/* --- admission, worked --- */

/*
 * The two figures of "Expandable Reservations Example" (vSphere Resource Management 7.0), their GHz
 * as pages: a pool MOM of 6, in it a pool KID of 2, expandable, for VMs of 2 and 2.
 *
 * With one VM of 1 in MOM: 6 - 1 - 2 leave 3, and the second VM in KID takes 2 of them.
 */
static void test_published_success(void **state)
{
	struct groups *g = host(100);
	int mom = add_group(g, 0, 6, NONE, false), kid;
	struct groups_refusal why;

	add_vm(g, mom, 1, 0, 9);
	kid = add_group(g, mom, 2, NONE, true);
	assert_int_equal(groups__reserved(g, mom), 3);
	add_vm(g, kid, 2, 0, 9);
	assert_int_equal(groups__reserved(g, mom), 3);
	assert_int_equal(would_fit(g, kid, 2, &why), 0);
	add_vm(g, kid, 2, 0, 9);
	assert_int_equal(groups__claim(g, kid), 4);
	assert_int_equal(groups__reserved(g, mom), 5);
	assert_int_equal(groups__claim(g, mom), 6);
	assert_int_equal(groups__check(g, &why), 0);
	/* 1 is left in MOM, and 2 do not fit. */
	refused(would_fit(g, kid, 2, &why), &why, mom, GROUPS_RESERVED, 1);
	groups__free(g);
}

/* With VMs of 3 in MOM: 6 - 3 - 2 leave 1, one less than the second VM needs. */
static void test_published_refusal(void **state)
{
	struct groups *g = host(100);
	int mom = add_group(g, 0, 6, NONE, false), kid;
	struct groups_refusal why;

	add_vm(g, mom, 2, 0, 9);
	add_vm(g, mom, 1, 0, 9);
	kid = add_group(g, mom, 2, NONE, true);
	assert_int_equal(would_fit(g, kid, 2, &why), 0);
	add_vm(g, kid, 2, 0, 9);
	refused(would_fit(g, kid, 2, &why), &why, mom, GROUPS_RESERVED, 1);
	assert_int_equal(why.asked, 7);
	assert_int_equal(why.has, 6);
	groups__free(g);
}

/* host 100
 *   gold: 60, fixed		reserved 40 + 10	10 left
 *     a: VM 40
 *     b: group 10, limit 25, expandable	reserved 10
 *       c: VM 10
 *   silver: 0, limit 30, expandable	reserved 20
 *     d: VM 20
 * The host: 60 + 20, 20 left. */
static void test_who_refuses(void **state)
{
	struct groups *g = host(100);
	int gold = add_group(g, 0, 60, NONE, false), silver = add_group(g, 0, 0, 30, true);
	int b = add_group(g, gold, 10, 25, true);
	struct groups_refusal why;

	add_vm(g, gold, 40, 0, 50);
	add_vm(g, b, 10, 0, 50);
	add_vm(g, silver, 20, 0, 50);
	assert_int_equal(groups__reserved(g, 0), 80);
	assert_int_equal(groups__check(g, &why), 0);
	/* b takes 10 of gold, then gold is full; 16 are above b's own limit already. */
	assert_int_equal(would_fit(g, b, 10, &why), 0);
	refused(would_fit(g, b, 14, &why), &why, gold, GROUPS_RESERVED, 4);
	refused(would_fit(g, b, 16, &why), &why, b, GROUPS_LIMITED, 1);
	/* gold asks the host for nothing that it has not got. */
	assert_int_equal(would_fit(g, gold, 10, &why), 0);
	refused(would_fit(g, gold, 11, &why), &why, gold, GROUPS_RESERVED, 1);
	/* silver's limit leaves 10, the host 20. */
	assert_int_equal(would_fit(g, silver, 10, &why), 0);
	refused(would_fit(g, silver, 15, &why), &why, silver, GROUPS_LIMITED, 5);
	refused(would_fit(g, 0, 25, &why), &why, 0, GROUPS_LIMITED, 5);
	groups__free(g);
}

/* What was put in regardless is told of where it is deepest. */
static void test_check(void **state)
{
	struct groups *g = host(10);
	int outer = add_group(g, 0, 0, NONE, true), inner = add_group(g, outer, 3, NONE, false);
	struct groups_refusal why;

	add_vm(g, outer, 9, 0, 20);
	refused(groups__check(g, &why), &why, 0, GROUPS_LIMITED, 2);
	add_vm(g, inner, 8, 0, 20);
	refused(groups__check(g, &why), &why, inner, GROUPS_RESERVED, 5);
	groups__free(g);
}

static void test_what_is_no_node(void **state)
{
	struct groups *g = host(10);
	int vm = add_vm(g, 0, 1, 0, 5);
	struct group_spec s = {.limit = NONE};

	assert_int_equal(groups__add(g, vm, &s), -EINVAL);
	assert_int_equal(groups__add(g, 2, &s), -EINVAL);
	assert_int_equal(groups__add(g, -1, &s), -EINVAL);
	s = (struct group_spec){.reservation = 5, .limit = 4};
	assert_int_equal(groups__add(g, 0, &s), -EINVAL);
	s = (struct group_spec){.vm = true, .reservation = 5, .limit = 9, .memory = 4};
	assert_int_equal(groups__add(g, 0, &s), -EINVAL);
	s = (struct group_spec){.limit = NONE, .shares = GROUPS_MAX_SHARES + 1};
	assert_int_equal(groups__add(g, 0, &s), -EINVAL);
	assert_int_equal(groups__count(g), 2);
	assert_int_equal(groups__parent(g, vm), 0);
	groups__free(g);
	assert_int_equal(groups__new(&g, GROUPS_NO_LIMIT + 1), -EINVAL);
	assert_null(g);
	groups__free(NULL);
}

/* --- what a plan may give --- */

static void test_bounds(void **state)
{
	struct groups *g = host(100);
	int wide = add_group(g, 0, 30, 80, true), narrow = add_group(g, 0, 0, 15, true);
	int vm = add_vm(g, wide, 5, 0, 20), other = add_vm(g, narrow, 2, 0, 50);

	assert_int_equal(groups__least(g, vm), 5);
	assert_int_equal(groups__most(g, vm), 20);
	/* 30 are reserved, of which its only VM can use 20. */
	assert_int_equal(groups__least(g, wide), 20);
	assert_int_equal(groups__most(g, wide), 20);
	assert_int_equal(groups__least(g, other), 2);
	assert_int_equal(groups__least(g, narrow), 2);
	assert_int_equal(groups__most(g, narrow), 15);
	assert_int_equal(groups__least(g, 0), 22);
	assert_int_equal(groups__most(g, 0), 35);
	groups__free(g);
}

/* --- entitlements, worked --- */

static void entitled(const struct groups *g, unsigned int tax, const __u64 *want)
{
	__u64 got[MAX_NODES];

	assert_int_equal(groups__entitle(g, tax, got), 0);
	for (size_t i = 0; i < groups__count(g); i++)
		if (got[i] != want[i])
			fail_msg("node %zu is entitled to %llu, not %llu", i, got[i], want[i]);
}

/* Shares 1 : 2 : 3 of 120 are 20, 40, 60. One that can use 30 only leaves 30, divided 1 : 2. One
 * that is sure of 50 has that, and the others the rest of 130, 1 : 3. */
static void test_shares(void **state)
{
	struct groups *g = host(120);

	add_vm(g, 0, 0, 1, 200);
	add_vm(g, 0, 0, 2, 200);
	add_vm(g, 0, 0, 3, 200);
	entitled(g, 0, (const __u64[]){120, 20, 40, 60});
	groups__free(g);

	g = host(120);
	add_vm(g, 0, 0, 1, 200);
	add_vm(g, 0, 0, 2, 200);
	add_vm(g, 0, 0, 3, 30);
	entitled(g, 0, (const __u64[]){120, 30, 60, 30});
	groups__free(g);

	g = host(130);
	add_vm(g, 0, 0, 1, 200);
	add_vm(g, 0, 50, 2, 200);
	add_vm(g, 0, 0, 3, 200);
	entitled(g, 0, (const __u64[]){130, 20, 50, 60});
	groups__free(g);
}

/*
 * host 120
 *   a: 1 share, VMs of 1 and 1
 *   b: 2 shares, at most 60, VMs of 1 (sure of 40) and 3
 * 40 to a; 80 to b but for its limit: 60, so 60 to a. In a 30 each; in b 15 and 45, but for the
 * reservation: 40 and 20.
 */
static void test_nested_shares(void **state)
{
	struct groups *g = host(120);
	int a = add(g, 0, (struct group_spec){.limit = NONE, .shares = 1});
	int b = add(g, 0, (struct group_spec){.limit = 60, .shares = 2, .expandable = true});

	add_vm(g, a, 0, 1, 200);
	add_vm(g, a, 0, 1, 200);
	add_vm(g, b, 40, 1, 200);
	add_vm(g, b, 0, 3, 200);
	entitled(g, 0, (const __u64[]){120, 60, 60, 30, 30, 40, 20});
	groups__free(g);
}

/* By default 10 shares a MiB: a VM that can use 512 pages has 20, one of 1024 has 40; in a group
 * or not. */
static void test_default_shares(void **state)
{
	struct groups *g = host(300);
	int a;

	add_vm(g, 0, 0, 0, 512);
	a = add_group(g, 0, 0, NONE, true);
	add_vm(g, a, 0, 0, 512);
	add_vm(g, a, 0, 0, 512);
	assert_int_equal(groups__shares(g, 1), 20);
	assert_int_equal(groups__shares(g, a), 40);
	entitled(g, 0, (const __u64[]){300, 100, 200, 100, 100});
	groups__free(g);
}

/*
 * Two VMs of 256 MiB with equal shares on a host of 360 MiB, one all idle, one all in use, as in
 * figure 7 of OSDI '02 (there the sizes left by overheads differ). Without a tax 180 each. At 75 %
 * an idle page costs four: x with 4 x = 360 - x is 72, and 288 are more than the other one has: 256
 * and 104. On a host of 300 MiB: 60 and 240.
 */
static void test_idle_tax(void **state)
{
	const struct group_spec idle = {.vm = true, .limit = NONE, .shares = 1, .memory = 256};
	struct groups *g = host(360);

	add(g, 0, idle);
	add_vm(g, 0, 0, 1, 256);
	entitled(g, 0, (const __u64[]){360, 180, 180});
	entitled(g, 75, (const __u64[]){360, 104, 256});
	groups__free(g);

	g = host(300);
	add(g, 0, idle);
	add_vm(g, 0, 0, 1, 256);
	entitled(g, 75, (const __u64[]){300, 60, 240});
	groups__free(g);
}

/* What is in use is not taxed: 50 of the first one's are, so it has 50 + (C - 50) / 4 when the
 * other has C: 240 = 37.5 + 1.25 C, C = 162 and 78. */
static void test_idle_in_part(void **state)
{
	struct groups *g = host(240);
	const struct group_spec half = {
		.vm = true, .limit = NONE, .shares = 1, .memory = 256, .active = 50};

	add(g, 0, half);
	add_vm(g, 0, 0, 1, 256);
	entitled(g, 75, (const __u64[]){240, 78, 162});
	groups__free(g);
}

/* The same of a group: of its 256, 2 x 50 are in use, so it has 100 + (C - 100) / 4 when the other
 * has C: 240 = 75 + 1.25 C. */
static void test_idle_in_group(void **state)
{
	struct groups *g = host(240);
	const struct group_spec half = {
		.vm = true, .limit = NONE, .shares = 1, .memory = 128, .active = 50};
	const struct group_spec inner = {.limit = NONE, .shares = 1, .expandable = true};
	int a, b;

	add_vm(g, 0, 0, 1, 256);
	a = add(g, 0, inner);
	b = add(g, a, inner);
	add(g, b, half);
	add(g, b, half);
	entitled(g, 75, (const __u64[]){240, 132, 108, 108, 54, 54});
	groups__free(g);
}

static void test_not_entitled(void **state)
{
	struct groups *g = host(10);
	__u64 got[3];

	add_vm(g, 0, 5, 0, 20);
	assert_int_equal(groups__entitle(g, 100, got), -EINVAL);
	assert_int_equal(groups__entitle(g, 99, got), 0);
	add_vm(g, 0, 6, 0, 20);
	assert_int_equal(groups__entitle(g, 75, got), -ENOSPC);
	groups__free(g);
}

/* --- division, page by page --- */

static __u64 price(const struct entitle_claim *c, unsigned int tax, __u64 pages)
{
	return pages <= c->active ? pages * (100 - tax)
				  : c->active * (100 - tax) + (pages - c->active) * 100;
}

static void by_pages(struct entitle_claim *c, size_t n, unsigned int tax, __u64 total)
{
	for (size_t i = 0; i < n; i++) {
		c[i].entitled = c[i].least;
		total -= c[i].least;
	}
	for (; total; total--) {
		int best = -1;

		for (size_t i = 0; i < n; i++)
			if (c[i].entitled < c[i].most &&
			    (best < 0 ||
			     price(&c[i], tax, c[i].entitled + 1) * c[best].shares <
				     price(&c[best], tax, c[best].entitled + 1) * c[i].shares))
				best = i;
		if (best < 0)
			return;
		c[best].entitled++;
	}
}

static void test_page_by_page(void **state)
{
	struct random r = {random__seed()};

	for (int round = 0; round < 5000; round++) {
		struct entitle_claim c[6], want[6];
		size_t n = 1 + random__below(&r, 6);
		unsigned int tax = random__one_in(&r, 4) ? 0 : random__below(&r, 100);
		__u64 total = random__below(&r, 300);

		for (size_t i = 0; i < n; i++) {
			__u64 least = random__one_in(&r, 2) ? random__below(&r, 40) : 0;

			total += least;
			want[i] = c[i] = (struct entitle_claim){
				.least = least,
				.most = least + random__below(&r, 200),
				.active = random__below(&r, 200),
				.shares = 1 + random__below(&r, random__one_in(&r, 3) ? 4 : 100000),
			};
		}
		entitle__divide(c, n, tax, total);
		by_pages(want, n, tax, total);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(c[i].entitled, want[i].entitled);
	}
}

/* The largest of everything. */
static void test_extremes(void **state)
{
	struct entitle_claim c[2] = {
		{.most = GROUPS_NO_LIMIT, .shares = GROUPS_MAX_SHARES},
		{.most = GROUPS_NO_LIMIT, .active = GROUPS_NO_LIMIT, .shares = 1},
	};

	entitle__divide(c, 2, 99, GROUPS_NO_LIMIT);
	assert_int_equal(c[0].entitled + c[1].entitled, GROUPS_NO_LIMIT);
	entitle__divide(c, 2, 0, 2 * GROUPS_NO_LIMIT);
	assert_int_equal(c[1].entitled, GROUPS_NO_LIMIT);
	entitle__divide(c, 0, 0, 5);
}

/* --- random trees --- */

static struct group_spec any_spec(struct random *r)
{
	struct group_spec s = {
		.vm = random__one_in(r, 2),
		.reservation = random__one_in(r, 2) ? random__below(r, 30) : 0,
		.shares = random__one_in(r, 3) ? 0 : 1 + random__below(r, 1000),
		.expandable = random__one_in(r, 2),
	};

	s.limit = random__one_in(r, 2) ? NONE : s.reservation + random__below(r, 100);
	if (s.vm) {
		s.memory = s.reservation + random__below(r, 100);
		s.active = random__below(r, s.memory + 1);
	}
	return s;
}

static __u64 smallest(__u64 a, __u64 b, __u64 c)
{
	return smaller(a, smaller(b, c));
}

/* A group's figures are those of its members, whenever these came. */
static void check_sums(const struct groups *g, int node)
{
	const struct group_spec *s = groups__spec(g, node);
	__u64 claims = 0, least = 0, most = 0, shares = 0;

	for (size_t i = node + 1; i < groups__count(g); i++)
		if (groups__parent(g, i) == node) {
			claims += groups__claim(g, i);
			least += groups__least(g, i);
			most += groups__most(g, i);
			shares += groups__shares(g, i);
		}
	assert_int_equal(groups__reserved(g, node), claims);
	if (s->vm)
		return;
	assert_int_equal(groups__most(g, node), smaller(most, s->limit));
	assert_int_equal(groups__least(g, node),
			 node ? larger(least, smallest(s->reservation, most, s->limit)) : least);
	assert_int_equal(groups__shares(g, node), s->shares ?: larger(shares, 1));
}

/* The deepest that has less than its members ask for is the one that refuses. */
static void check_admission(const struct groups *g)
{
	struct groups_refusal why;
	int refuses = -1;

	for (size_t node = 0; node < groups__count(g); node++) {
		const struct group_spec *s = groups__spec(g, node);

		check_sums(g, node);
		if (!s->vm &&
		    groups__reserved(g, node) > (s->expandable ? s->limit : s->reservation))
			refuses = node;
	}
	assert_int_equal(groups__check(g, &why), refuses < 0 ? 0 : -ENOSPC);
	if (refuses >= 0)
		assert_int_equal(why.node, refuses);
}

static void check_entitled(const struct groups *g, const __u64 *entitled)
{
	for (size_t node = 0; node < groups__count(g); node++) {
		__u64 members = 0, could = 0;

		assert_true(entitled[node] >= groups__least(g, node));
		assert_true(entitled[node] <= groups__most(g, node));
		if (groups__spec(g, node)->vm)
			continue;
		for (size_t i = node + 1; i < groups__count(g); i++)
			if (groups__parent(g, i) == (int)node) {
				members += entitled[i];
				could += groups__most(g, i);
			}
		assert_int_equal(members, could < entitled[node] ? could : entitled[node]);
	}
}

static void test_trees(void **state)
{
	struct random r = {random__seed()};
	int entitled_trees = 0;

	for (int round = 0; round < 5000; round++) {
		struct groups *g = host(random__below(&r, 200)), *more;
		__u64 got[MAX_NODES], then[MAX_NODES];
		unsigned int tax = random__below(&r, 100);

		for (size_t n = random__below(&r, MAX_NODES - 1); n > 0; n--) {
			struct group_spec s = any_spec(&r);

			groups__add(g, random__below(&r, groups__count(g)), &s);
		}
		check_admission(g);
		more = with_memory(g, groups__spec(g, 0)->limit + random__below(&r, 20));
		if (!groups__entitle(g, tax, got)) {
			entitled_trees++;
			check_entitled(g, got);
			assert_int_equal(groups__entitle(more, tax, then), 0);
			for (size_t i = 0; i < groups__count(g); i++)
				assert_true(then[i] >= got[i]);
		}
		groups__free(more);
		groups__free(g);
	}
	assert_true(entitled_trees > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_success),
		cmocka_unit_test(test_published_refusal),
		cmocka_unit_test(test_who_refuses),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_what_is_no_node),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_nested_shares),
		cmocka_unit_test(test_default_shares),
		cmocka_unit_test(test_idle_tax),
		cmocka_unit_test(test_idle_in_part),
		cmocka_unit_test(test_idle_in_group),
		cmocka_unit_test(test_not_entitled),
		cmocka_unit_test(test_page_by_page),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
