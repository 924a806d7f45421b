// SPDX-License-Identifier: GPL-2.0
#include "host_memory.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "../analysis/size.h"

static __u64 node_bytes(int node)
{
	unsigned long long kib = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* Its first line: "Node 0 MemTotal: 15034140 kB". */
	if (fscanf(f, "Node %*d MemTotal: %llu", &kib) != 1)
		kib = 0;
	fclose(f);
	return kib << 10;
}

__u64 host_memory__bytes(int node)
{
	long pages = sysconf(_SC_PHYS_PAGES);

	if (node >= 0)
		return node_bytes(node);
	return pages > 0 ? (__u64)pages * sysconf(_SC_PAGESIZE) : 0;
}

int host_memory__fits(__u64 pages, int node, char *why, size_t size)
{
	__u64 have = host_memory__bytes(node) / PAGE_BYTES;
	char want_text[SIZE_TEXT], have_text[SIZE_TEXT], where[32] = "this host";

	if (!have || pages <= have)
		return 0;
	if (node >= 0)
		snprintf(where, sizeof(where), "NUMA node %d", node);
	snprintf(why, size, "a cache of %s is more than the memory of %s, %s: take less",
		 size__format(pages, want_text), where, size__format(have, have_text));
	return -ENOMEM;
}
