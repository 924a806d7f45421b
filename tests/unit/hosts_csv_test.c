// SPDX-License-Identifier: GPL-2.0
/* HOSTS.csv: what is taken, and each way it can be wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../analysis/plan/hosts_csv.h"
#include "../../analysis/plan/pack.h"

#define GIB (1ULL << 18)

static int parse(struct hosts_csv *out, const char *text, struct csv_fault *fault)
{
	char *copy = strdup(text);
	int err = hosts_csv__parse(out, copy, strlen(copy), fault);

	free(copy);
	return err;
}

static void test_with_curves(void **state)
{
	struct csv_fault fault;
	struct hosts_csv h;

	assert_int_equal(parse(&h,
			       "host,memory,curves\r\nkvm01,248GiB,a/curve.csv\r\n"
			       "\"kvm, 02\",1000p,\n",
			       &fault),
			 0);
	assert_int_equal(h.n, 2);
	assert_string_equal(h.hosts[0].name, "kvm01");
	assert_int_equal(h.hosts[0].memory, 248 * GIB);
	assert_string_equal(h.hosts[0].curves, "a/curve.csv");
	assert_string_equal(h.hosts[1].name, "kvm, 02");
	assert_int_equal(h.hosts[1].memory, 1000);
	assert_null(h.hosts[1].curves);
	assert_int_equal(hosts_csv__find(&h, "kvm, 02"), 1);
	assert_int_equal(hosts_csv__find(&h, "kvm"), -1);
	hosts_csv__free(&h);
}

static void test_without_curves(void **state)
{
	struct csv_fault fault;
	struct hosts_csv h;

	assert_int_equal(parse(&h, "host,memory\na,4GiB\nb,0", &fault), 0);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.hosts[0].memory, 4 * GIB);
	assert_null(h.hosts[0].curves);
	assert_int_equal(h.hosts[1].memory, 0);
	hosts_csv__free(&h);
}

static const struct {
	const char *text;
	__u64 line;
	const char *reason; /* part of it */
} wrong[] = {
	{"", 1, "heading"},
	{"host\na\n", 1, "heading"},
	{"host,memory,curves,more\n", 1, "heading"},
	{"name,memory\na,4GiB\n", 1, "heading"},
	{"host,memory\n", 1, "no host"},
	{"host,memory\na,4GiB\nb\n", 3, "columns"},
	{"host,memory\na,4GiB,x\n", 2, "columns"},
	{"host,memory\n,4GiB\n", 2, "no name"},
	{"host,memory\na,4GiB\na,5GiB\n", 3, "'a' is there twice"},
	{"host,memory\na,4\n", 2, "memory '4'"},
	{"host,memory\na,-1GiB\n", 2, "memory '-1GiB'"},
	{"host,memory\n\x01,4GiB\n", 2, "control"},
	{"host,memory\n\xff,4GiB\n", 2, "UTF-8"},
	{"host,memory\n\"a,4GiB\n", 2, "no end"},
};

static void test_wrong(void **state)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct csv_fault fault = {0};
		struct hosts_csv h;

		assert_int_equal(parse(&h, wrong[i].text, &fault), -EINVAL);
		assert_int_equal(h.n, 0);
		if (fault.line != wrong[i].line || !strstr(fault.reason, wrong[i].reason))
			fail_msg("case %zu: line %llu: %s", i, fault.line, fault.reason);
	}
}

/* So many hosts, each with a name and a page more than the one before. */
static int parse_many(struct hosts_csv *out, size_t n, struct csv_fault *fault)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int err;

	assert_non_null(f);
	fputs("host,memory\n", f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "h%zu,%zup\n", i, i);
	fclose(f);
	err = hosts_csv__parse(out, text, len, fault);
	free(text);
	return err;
}

static void test_many(void **state)
{
	struct csv_fault fault;
	struct hosts_csv h;

	assert_int_equal(parse_many(&h, PACK_MAX_HOSTS, &fault), 0);
	assert_int_equal(h.n, PACK_MAX_HOSTS);
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(h.hosts[i].memory, i);
	hosts_csv__free(&h);
	assert_int_equal(parse_many(&h, PACK_MAX_HOSTS + 1, &fault), -EINVAL);
	assert_int_equal(fault.line, PACK_MAX_HOSTS + 2);
	assert_string_equal(fault.reason, "more than 4096 hosts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_curves),
		cmocka_unit_test(test_without_curves),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
