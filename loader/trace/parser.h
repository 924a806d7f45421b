/* SPDX-License-Identifier: GPL-2.0 */
/* What each format is to the reader: a table of functions over one record or line at a time. */
#ifndef HVTRACE_PARSER_H
#define HVTRACE_PARSER_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/types.h>

#include "text.h"
#include "volumes.h"

#define SECTOR_BYTES 512
#define PARSER_CPUS 1024

/* Pages touched by one record: n of them from `page` on. */
struct request {
	__u64 page, n;
	__u64 time; /* in the format's unit */
};

/* blkparse: where the last remap on a CPU led to. */
struct remap {
	__u64 device, sector;
	bool below; /* from a device whose requests were seen */
};

/* What parsers remember from one record to the next. */
struct parser {
	struct volumes *volumes;
	struct volumes *below; /* blkparse: devices that others lie on */
	struct remap *remaps;  /* blkparse: by CPU; NULL until the first */
	bool begun;	       /* text: a header may not come any more */
	bool summary;	       /* blkparse: in the figures at the end */
	char why[120];	       /* what is wrong with a malformed record */
};

struct parser *parser__new(void); /* NULL: out of memory */
void parser__free(struct parser *p);

enum parsed {
	PARSED_NOTHING, /* not a record: a header, an empty line */
	PARSED_NONE,	/* a record without a reference */
	PARSED_REFS
};

struct trace_format {
	const char *name;
	size_t record; /* bytes of a record; 0: lines of text */
	__u64 tick;    /* ns of a unit of time; 0: no times */
	/* An enum parsed; -EINVAL: malformed, see why; -ENOMEM. p has `record` bytes, or is a line
	 * of n bytes without its end. */
	int (*parse)(struct parser *s, const char *p, size_t n, struct request *r);
	/* Whether a head of whole records is more likely of this format than its parser can tell
	 * from each record alone. NULL: the parser knows. */
	bool (*match)(const char *head, size_t n);
};

extern const struct trace_format format_u64, format_csv, format_csv_pages, format_oracle_general,
	format_vscsi_v1, format_vscsi_v2, format_blkparse, format_msr;

/* Set why; return -EINVAL. */
__attribute__((format(printf, 2, 3))) int parser__bad(struct parser *s, const char *fmt, ...);
/* The same for a number in a text: which one, what text__number() said, where. */
int parser__bad_number(struct parser *s, const char *which, const char *wrong,
		       const struct text *at);

/* The pages of `bytes` bytes from byte `offset` on of a volume, checked: PARSED_REFS, or
 * PARSED_NONE when there are none, or -EINVAL. */
int parser__bytes(struct parser *s, __u64 volume, __u64 offset, __u64 bytes, struct request *r);
int parser__sectors(struct parser *s, __u64 volume, __u64 sector, __u64 n, struct request *r);
/* Number of a volume, or -EINVAL, -ENOMEM. */
long parser__volume(struct parser *s, const void *name, size_t n);

static inline __u16 get16(const char *p)
{
	__u16 v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline __u32 get32(const char *p)
{
	__u32 v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline __u64 get64(const char *p)
{
	__u64 v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

#endif
