// SPDX-License-Identifier: GPL-2.0
/* Any text as a file of a cgroup, and as its folder's name. */

#include "../../cli/cgroup_text.h"
#include "text.h"

#define MOST (1ULL << 52)

static void try_text(char *text, size_t size)
{
	char *name = malloc(size + 1);
	__u64 pages = 0;

	if (!name)
		return;
	check(cgroup_text__size(text, MOST, &pages) || pages <= MOST);
	cgroup_text__name(text, name);
	check(strlen(name) <= strlen(text) && !name[0] == !text[0]);
	free(name);
}
