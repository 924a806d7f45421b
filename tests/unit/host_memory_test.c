// SPDX-License-Identifier: GPL-2.0
/* What this host's memory lets a cache be, and what is said of its huge pages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../bpf/page_event.h"
#include "../../cli/host_memory.h"
#include "../../cli/huge_pages.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

static __u64 mem_total(void)
{
	unsigned long long kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "MemTotal: %llu", &kib), 1);
	fclose(f);
	return kib << 10;
}

static void bytes(void **state)
{
	__u64 all = host_memory__bytes(-1);

	assert_int_equal(all, mem_total());
	if (!access("/sys/devices/system/node/node0/meminfo", R_OK))
		assert_in_range(host_memory__bytes(0), 1, all);
	assert_int_equal(host_memory__bytes(1023), 0);
}

static void caches(void **state)
{
	__u64 pages = mem_total() / PAGE_BYTES;
	char why[256] = "";

	assert_int_equal(host_memory__fits(0, -1, why, sizeof(why)), 0);
	assert_int_equal(host_memory__fits(pages, -1, why, sizeof(why)), 0);
	/* What there is of a node is for the arena to say. */
	assert_int_equal(host_memory__fits(1ULL << 50, 1023, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(host_memory__fits(pages + 1, -1, why, sizeof(why)), -ENOMEM);
	assert_non_null(strstr(why, "more than the memory of this host"));
	assert_non_null(strstr(why, "take less"));
	if (!host_memory__bytes(0))
		return;
	assert_int_equal(host_memory__fits(pages + 1, 0, why, sizeof(why)), -ENOMEM);
	assert_non_null(strstr(why, "more than the memory of NUMA node 0"));
}

static void advice(void **state)
{
	__u64 more = huge_pages__free(2 * MIB, -1) * 2 * MIB + 16 * MIB;
	char text[HUGE_PAGES_TEXT];

	huge_pages__tell(more, 2 * MIB, -1, text);
	assert_non_null(strstr(text, "for all: sysctl vm.nr_hugepages="));
	huge_pages__tell(more + mem_total(), 2 * MIB, -1, text);
	assert_null(strstr(text, "sysctl"));
	assert_non_null(strstr(text, "more than this host's memory has room for"));
}

static void less_than_a_page(void **state)
{
	char text[HUGE_PAGES_TEXT];

	huge_pages__tell(512 * MIB, GIB, -1, text);
	assert_string_equal(text, "it is smaller than one hugetlb page of 1GiB, so it comes as "
				  "pages of 2MiB or less; take --huge 2MiB");
	huge_pages__tell(0, GIB, -1, text);
	assert_string_equal(text, "nothing is cached");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes),
		cmocka_unit_test(caches),
		cmocka_unit_test(advice),
		cmocka_unit_test(less_than_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
