/* SPDX-License-Identifier: GPL-2.0 */
/* Sizes: pages inside, bytes with IEC units outside. */
#ifndef HVTRACE_SIZE_H
#define HVTRACE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "../bpf/page_event.h"

/* No size is above this, and those that people write are below: 64 bits hold their bytes. */
#define SIZE_MAX_PAGES (1ULL << 52)
/* Room for any formatted size. */
#define SIZE_TEXT 24

/*
 * "64MiB", "1.5GiB" (KiB to EiB), "1000p" (pages) or "0" to pages.
 * -EINVAL: not a size, or not a whole number of 4 KiB pages; -ERANGE: 2^52 pages (16 EiB) or
 * more, whose bytes 64 bits do not hold.
 */
int size__parse(const char *text, __u64 *pages);
/*
 * "64MiB,1GiB,1000p" to an array of pages, ascending and without repetition, which the caller
 * frees with free(). -EINVAL, -ERANGE as above, -ENOMEM; *sizes and *n are left alone then.
 */
int size__parse_list(const char *text, __u64 **sizes, size_t *n);
/* Pages as bytes in at most 4 significant digits: "0", "12KiB", "1.5GiB". Returns buf. */
const char *size__format(__u64 pages, char buf[SIZE_TEXT]);

/*
 * Sizes at which to draw a curve that is flat from max pages on: 0, evenly spaced ones
 * (multiples of a power of two), so many to each power of two (half of the room each), and
 * max; ascending, without repetition. Round sizes are the same in every curve, so that
 * curves can be compared. Every size when max < room. Returns how many are in out; room >= 2.
 */
size_t size__defaults(__u64 max, __u64 *out, size_t room);
/* At most n sizes, ascending, without repetition, the last one max: evenly spaced from 0, or on a
 * logarithmic scale from 1 page. out has room for n; returns how many there are. */
size_t size__spaced(__u64 max, size_t n, bool log, __u64 *out);

/* 0, and all powers of two up to 2^octaves with parts - 1 (parts: a power of two) sizes between
 * each and the next, as far as there are so many: ascending. out has room for 2 + parts * octaves;
 * returns how many there are. */
size_t size__grid(unsigned int parts, unsigned int octaves, __u64 *out);

/* Powers of two, of four, of eight, ... (as many to a step as there is room for), and max:
 * ascending, for a table. Returns how many are in out; room >= 2. */
size_t size__powers(__u64 max, __u64 *out, size_t room);

#endif
