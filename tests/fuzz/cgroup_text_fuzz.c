// SPDX-License-Identifier: GPL-2.0
/* Any text as a file of a cgroup, and as its folder's name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/cgroup_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST (1ULL << 52)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *name = malloc(size + 1);
	__u64 pages = 0;

	if (text && name) {
		memcpy(text, data, size);
		text[size] = '\0';
		if (!cgroup_text__size(text, MOST, &pages) && pages > MOST)
			abort();
		cgroup_text__name(text, name);
		if (strlen(name) > strlen(text) || !name[0] != !text[0])
			abort();
	}
	free(name);
	free(text);
	return 0;
}
