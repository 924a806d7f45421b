// SPDX-License-Identifier: GPL-2.0
/* YAML files: what is taken, and that what is wrong is told with its line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/yaml.h"

static char why[256];
static char seen[1024];

static int see_element(void *ctx, struct yaml_at at, char *w, size_t size);

/* Writes down what is there: name=value, and name[a,b,] for lists. */
static int see_pair(void *ctx, const char *name, struct yaml_at at, char *w, size_t size)
{
	const char *text;
	int err;

	strcat(seen, name);
	if (!strncmp(name, "list", 4)) {
		strcat(seen, "[");
		err = yaml__each_element(at, see_element, ctx, w, size);
		strcat(seen, "]");
		return err;
	}
	if (!strncmp(name, "map", 3)) {
		strcat(seen, "{");
		err = yaml__each_pair(at, see_pair, ctx, w, size);
		strcat(seen, "}");
		return err;
	}
	err = yaml__text(at, name, &text, w, size);
	if (err)
		return err;
	strcat(seen, "=");
	strcat(seen, text);
	strcat(seen, ";");
	return strcmp(name, "refused") ? 0 : yaml__wrong(at, w, size, "not %s", text);
}

static int see_element(void *ctx, struct yaml_at at, char *w, size_t size)
{
	const char *text;
	int err = yaml__text(at, "an element", &text, w, size);

	if (err)
		return err;
	strcat(seen, text);
	strcat(seen, ",");
	return 0;
}

static int read_bytes(const char *text, size_t len)
{
	seen[0] = why[0] = 0;
	return yaml__take_text("f", text, len, see_pair, NULL, why, sizeof(why));
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void takes(const char *text, const char *what)
{
	int err = read_text(text);

	assert_string_equal(why, "");
	assert_int_equal(err, 0);
	assert_string_equal(seen, what);
}

static void refuses(const char *text, const char *begin)
{
	assert_int_equal(read_text(text), -EINVAL);
	if (strncmp(why, begin, strlen(begin)))
		assert_string_equal(why, begin);
}

static void maps_and_lists(void **state)
{
	takes("", "");
	takes("# nothing\n", "");
	takes("~\n", "");
	takes("a: 1\nb: 'two words'\n", "a=1;b=two words;");
	takes("list: [x, y]\nlist2:\n- 1\n- 2\n", "list[x,y,]list2[1,2,]");
	takes("map: {a: 1, map: {b: 2}}\n", "map{a=1;map{b=2;}}");
	takes("list:\nmap:\n", "list[]map{}");
	takes("---\na: 1\n...\n", "a=1;");
	takes("a: &x 1\nb: *x\n", "a=1;b=1;");
	takes("a: \"\\u00e9\"\n", "a=\xc3\xa9;");
}

static void wrong_kinds(void **state)
{
	refuses("a\n", "f:1: not a map");
	refuses("\n- a\n", "f:2: not a map");
	refuses("a: 1\nb: [1]\n", "f:2: b is a list");
	refuses("a: 1\nb:\n  c: 1\n", "f:3: b is a map");
	refuses("\n\nlist: 1\n", "f:3: not a list");
	refuses("list: [1,\n [2]]\n", "f:2: an element is a list");
	refuses("map: 'x'\n", "f:1: not a map");
	refuses("[a]: 1\n", "f:1: a name is a list");
	refuses("a: 1\n\nrefused: this\n", "f:3: not this");
}

static void names_once(void **state)
{
	refuses("a: 1\nb: 1\na: 2\n", "f:3: a is there twice");
	refuses("map:\n  a: 1\n  a: 2\n", "f:3: a is there twice");
	takes("map: {a: 1}\na: 2\n", "map{a=1;}a=2;");
}

static void not_yaml(void **state)
{
	refuses("a: 1\nb: [1\n", "f:3: not YAML: ");
	refuses("a: 1\n\tb: 2\n", "f:2: not YAML: ");
	refuses("a: *nowhere\n", "f:1: not YAML: ");
	refuses("a: 1\n---\nb: 2\n", "f:2: a second document");
	refuses("a: \xff\n", "f:1: not YAML: ");
	refuses("a: \"x\\0y\"\n", "f:1: a has a NUL");
	assert_int_equal(read_bytes("a: 1\n\0\n", 7), -EINVAL);
}

/* A reason that is longer than there is room for is cut. */
static void long_reasons(void **state)
{
	char text[2048], *name = text;

	memset(text, 'x', sizeof(text));
	name[1000] = 0;
	strcat(text, ": [1]\n");
	seen[0] = 0;
	assert_int_equal(read_text(text), -EINVAL);
	assert_true(strlen(why) < sizeof(why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_and_lists), cmocka_unit_test(wrong_kinds),
		cmocka_unit_test(names_once),	  cmocka_unit_test(not_yaml),
		cmocka_unit_test(long_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
