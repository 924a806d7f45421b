/* SPDX-License-Identifier: GPL-2.0 */
/* LRU by a list of pages: slow, and obviously right. */
#ifndef TESTS_UNIT_LRU_MODEL_H
#define TESTS_UNIT_LRU_MODEL_H

#include <stddef.h>
#include <linux/types.h>

#define LRU_MODEL_COLD (~0ULL)

struct lru_model {
	__u64 *pages; /* the last one first */
	size_t nr, room;
};

/* Zero-initialised is empty. */
void lru_model__free(struct lru_model *l);
/* Distinct pages since the last reference to this one, or LRU_MODEL_COLD. */
__u64 lru_model__touch(struct lru_model *l, __u64 page);

#endif
