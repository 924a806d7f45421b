// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "store_policy.h"

const struct store_policy *store_policy__find(const char *name)
{
	static const struct store_policy *const all[] = {&store_lru, &store_s3fifo};

	if (!name)
		return &store_lru;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}
