// SPDX-License-Identifier: GPL-2.0
/* What balance is told, on the command line and in a file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/balance_options.h"

static struct balance_options o;
static char why[BALANCE_WHY];

static int set_up(void **state)
{
	balance_options__init(&o);
	why[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	balance_options__free(&o);
	return 0;
}

static int parse(const char *text)
{
	return balance_config__parse(&o, "f.yaml", text, strlen(text), why, sizeof(why));
}

static void said(const char *part)
{
	if (!strstr(why, part))
		print_error("'%s' does not say '%s'\n", why, part);
	assert_non_null(strstr(why, part));
	assert_null(strchr(why, '\n'));
}

static void a_vm(void **state)
{
	assert_int_equal(balance_options__add(&o,
					      "web,qmp=/run/a,,b.qmp,min=64MiB,max=1GiB,loss=20,"
					      "weight=2.5,pid=77",
					      why, sizeof(why)),
			 0);
	assert_int_equal(o.nr_vms, 1);
	assert_string_equal(o.vms[0].name, "web");
	assert_string_equal(o.vms[0].qmp, "/run/a,b.qmp");
	assert_int_equal(o.vms[0].min, 64 * 256);
	assert_int_equal(o.vms[0].max, 1024 * 256);
	assert_true(o.vms[0].loss == 20 && o.vms[0].weight == 2.5);
	assert_int_equal(o.vms[0].pid, 77);
	assert_int_equal(balance_options__check(&o, why, sizeof(why)), 0);
	assert_int_equal(balance_options__add(&o, "db,serve=/run/ctl", why, sizeof(why)), 0);
	assert_string_equal(o.vms[1].disk, "db");
	assert_true(o.vms[1].loss < 0 && o.vms[1].weight == 1);
	assert_int_equal(balance_options__check(&o, why, sizeof(why)), -EINVAL);
	said("'web' and 'db' have no memory in common");
}

static void wrong_vms(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"", "not a name"},
		{"web", "nothing that moves its memory"},
		{"web,qmp=", "not a path"},
		{"web,qmp=a,cgroup=b", "both qmp and cgroup"},
		{"web,qmp=a,disk=b", "no serve=SOCKET"},
		{"web,qmp=a,min=2GiB,max=1GiB", "min above its max"},
		{"web,qmp=a,min=0", "not a size"},
		{"web,qmp=a,min=1,5", "not a size"},
		{"web,qmp=a,loss=-1", "not a number of milliseconds"},
		{"web,qmp=a,weight=0", "not a number above 0"},
		{"web,qmp=a,qmp=b", "given twice"},
		{"web,qmp=a,name=b", "given twice"},
		{"web,qmp=a,colour=red", "has no 'colour'"},
		{"qmp=a", "has no name"},
		{"a\xff,qmp=a", "not a name"},
		{"web,qmp=\033[2J", "not a path"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(balance_options__add(&o, cases[i].text, why, sizeof(why)) < 0);
		said(cases[i].said);
	}
	assert_int_equal(o.nr_vms, 0);
	assert_int_equal(balance_options__check(&o, why, sizeof(why)), -EINVAL);
	said("no VM to balance");
	assert_int_equal(balance_options__add(&o, "web,qmp=a", why, sizeof(why)), 0);
	assert_int_equal(balance_options__add(&o, "web,qmp=b", why, sizeof(why)), -EEXIST);
	said("'web' is given twice");
}

static void settings(void **state)
{
	static const char *const good[][2] = {
		{"memory", "4GiB"},    {"step", "64MiB"},  {"interval", "2s"}, {"half-life", "1m"},
		{"margin", "10%"},     {"gain", "0"},	   {"trial", "0.5"},   {"slack", "200%"},
		{"on-exit", "keep"},   {"apply", "yes"},   {"sample", "1/8"},  {"journal", "j"},
		{"probe", "web=1GiB"}, {"remember", "90"}, {"freeze", "2m"},
	};
	static const char *const bad[][2] = {
		{"memory", "0"},      {"memory", "lots"}, {"interval", "0"}, {"interval", "5r"},
		{"margin", "10"},     {"margin", "-1%"},  {"trial", "5ms"},  {"on-exit", "maybe"},
		{"apply", "perhaps"}, {"sample", "8"},	  {"journal", ""},   {"probe", "web"},
		{"probe", "=1GiB"},   {"probe", "web=0"}, {"window", "10s"}, {"vms", "web"},
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(balance_options__set(&o, good[i][0], good[i][1], why, sizeof(why)),
				 0);
	assert_int_equal(o.memory, 4 * 1024 * 256);
	assert_int_equal(o.step, 64 * 256);
	assert_true(o.interval == 2 && o.half_life == 60 && o.margin == 0.1 && o.slack == 2);
	assert_true(o.gain == 0 && o.trial == 0.5 && o.apply && o.on_exit == EXIT_KEEP);
	assert_string_equal(o.probe_vm, "web");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(balance_options__set(&o, bad[i][0], bad[i][1], why, sizeof(why)) < 0);
		said(bad[i][0]);
	}
}

static void probes(void **state)
{
	balance_options__add(&o, "web,qmp=a", why, sizeof(why));
	balance_options__set(&o, "probe", "db=1GiB", why, sizeof(why));
	assert_int_equal(balance_options__check(&o, why, sizeof(why)), -EINVAL);
	said("no VM 'db'");
	balance_options__set(&o, "probe", "web=1GiB", why, sizeof(why));
	assert_int_equal(balance_options__check(&o, why, sizeof(why)), -EINVAL);
	said("needs qmp=SOCKET and serve=SOCKET");
	balance_options__add(&o, "db,qmp=a,serve=b", why, sizeof(why));
	balance_options__set(&o, "probe", "db=1GiB", why, sizeof(why));
	assert_int_equal(balance_options__check(&o, why, sizeof(why)), 0);
}

static void a_file(void **state)
{
	assert_int_equal(parse("apply: yes\nmemory: 1GiB\nvms:\n  - name: a\n    qmp: /a\n"
			       "    loss: 5\n  - {name: b, cgroup: /b}\n"),
			 0);
	assert_int_equal(o.nr_vms, 2);
	assert_true(o.apply && o.memory == 1024 * 256 && o.vms[0].loss == 5);
	assert_string_equal(o.vms[1].cgroup, "/b");
	assert_int_equal(parse(""), 0);
}

static void wrong_files(void **state)
{
	assert_int_equal(parse("apply: yes\nspeed: high\n"), -EINVAL);
	said("f.yaml:2: there is no setting 'speed'");
	assert_int_equal(parse("vms:\n  - name: a\n    qmp: /a\n    min: much\n"), -EINVAL);
	said("f.yaml:4: min 'much' is not a size");
	assert_int_equal(parse("vms:\n  - name: a\n"), -EINVAL);
	said("f.yaml:2: VM 'a' has nothing");
	assert_int_equal(parse("vms: web\n"), -EINVAL);
	said("f.yaml:1: not a list");
	assert_int_equal(parse("memory: [1GiB]\n"), -EINVAL);
	said("memory is a list");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_vm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_vms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(settings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(probes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wrong_files, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
