// SPDX-License-Identifier: GPL-2.0
#include "parser.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_SHIFT 12
#define SECTOR_SHIFT 9
#define VOLUME_SHIFT 48 /* of a page number; below, the page in the volume */
/* Block layers cut requests long before: what asks for more is damaged. */
#define REQUEST_MAX (1ULL << 30)

struct parser *parser__new(void)
{
	struct parser *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->volumes = volumes__new();
	s->below = volumes__new();
	if (s->volumes && s->below)
		return s;
	parser__free(s);
	return NULL;
}

void parser__free(struct parser *s)
{
	if (!s)
		return;
	volumes__free(s->volumes);
	volumes__free(s->below);
	free(s->remaps);
	free(s);
}

int parser__bad(struct parser *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, args);
	va_end(args);
	return -EINVAL;
}

int parser__bad_number(struct parser *s, const char *which, const char *wrong,
		       const struct text *at)
{
	char quote[TEXT_QUOTE];

	if (at->p == at->end)
		return parser__bad(s, "%s %s", which, wrong);
	return parser__bad(s, "%s %s, at '%s'", which, wrong, text__quote(at, quote));
}

int parser__bytes(struct parser *s, __u64 volume, __u64 offset, __u64 bytes, struct request *r)
{
	if (offset >> (VOLUME_SHIFT + PAGE_SHIFT))
		return parser__bad(s, "offset %llu is beyond any disk", offset);
	if (bytes > REQUEST_MAX)
		return parser__bad(s, "request of %llu bytes, above 1 GiB", bytes);
	if ((offset + bytes) >> (VOLUME_SHIFT + PAGE_SHIFT))
		return parser__bad(s, "request ends beyond any disk");
	if (!bytes)
		return PARSED_NONE;
	r->page = offset >> PAGE_SHIFT;
	r->n = ((offset + bytes - 1) >> PAGE_SHIFT) - r->page + 1;
	r->page |= volume << VOLUME_SHIFT;
	return PARSED_REFS;
}

int parser__sectors(struct parser *s, __u64 volume, __u64 sector, __u64 n, struct request *r)
{
	if (sector >> (64 - SECTOR_SHIFT))
		return parser__bad(s, "sector %llu is beyond any disk", sector);
	if (n > REQUEST_MAX >> SECTOR_SHIFT)
		return parser__bad(s, "request of %llu sectors, above 1 GiB", n);
	return parser__bytes(s, volume, sector << SECTOR_SHIFT, n << SECTOR_SHIFT, r);
}

long parser__volume(struct parser *s, const void *name, size_t n)
{
	long number = volumes__number(s->volumes, name, n);

	if (number == -ENOSPC)
		return parser__bad(s, "more than %d disks", VOLUMES_MAX);
	return number;
}
