// SPDX-License-Identifier: GPL-2.0
#include "vm_memory.h"

#include "../cache/minmax.h"

__u64 vm_memory__now(struct vm_memory *m, __u64 slots, __u64 resident, __u64 discarded)
{
	__u64 gone;

	if (slots != m->slots || resident >= m->top) {
		m->slots = slots;
		m->top = resident;
		m->discarded = discarded;
	}
	/* What the host pages out is not given back: nobody unmapped it for good. */
	gone = smaller(m->top - resident, discarded - m->discarded);
	return resident ? slots - smaller(gone, slots) : slots;
}
