/* SPDX-License-Identifier: GPL-2.0 */
/* Arrays that grow by one element at a time. */
#ifndef HVTRACE_ARRAY_H
#define HVTRACE_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

/* v, of n elements, with room for one more: room doubles, so it is full when n is 0 or a power of
 * two. NULL: out of memory, and v stays as it was. */
static inline void *array__with_room(void *v, size_t n, size_t size)
{
	return n & (n - 1) ? v : reallocarray(v, n ? 2 * n : 1, size);
}

#endif
