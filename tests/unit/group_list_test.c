// SPDX-License-Identifier: GPL-2.0
/* Groups from YAML: what is taken, and that what is wrong is told with its line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/group_list.h"

#define GIB (1ULL << 18)

static char why[256];

/* The text is a list of groups, in the map that every file is. */
static int take_groups(void *ctx, const char *name, struct yaml_at at, char *w, size_t size)
{
	assert_string_equal(name, "groups");
	return group_list__parse(ctx, at, w, size);
}

static int parse(struct group_list *l, const char *text)
{
	*l = (struct group_list){0};
	why[0] = '\0';
	return yaml__take_text("f", text, strlen(text), take_groups, l, why, sizeof(why));
}

static void test_whole(void **state)
{
	struct group_list l;

	assert_int_equal(parse(&l, "groups:\n"
				   "- name: acme\n"
				   "  reservation: 16GiB\n"
				   "  limit: 48GiB\n"
				   "  shares: 2000\n"
				   "  expandable: no\n"
				   "  vms: [web01, {name: db01, reservation: 8GiB, limit: 9GiB, "
				   "shares: 7, active: 6GiB}]\n"
				   "  groups:\n"
				   "  - groups: [{name: deep}]\n"
				   "    name: batch\n"
				   "- name: other\n"),
			 0);
	assert_int_equal(l.n, 6);
	assert_string_equal(l.entry[0].name, "acme");
	assert_int_equal(l.entry[0].parent, -1);
	assert_int_equal(l.entry[0].spec.reservation, 16 * GIB);
	assert_int_equal(l.entry[0].spec.limit, 48 * GIB);
	assert_int_equal(l.entry[0].spec.shares, 2000);
	assert_false(l.entry[0].spec.expandable);
	assert_string_equal(l.entry[1].name, "web01");
	assert_true(l.entry[1].spec.vm);
	assert_int_equal(l.entry[1].parent, 0);
	assert_int_equal(l.entry[1].spec.limit, GROUPS_NO_LIMIT);
	assert_false(l.entry[1].has_active);
	assert_int_equal(group_list__find_vm(&l, "db01"), 2);
	assert_int_equal(l.entry[2].spec.reservation, 8 * GIB);
	assert_int_equal(l.entry[2].spec.limit, 9 * GIB);
	assert_int_equal(l.entry[2].spec.shares, 7);
	assert_true(l.entry[2].has_active);
	assert_int_equal(l.entry[2].spec.active, 6 * GIB);
	assert_string_equal(l.entry[3].name, "acme/batch");
	assert_true(l.entry[3].spec.expandable);
	assert_int_equal(l.entry[3].spec.limit, GROUPS_NO_LIMIT);
	assert_string_equal(l.entry[4].name, "acme/batch/deep");
	assert_int_equal(l.entry[4].parent, 3);
	assert_string_equal(l.entry[5].name, "other");
	assert_int_equal(l.entry[5].parent, -1);
	assert_int_equal(group_list__find_vm(&l, "acme"), -1);
	group_list__free(&l);
}

static void test_empty(void **state)
{
	struct group_list l;

	assert_int_equal(parse(&l, "groups:\n"), 0);
	assert_int_equal(l.n, 0);
	assert_int_equal(parse(&l, "groups: []\n"), 0);
	group_list__free(&l);
}

/* Two groups may have groups of one name, but no VM is in two. */
static void test_names(void **state)
{
	struct group_list l;

	assert_int_equal(parse(&l, "groups:\n"
				   "- {name: a, groups: [{name: x}]}\n"
				   "- {name: b, groups: [{name: x, vms: [a]}]}\n"),
			 0);
	assert_int_equal(l.n, 5);
	assert_string_equal(l.entry[3].name, "b/x");
	group_list__free(&l);
}

static const struct {
	const char *text, *reason;
} wrong[] = {
	{"groups: 3\n", "f:1: not a list"},
	{"groups:\n- 3\n", "f:2: not a map"},
	{"groups:\n- shares: 3\n", "f:2: a group without a name"},
	{"groups:\n- name: a\n  limits: 3GiB\n", "f:3: a group has no 'limits'"},
	{"groups:\n- name: a\n  limit: 3\n", "f:3: limit '3' is not a size"},
	{"groups:\n- name: a\n  shares: 0\n", "f:3: shares '0'"},
	{"groups:\n- name: a\n  expandable: perhaps\n", "f:3: expandable 'perhaps'"},
	{"groups:\n- name: a/b\n", "f:2: group 'a/b' has a '/'"},
	{"groups:\n- name: ''\n", "f:2: name '' is empty"},
	{"groups:\n- name: \"a\\tb\"\n", "f:2: a name has control"},
	{"groups:\n- name: a\n- name: a\n", "f:3: group 'a' is there twice"},
	{"groups:\n- name: a\n  reservation: 2GiB\n  limit: 1GiB\n",
	 "f:2: group 'a': its reservation is above"},
	{"groups:\n- name: a\n  vms: [x, x]\n", "f:3: VM 'x' is in a group already"},
	{"groups:\n- name: a\n  vms:\n  - x\n- name: b\n  vms:\n  - x\n",
	 "f:7: VM 'x' is in a group already"},
	{"groups:\n- name: a\n  vms: [[x]]\n", "f:3: name is a list"},
	{"groups:\n- name: a\n  vms: [{shares: 3}]\n", "f:3: a VM without a name"},
	{"groups:\n- name: a\n  vms: [{name: x, expandable: yes}]\n",
	 "f:3: a group's VM has no 'expandable'"},
	{"groups:\n- name: a\n  vms: [{name: x, reservation: 2GiB, limit: 1GiB}]\n",
	 "f:3: VM 'x': its reservation"},
	{"groups: &g\n- name: a\n  groups: *g\n", "more than 32"},
};

static void test_wrong(void **state)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct group_list l;

		assert_int_equal(parse(&l, wrong[i].text), -EINVAL);
		if (!strstr(why, wrong[i].reason))
			fail_msg("%s: %s", wrong[i].text, why);
		group_list__free(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
