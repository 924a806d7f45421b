/* SPDX-License-Identifier: GPL-2.0 */
/* What huge pages this host has left, and how to have more. */
#ifndef HVTRACE_HUGE_PAGES_H
#define HVTRACE_HUGE_PAGES_H

#include <stddef.h>
#include <linux/types.h>

/* Pages of the pool that nobody has or is promised; of one NUMA node (promises are not known by
 * node), or node -1: of all. 0 if the host has no such pages. */
__u64 huge_pages__free(size_t page_bytes, int node);

/* What a cache of so many bytes will be in, one sentence, with what to do for better. page: 0 to
 * leave the pool alone. */
#define HUGE_PAGES_TEXT 320
void huge_pages__tell(__u64 bytes, size_t page, int node, char text[HUGE_PAGES_TEXT]);

#endif
