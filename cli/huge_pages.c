// SPDX-License-Identifier: GPL-2.0
#include "huge_pages.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MIB_2 (2UL << 20)

static void path_of(char path[128], size_t page, int node, const char *file)
{
	if (node < 0)
		snprintf(path, 128, "/sys/kernel/mm/hugepages/hugepages-%zukB/%s", page >> 10,
			 file);
	else
		snprintf(path, 128, "/sys/devices/system/node/node%d/hugepages/hugepages-%zukB/%s",
			 node, page >> 10, file);
}

static __u64 read_number(size_t page, int node, const char *file)
{
	unsigned long long n = 0;
	char path[128];
	FILE *f;

	path_of(path, page, node, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

__u64 huge_pages__free(size_t page_bytes, int node)
{
	__u64 free_pages = read_number(page_bytes, node, "free_hugepages");
	__u64 promised = read_number(page_bytes, node, "resv_hugepages");

	return free_pages > promised ? free_pages - promised : 0;
}

/* Where there are no more pages in the pool. */
static const char *otherwise(void)
{
	char line[64] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
	bool thp;

	if (!f)
		return "4K pages";
	thp = fgets(line, sizeof(line), f) &&
	      (strstr(line, "[always]") || strstr(line, "[madvise]"));
	fclose(f);
	return thp ? "THP" : "4K pages";
}

static void say_fix(char *fix, size_t size, size_t page, int node, __u64 lacking)
{
	__u64 pages = read_number(page, node, "nr_hugepages") + lacking;
	char path[128];

	path_of(path, page, node, "nr_hugepages");
	if (page == MIB_2 && node < 0)
		snprintf(fix, size, "sysctl vm.nr_hugepages=%llu", pages);
	else
		snprintf(fix, size, "echo %llu >%s", pages, path);
}

void huge_pages__tell(__u64 bytes, size_t page, int node, char text[HUGE_PAGES_TEXT])
{
	__u64 want = page ? bytes / page : 0, have = page ? huge_pages__free(page, node) : 0;
	char fix[192];

	if (!page) {
		snprintf(text, HUGE_PAGES_TEXT, "%s, the pool of huge pages is left alone",
			 otherwise());
		return;
	}
	if (have >= want && want) {
		snprintf(text, HUGE_PAGES_TEXT, "hugetlb pages of %zuMiB, %llu free", page >> 20,
			 have);
		return;
	}
	say_fix(fix, sizeof(fix), page, node, want - have);
	snprintf(text, HUGE_PAGES_TEXT,
		 "%llu of %llu hugetlb pages of %zuMiB are free, %s comes as %s; for all: %s", have,
		 want, page >> 20, have ? "the rest" : "so it",
		 page == MIB_2 ? otherwise() : "pages of 2MiB or less", fix);
}
