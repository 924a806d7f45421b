// SPDX-License-Identifier: GPL-2.0
/* Page numbers, 8 bytes each and nothing else. The reader hands them out where they lie; what is
 * here serves where a table of formats is gone through. */
#include "parser.h"

static int u64__parse(struct parser *s, const char *p, size_t n, struct request *r)
{
	*r = (struct request){.page = get64(p), .n = 1};
	return PARSED_REFS;
}

/* Any bytes could be page numbers. */
static bool u64__match(const char *head, size_t n)
{
	return false;
}

const struct trace_format format_u64 = {
	.name = "u64",
	.record = 8,
	.parse = u64__parse,
	.match = u64__match,
};
