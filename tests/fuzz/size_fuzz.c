// SPDX-License-Identifier: GPL-2.0
/* Any text as a list of sizes. What is taken must come out of its own text again. */
#include <stdio.h>

#include "../../analysis/size.h"
#include "text.h"

static void check_size(__u64 pages)
{
	char text[SIZE_TEXT + 8];
	__u64 again;

	check(pages <= 1ULL << 52);
	snprintf(text, sizeof(text), "%llup", pages);
	check(!size__parse(text, &again) && again == pages);
	check(strlen(size__format(pages, text)) < SIZE_TEXT);
}

static void try_text(char *text, size_t size)
{
	__u64 *sizes = NULL;
	size_t n = 0;

	if (!size__parse_list(text, &sizes, &n))
		check(n > 0);
	for (size_t i = 0; i < n; i++) {
		check_size(sizes[i]);
		check(!i || sizes[i] > sizes[i - 1]);
	}
	free(sizes);
}
