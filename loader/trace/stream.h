/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A trace's bytes: a file or pipe, unpacked if it is packed, as a window that moves on. What is
 * not skipped stays in the window, at any length up to STREAM_BYTES.
 */
#ifndef HVTRACE_STREAM_H
#define HVTRACE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>

/* Larger than any record or line, small enough to stay in a core's own cache: reading u64 in
 * windows of 512 KiB took 0.7 of the time that 4 MiB took. */
#define STREAM_BYTES (512 * 1024)

struct stream;

/* "-" is stdin. NULL with errno. */
struct stream *stream__open(const char *path);
void stream__close(struct stream *s);

/* The window; its start is aligned to 8 as long as multiples of 8 are skipped. */
const char *stream__data(const struct stream *s, size_t *n);
void stream__skip(struct stream *s, size_t n);
/* Makes the window larger at its end (and moves it in memory). 1; 0: at the end; -EBADMSG, or the
 * like, with stream__why(). */
int stream__fill(struct stream *s);
/* What is wrong, and what to do. */
const char *stream__why(const struct stream *s);

/* Bytes of the file, packed if it is packed. */
__u64 stream__done(const struct stream *s);
__u64 stream__total(const struct stream *s);
/* The rest as a stream of stdio's, which must be closed first. NULL with errno. */
FILE *stream__file(struct stream *s);
/* A regular file, from its beginning, not packed: may be mapped. Its descriptor, or -1. */
int stream__plain_file(const struct stream *s);

#endif
