/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Traces of other tools as a stream of page references: pulled in batches, in one pass, from a file
 * of any size or a pipe, gzip or zstd unpacked on the way.
 *
 *	u64            little-endian 64-bit page numbers
 *	csv            time in seconds and page, or page alone
 *	oracleGeneral  libCacheSim's 24-byte records; an object is a page, whatever its size
 *	vscsi          VMware vscsiStats, versions 1 and 2
 *	blkparse       text of blkparse: requests as queued (Q) on the topmost device
 *	msr            CSV of the MSR Cambridge traces
 *	own            a recording of page events: see trace__recording()
 *
 * Requests to disks become the 4 KiB pages they touch, reads and writes alike; a request of no
 * bytes touches none. With several disks in a trace, a page's upper 16 bits number its disk, in the
 * order of appearance from 0.
 */
#ifndef HVTRACE_TRACE_H
#define HVTRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>

struct trace;

struct trace_opts {
	size_t sz;	    /* sizeof(struct trace_opts) */
	const char *format; /* as listed above; NULL: by content */
	bool skip_bad;	    /* go on after a malformed record */
};

struct trace_fault {
	__u64 record;	  /* from 1; of a text, the line. 0: not a record's fault */
	char reason[200]; /* one line: where, what is wrong, what to do; to follow "PATH: " */
};

/* `path` "-" is stdin. NULL with errno, and `fault` (may be NULL) says what is wrong: EINVAL: a
 * format of no such name, or not to be told by content; EBADMSG: damaged compression. */
struct trace *trace__open(const char *path, const struct trace_opts *opts,
			  struct trace_fault *fault);
void trace__close(struct trace *t); /* NULL is fine */

struct trace_batch {
	const __u64 *pages;
	const __u64
		*times; /* ns since the first reference, never falling; NULL: the trace has none */
	size_t n;	/* at least 1 */
};

/* 1: a batch, valid until the next call; 0: the end; -EINVAL: a malformed record (never with
 * skip_bad); -EBADMSG: damaged compression; other -errno: cannot be read. trace__fault() tells. */
int trace__next(struct trace *t, struct trace_batch *b);
const struct trace_fault *trace__fault(const struct trace *t);

const char *trace__format(const struct trace *t);
bool trace__timed(const struct trace *t);
/* Bytes of the file (as it is: compressed) read so far, and in all; 0: not known, a pipe. */
__u64 trace__bytes_done(const struct trace *t);
__u64 trace__bytes_total(const struct trace *t);
/* Malformed records left out. */
__u64 trace__bad(const struct trace *t);

/* Format "own" only, else NULL: the recording from its beginning, unpacked, for recording__read().
 * The stream is the trace's. Where it cannot be read, trace__fault() may know more than errno. */
FILE *trace__recording(struct trace *t);

/* The names of the formats, NULL after the last one. */
const char *const *trace__formats(void);

#endif
