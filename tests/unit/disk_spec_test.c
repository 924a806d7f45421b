// SPDX-License-Identifier: GPL-2.0
/* Disks as the command line writes them down. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/disk_spec.h"

static char why[256];

static struct disk_spec take(const char *text)
{
	struct disk_spec d = {0};

	why[0] = 0;
	disk_spec__parse(&d, text, why, sizeof(why));
	assert_string_equal(why, "");
	return d;
}

static void refuse(const char *text, int err, const char *reason)
{
	struct disk_spec d = {0};

	why[0] = 0;
	assert_int_equal(disk_spec__parse(&d, text, why, sizeof(why)), err);
	if (!strstr(why, reason))
		assert_string_equal(why, reason);
	disk_spec__free(&d);
}

static void all_of_it(void **state)
{
	struct disk_spec d = take("web,path=/a,socket=/s,ro,id=serial,min=64MiB,max=1GiB,share=7,"
				  "queues=3");

	assert_string_equal(d.name, "web");
	assert_string_equal(d.path, "/a");
	assert_string_equal(d.socket, "/s");
	assert_string_equal(d.id, "serial");
	assert_true(d.read_only);
	assert_int_equal(d.min, 16384);
	assert_int_equal(d.max, 262144);
	assert_int_equal(d.share, 7);
	assert_int_equal(d.queues, 3);
	assert_true(disk_spec__given(&d, "id"));
	disk_spec__free(&d);
}

static void few(void **state)
{
	struct disk_spec d = take("socket=s,name=a=b,path=p,ro=off");

	assert_string_equal(d.name, "a=b");
	assert_false(d.read_only);
	assert_true(disk_spec__given(&d, "ro"));
	assert_false(disk_spec__given(&d, "id"));
	assert_false(disk_spec__given(&d, "min"));
	assert_int_equal(d.max, 0);
	disk_spec__free(&d);
}

static void commas(void **state)
{
	struct disk_spec d = take("a,,b,path=x,,,,y=z,socket=,,");

	assert_string_equal(d.name, "a,b");
	assert_string_equal(d.path, "x,,y=z");
	assert_string_equal(d.socket, ",");
	disk_spec__free(&d);
}

static void wrong_values(void **state)
{
	char text[256] = "a,socket=";

	refuse("a,path=p,socket=s,min=1", -EINVAL, "min '1' is not a size");
	refuse("a,path=p,socket=s,max=x", -EINVAL, "max 'x' is not a size");
	refuse("a,path=p,socket=s,share=0", -EINVAL, "share '0'");
	refuse("a,path=p,socket=s,share=-1", -EINVAL, "share '-1'");
	refuse("a,path=p,socket=s,queues=65", -EINVAL, "queues '65'");
	refuse("a,path=p,socket=s,queues=", -EINVAL, "queues ''");
	refuse("a,path=p,socket=s,ro=maybe", -EINVAL, "ro 'maybe'");
	refuse("a,path=p,socket=s,id=123456789012345678901", -EINVAL, "id '1234567890123456789");
	refuse("a,path=,socket=s", -EINVAL, "path '' is empty");
	refuse("a\nb,path=p,socket=s", -EINVAL, "control characters");
	refuse("a\xff,path=p,socket=s", -EINVAL, "UTF-8");
	memset(text + 9, 's', 108);
	refuse(text, -EINVAL, "too long");
	memset(text, 'n', 64);
	text[64] = 0;
	refuse(text, -EINVAL, "too long");
}

static void wrong_parts(void **state)
{
	refuse("", -EINVAL, "name '' is empty");
	refuse("a", -EINVAL, "a: a disk needs a path");
	refuse("path=p,socket=s", -EINVAL, "a disk needs a name");
	refuse("a,path=p", -EINVAL, "a: a disk needs a socket");
	refuse("a,path=p,socket=s,min=2GiB,max=1GiB", -EINVAL, "min is above max");
	refuse("a,path=p,path=q,socket=s", -EEXIST, "'path' is given twice");
	refuse("a,name=b,path=p,socket=s", -EEXIST, "'name' is given twice");
	refuse("a,path=p,socket=s,colour=red", -ENOENT, "no 'colour'");
	refuse("a,path=p,socket=s,share", -EINVAL, "'share' is not NAME=VALUE");
	refuse("a,path=p,socket=s,", -EINVAL, "a part is empty");
}

/* A maximum without a bound is above any minimum. */
static void no_bound(void **state)
{
	struct disk_spec d = take("a,path=p,socket=s,min=2GiB,max=0");

	assert_int_equal(d.max, 0);
	disk_spec__free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),   cmocka_unit_test(few),
		cmocka_unit_test(commas),      cmocka_unit_test(wrong_values),
		cmocka_unit_test(wrong_parts), cmocka_unit_test(no_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
