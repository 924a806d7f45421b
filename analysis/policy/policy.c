// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include "policy.h"

static const struct policy_ops *const policies[POLICIES] = {
	[POLICY_LRU] = &policy_lru,	[POLICY_FIFO] = &policy_fifo,
	[POLICY_CLOCK] = &policy_clock, [POLICY_S3FIFO] = &policy_s3fifo,
	[POLICY_ARC] = &policy_arc,	[POLICY_OPT] = &policy_opt,
};

const struct policy_ops *policy__ops(enum policy p)
{
	return (unsigned int)p < POLICIES ? policies[p] : NULL;
}

const char *policy__name(enum policy p)
{
	return policies[p]->name;
}

int policy__parse(const char *name, enum policy *out)
{
	for (int p = 0; p < POLICIES; p++) {
		if (!strcmp(name, policies[p]->name)) {
			*out = p;
			return 0;
		}
	}
	return -EINVAL;
}
