// SPDX-License-Identifier: GPL-2.0
/* Groups from folders like those of cgroup v2: names, sizes, and what reservations count. */
#define _GNU_SOURCE /* nftw */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../cli/cgroup_list.h"
#include "../../cli/cgroup_text.h"
#include "../../loader/vm_identity.h"

#define GIB (1ULL << 18)

static char why[256];

/* --- texts --- */

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		__u64 pages;
	} right[] = {
		{"max\n", 1000},
		{"max", 1000},
		{"0\n", 0},
		{"4096\n", 1},
		{"8191\n", 1},
		{"409600000", 1000},
		{"18446744073709551616\n", 1000},
		{"99999999999999999999999\n", 1000},
	};
	static const char *const bad[] = {"", "\n", "max \n", "-1\n", "4k\n", "1\n2\n", "0x10\n"};
	__u64 pages;

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_int_equal(cgroup_text__size(right[i].text, 1000, &pages), 0);
		assert_int_equal(pages, right[i].pages);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cgroup_text__size(bad[i], 1000, &pages), -EINVAL);
}

static void test_names(void **state)
{
	static const char *const names[][2] = {
		{"web", "web"},
		{"web.service", "web"},
		{"tenant.slice", "tenant"},
		{"machine-qemu\\x2d3\\x2dweb\\x2d01.scope", "web-01"},
		{"machine-web.scope", "web"},
		{"qemu-12-web-01.libvirt-qemu", "web-01"},
		{"qemu-12-web-01", "qemu-12-web-01"},
		{"a\\x5cb.service", "a\\b"},
		{"a\\x20b\\x09.service", "a b\t"},
		{"6x2d", "6x2d"},
		{"a\\x00b\\x2", "a\\x00b\\x2"},
		{"machine-.scope", "machine-"},
		{".scope", ".scope"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[64];

		cgroup_text__name(names[i][0], name);
		assert_string_equal(name, names[i][1]);
	}
}

/* --- trees --- */

static char root[] = "/tmp/cgroup_list_test.XXXXXX";

static int make_root(void **state)
{
	strcpy(strrchr(root, '.') + 1, "XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int remove_root(void **state)
{
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *folder, const char *file, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", root, folder, file);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* As the kernel makes them; NULL: as it leaves them. */
static void make_cgroup(const char *folder, const char *low, const char *max)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, folder);
	if (folder[0])
		assert_int_equal(mkdir(path, 0755), 0);
	write_file(folder, "memory.min", "0\n");
	write_file(folder, "memory.low", low ?: "0\n");
	write_file(folder, "memory.high", "max\n");
	write_file(folder, "memory.max", max ?: "max\n");
	write_file(folder, "cgroup.procs", "");
}

static int read_tree(struct cgroup_tree *t)
{
	static const char *const vms[] = {"web", "db", "batch"};

	why[0] = '\0';
	return cgroup_tree__read(t, root, vms, 3, why, sizeof(why));
}

static void check_entry(const struct cgroup_tree *t, size_t i, const char *name, int parent,
			__u64 reservation, __u64 limit)
{
	const struct group_entry *e = &t->list.entry[i];

	assert_string_equal(e->name, name);
	assert_int_equal(e->parent, parent);
	assert_int_equal(e->spec.reservation, reservation);
	assert_int_equal(e->spec.limit, limit);
	assert_false(e->spec.expandable);
}

static void test_tree(void **state)
{
	struct cgroup_tree t;

	make_cgroup("acme.slice", "8589934592\n", NULL);
	make_cgroup("acme.slice/machine-qemu\\x2d1\\x2dweb.scope", "4294967296\n", "6442450944\n");
	make_cgroup("acme.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt", NULL, NULL);
	make_cgroup("acme.slice/db.service", NULL, NULL);
	write_file("acme.slice/db.service", "memory.min", "1073741824\n");
	write_file("acme.slice/db.service", "memory.high", "2147483648\n");
	make_cgroup("system.slice", NULL, NULL);
	make_cgroup("system.slice/cron.service", NULL, NULL);
	assert_int_equal(read_tree(&t), 0);
	assert_int_equal(t.limit, GROUPS_NO_LIMIT);
	assert_int_equal(t.shrunk, 0);
	assert_int_equal(t.list.n, 3);
	check_entry(&t, 0, "acme.slice", -1, 8 * GIB, GROUPS_NO_LIMIT);
	check_entry(&t, 1, "db", 0, GIB, 2 * GIB);
	check_entry(&t, 2, "web", 0, 4 * GIB, 6 * GIB);
	assert_true(t.list.entry[1].spec.vm && t.list.entry[2].spec.vm);
	group_list__free(&t.list);
}

/* The parent has 6 GiB, its members say 8 and 4: they have 4 and 2, as in effective_protection().
 * The one of 4 is a group, whose only VM says 3 and has 2. */
static void test_shrunk(void **state)
{
	struct cgroup_tree t;

	make_cgroup("a", "6442450944\n", NULL);
	make_cgroup("a/web", "8589934592\n", NULL);
	make_cgroup("a/inner", "4294967296\n", NULL);
	make_cgroup("a/inner/db", "3221225472\n", NULL);
	assert_int_equal(read_tree(&t), 0);
	assert_int_equal(t.shrunk, 3);
	check_entry(&t, 0, "a", -1, 6 * GIB, GROUPS_NO_LIMIT);
	check_entry(&t, 1, "a/inner", 0, 2 * GIB, GROUPS_NO_LIMIT);
	check_entry(&t, 2, "db", 1, 2 * GIB, GROUPS_NO_LIMIT);
	check_entry(&t, 3, "web", 0, 4 * GIB, GROUPS_NO_LIMIT);
	group_list__free(&t.list);
}

/* As much as the parent has is not too much. */
static void test_all_given(void **state)
{
	struct cgroup_tree t;

	make_cgroup("a", "6442450944\n", NULL);
	make_cgroup("a/web", "4294967296\n", NULL);
	make_cgroup("a/db", "2147483648\n", NULL);
	assert_int_equal(read_tree(&t), 0);
	assert_int_equal(t.shrunk, 0);
	check_entry(&t, 1, "db", 0, 2 * GIB, GROUPS_NO_LIMIT);
	check_entry(&t, 2, "web", 0, 4 * GIB, GROUPS_NO_LIMIT);
	group_list__free(&t.list);
}

/* A folder that is a cgroup itself bounds what is in it. */
static void test_bounded_root(void **state)
{
	struct cgroup_tree t;

	make_cgroup("", "2147483648\n", "4294967296\n");
	make_cgroup("web", "3221225472\n", NULL);
	make_cgroup("db", "1073741824\n", NULL);
	assert_int_equal(read_tree(&t), 0);
	assert_int_equal(t.limit, 4 * GIB);
	check_entry(&t, 0, "db", -1, GIB / 2, GROUPS_NO_LIMIT);
	check_entry(&t, 1, "web", -1, 3 * GIB / 2, GROUPS_NO_LIMIT);
	group_list__free(&t.list);
}

/* This very process is the VM. */
static void test_by_process(void **state)
{
	struct vm_identity id;
	const char *vm = id.name;
	struct cgroup_tree t;
	char pids[32];

	assert_int_equal(vm_identity__read(&id, getpid()), 0);
	make_cgroup("a", NULL, NULL);
	make_cgroup("a/b", "1073741824\n", NULL);
	snprintf(pids, sizeof(pids), "1\n%d\n", getpid());
	write_file("a/b", "cgroup.procs", pids);
	write_file("a", "memory.low", "max\n");
	assert_int_equal(cgroup_tree__read(&t, root, &vm, 1, why, sizeof(why)), 0);
	assert_int_equal(t.list.n, 2);
	check_entry(&t, 1, vm, 0, GIB, GROUPS_NO_LIMIT);
	group_list__free(&t.list);
}

static void test_wrong(void **state)
{
	struct cgroup_tree t;

	make_cgroup("other", NULL, NULL);
	assert_int_equal(read_tree(&t), -ENOENT);
	assert_non_null(strstr(why, "no cgroup in"));
	write_file("other", "memory.max", "lots\n");
	assert_int_equal(read_tree(&t), -EBADMSG);
	assert_string_equal(why,
			    "memory.max of cgroup 'other' is neither 'max' nor a number of bytes");
	write_file("other", "memory.max", "max\n");
	make_cgroup("web", NULL, NULL);
	make_cgroup("other/web.service", NULL, NULL);
	assert_int_equal(read_tree(&t), -EEXIST);
	assert_non_null(strstr(why, "VM 'web' has two cgroups"));
	assert_int_equal(t.list.n, 0);
	remove_root(NULL);
	assert_int_equal(read_tree(&t), -ENOENT);
	make_root(NULL);
}

/* Without the controller there are no such files. */
static void test_no_controller(void **state)
{
	struct cgroup_tree t;
	char path[512];

	snprintf(path, sizeof(path), "%s/web", root);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(read_tree(&t), -ENOENT);
	assert_non_null(strstr(why, "no memory controller"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_tree, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_shrunk, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_all_given, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_bounded_root, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_by_process, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_wrong, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_no_controller, make_root, remove_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
