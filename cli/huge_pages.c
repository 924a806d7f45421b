// SPDX-License-Identifier: GPL-2.0
#include "huge_pages.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../analysis/size.h"
#include "host_memory.h"

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

/* How to have so many more; nothing advises more than there is memory. */
static void say_fix(char *fix, size_t size, size_t page, int node, __u64 lacking)
{
	__u64 pages = read_number(page, node, "nr_hugepages") + lacking;
	__u64 memory = host_memory__bytes(node);
	char path[128];

	path_of(path, page, node, "nr_hugepages");
	if (memory && pages > memory / page)
		snprintf(fix, size, "all would be more than %s's memory has room for",
			 node < 0 ? "this host" : "the node");
	else if (page == MIB_2 && node < 0)
		snprintf(fix, size, "for all: sysctl vm.nr_hugepages=%llu", pages);
	else
		snprintf(fix, size, "for all: echo %llu >%s", pages, path);
}

static void tell_lack(__u64 have, __u64 want, size_t page, int node, char text[HUGE_PAGES_TEXT])
{
	char fix[192], size[SIZE_TEXT];

	say_fix(fix, sizeof(fix), page, node, want - have);
	snprintf(text, HUGE_PAGES_TEXT,
		 "%llu of %llu hugetlb pages of %s are free, %s comes as %s; %s", have, want,
		 size__format(page / PAGE_BYTES, size), have ? "the rest" : "so it",
		 page == MIB_2 ? otherwise() : "pages of 2MiB or less", fix);
}

void huge_pages__tell(__u64 bytes, size_t page, int node, char text[HUGE_PAGES_TEXT])
{
	__u64 want = page ? bytes / page : 0, have = page ? huge_pages__free(page, node) : 0;
	char size[SIZE_TEXT];

	size__format(page / PAGE_BYTES, size);
	if (!bytes)
		snprintf(text, HUGE_PAGES_TEXT, "nothing is cached");
	else if (!page)
		snprintf(text, HUGE_PAGES_TEXT, "%s, the pool of huge pages is left alone",
			 otherwise());
	else if (!want)
		snprintf(text, HUGE_PAGES_TEXT,
			 "it is smaller than one hugetlb page of %s, so it comes as pages of 2MiB "
			 "or less; take --huge 2MiB",
			 size);
	else if (have >= want)
		snprintf(text, HUGE_PAGES_TEXT, "hugetlb pages of %s, %llu free", size, have);
	else
		tell_lack(have, want, page, node, text);
}
