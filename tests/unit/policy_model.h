/* SPDX-License-Identifier: GPL-2.0 */
/* Replacement policies in the plainest way there is: lists in arrays, searched from end to end. */
#ifndef TESTS_UNIT_POLICY_MODEL_H
#define TESTS_UNIT_POLICY_MODEL_H

#include "../../analysis/hvanalysis.h"

/* Misses of n references in a cache of `capacity` pages. */
size_t policy_model__misses(enum policy policy, size_t capacity, const __u64 *pages, size_t n);

#endif
