// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as what a guest does to an exclusive cache, against a model. The first byte chooses the
 * policy and the bounds, each group of 8 after it is an operation.
 */

#include "../unit/store_model.c"
#include "fuzz.h"

static struct model_op op_of(const uint8_t *d)
{
	return (struct model_op){
		.kind = d[0],
		.how = d[1],
		.page = d[2] | d[3] << 8,
		.frame = d[4] | (d[5] & 3) << 8,
		.n = d[5] >> 2 | d[6] << 6 | d[7] << 14,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model_opts o = {0};
	struct store_model *m;

	if (!size)
		return 0;
	o.s3fifo = data[0] & 1;
	o.max_resident = data[0] & 2 ? 1 + data[0] / 16 : 0;
	o.max_ghosts = data[0] & 4 ? 1 + data[0] : 0;
	m = store_model__new(&o);
	if (data[0] & 8)
		store_model__add_chunk(m, 0);
	for (data++, size--; size >= 8; data += 8, size -= 8)
		store_model__do(m, op_of(data));
	store_model__check(m);
	store_model__free(m);
	return 0;
}
