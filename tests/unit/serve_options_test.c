// SPDX-License-Identifier: GPL-2.0
/* The settings of serve, from options and from a configuration file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/serve_options.h"

static char why[SERVE_WHY];

static int read_config(struct serve_options *o, const char *text)
{
	why[0] = 0;
	serve_options__init(o);
	return serve_config__parse(o, "c", text, strlen(text), why, sizeof(why));
}

static void refuse(const char *text, const char *reason)
{
	struct serve_options o;

	assert_int_equal(read_config(&o, text), -EINVAL);
	if (strncmp(why, reason, strlen(reason)))
		assert_string_equal(why, reason);
	serve_options__free(&o);
}

static const char whole[] = "# all of it\n"
			    "cache: 4GiB\n"
			    "policy: s3fifo\n"
			    "huge: no\n"
			    "node: 1\n"
			    "control: /c\n"
			    "metrics: 9101\n"
			    "audit: 1/100\n"
			    "user: hvtrace\n"
			    "socket-owner: libvirt-qemu:kvm\n"
			    "wait: 1.5\n"
			    "interval: 10\n"
			    "duration: 60\n"
			    "json: yes\n"
			    "quiet: false\n"
			    "max-pages: 1000\n"
			    "csv: out\n"
			    "disks:\n"
			    "  - name: web\n"
			    "    path: /a, b\n"
			    "    socket: /s\n"
			    "    ro: true\n"
			    "    min: 1GiB\n"
			    "  - {name: db, path: /d, socket: /t, share: 50, queues: 2}\n";

static void all_settings(void **state)
{
	struct serve_options o;

	assert_int_equal(read_config(&o, whole), 0);
	assert_int_equal(o.cache, 1 << 20);
	assert_string_equal(o.policy, "s3fifo");
	assert_int_equal(o.huge, 0);
	assert_int_equal(o.node, 1);
	assert_int_equal(o.audit, 100);
	assert_true(o.wait == 1.5 && o.interval == 10 && o.duration == 60);
	assert_true(o.json && !o.quiet);
	assert_int_equal(o.nr_disks, 2);
	assert_string_equal(o.disks[0].path, "/a, b");
	assert_true(o.disks[0].read_only);
	assert_int_equal(o.disks[0].min, 1 << 18);
	assert_int_equal(o.disks[1].share, 50);
	serve_options__free(&o);
}

/* Each setting that there is can stand in a file. */
static void no_setting_is_left_out(void **state)
{
	struct serve_options o;
	const char *name;

	assert_int_equal(read_config(&o, whole), 0);
	for (size_t i = 0; (name = serve_options__setting(i)); i++)
		if (!serve_options__given(&o, name))
			fail_msg("%s is not in this test's file", name);
	serve_options__free(&o);
}

static void lines(void **state)
{
	refuse("cache: 4GB\n", "c:1: cache '4GB' is not a size");
	refuse("cache: 1MiB\n", "c:1: cache '1MiB' is too small");
	refuse("cache: 4GiB\n\ncolour: red\n", "c:3: there is no setting 'colour'");
	refuse("cache: 4GiB\ncache: 5GiB\n", "c:2: cache is there twice");
	refuse("cache: [4GiB]\n", "c:1: cache is a list");
	refuse("policy: mru\n", "c:1: policy 'mru' is neither");
	refuse("huge: 4MiB\n", "c:1: huge '4MiB'");
	refuse("node: -1\n", "c:1: node '-1'");
	refuse("audit: 2/3\n", "c:1: audit '2/3'");
	refuse("metrics: 0.0.0.0:9\n", "c:1: metrics '0.0.0.0:9' is neither");
	refuse("json: perhaps\n", "c:1: json 'perhaps'");
	refuse("control: ''\n", "c:1: control '' is empty");
	refuse("disks: 1\n", "c:1: not a list");
	refuse("disks: [a]\n", "c:1: not a map");
	refuse("disks:\n- name: a\n  path: p\n", "c:2: a: a disk needs a socket");
	refuse("disks:\n- name: a\n  path: p\n  socket: s\n  min: x\n", "c:5: min 'x'");
	refuse("disks:\n- name: a\n  colour: red\n", "c:3: a disk has no 'colour'");
	refuse("disks:\n- name: a\n  name: b\n", "c:3: name is there twice");
	refuse("disks:\n- {name: a, path: p, socket: s}\n- {name: a, path: q, socket: t}\n",
	       "c:3: there are two disks 'a'");
	refuse("disks:\n- {name: a, path: p, socket: s}\n- {name: b, path: q, socket: s}\n",
	       "c:3: b: socket 's' is that of a, too");
}

/* What an option says wins, disks add up. */
static void options_win(void **state)
{
	struct serve_options o, file;
	struct disk_spec d = {0};

	serve_options__init(&o);
	assert_int_equal(serve_options__set(&o, "cache", "2GiB", why, sizeof(why)), 0);
	assert_int_equal(serve_options__set(&o, "policy", "lru", why, sizeof(why)), 0);
	assert_int_equal(disk_spec__parse(&d, "own,path=p,socket=q", why, sizeof(why)), 0);
	assert_int_equal(serve_options__add_disk(&o, &d, why, sizeof(why)), 0);
	assert_int_equal(read_config(&file, whole), 0);
	assert_int_equal(serve_options__merge(&o, &file, why, sizeof(why)), 0);
	assert_int_equal(o.cache, 1 << 19);
	assert_string_equal(o.policy, "lru");
	assert_string_equal(o.user, "hvtrace");
	assert_int_equal(o.nr_disks, 3);
	assert_string_equal(o.disks[0].name, "own");
	assert_string_equal(o.disks[2].name, "db");
	serve_options__free(&o);
}

static void merge_refuses(void **state)
{
	struct serve_options o, file;
	struct disk_spec d = {0};

	serve_options__init(&o);
	assert_int_equal(disk_spec__parse(&d, "db,path=p,socket=q", why, sizeof(why)), 0);
	assert_int_equal(serve_options__add_disk(&o, &d, why, sizeof(why)), 0);
	assert_int_equal(read_config(&file, whole), 0);
	assert_int_equal(serve_options__merge(&o, &file, why, sizeof(why)), -EEXIST);
	serve_options__free(&o);
}

static void twice(void **state)
{
	struct serve_options o;

	serve_options__init(&o);
	assert_int_equal(serve_options__set(&o, "user", "a", why, sizeof(why)), 0);
	assert_int_equal(serve_options__set(&o, "user", "b", why, sizeof(why)), -EEXIST);
	assert_string_equal(o.user, "a");
	assert_int_equal(serve_options__set(&o, "disks", "b", why, sizeof(why)), -ENOENT);
	serve_options__free(&o);
}

static void sameness(void **state)
{
	struct serve_options a, b;
	int differ = 0;

	assert_int_equal(read_config(&a, "policy: lru\ncache: 4GiB\nuser: x\n"), 0);
	assert_int_equal(read_config(&b, "policy: s3fifo\ncache: 4GiB\nuser: x\njson: yes\n"), 0);
	for (size_t i = 0; serve_options__setting(i); i++)
		differ += !serve_options__same(&a, &b, i);
	assert_int_equal(differ, 2);
	serve_options__free(&a);
	serve_options__free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_settings),	 cmocka_unit_test(no_setting_is_left_out),
		cmocka_unit_test(lines),	 cmocka_unit_test(options_win),
		cmocka_unit_test(merge_refuses), cmocka_unit_test(twice),
		cmocka_unit_test(sameness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
