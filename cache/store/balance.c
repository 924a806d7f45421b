// SPDX-License-Identifier: GPL-2.0
/*
 * Chunks are handed out one after the other, each to whom it brings least above what its weight
 * entitles it to: (chunks it would have) / weight. That is the method of D'Hondt: nobody ever gets
 * fewer because there are more to hand out, which rounding of quotas does not assure (Balinski and
 * Young, Fair Representation, 1982). And nobody gets less than the quota rounded down, so nearly
 * all of it is handed out at once.
 */
#include <stdbool.h>

#include "../minmax.h"
#include "balance.h"

typedef unsigned __int128 wide;

struct claim {
	__u64 weight, most; /* of what is handed out */
};

static __u64 wish(const struct balance_vm *vm)
{
	return vm->max ? smaller(vm->wants, vm->max) : vm->wants;
}

static __u64 least(const struct balance_vm *vm)
{
	return smaller(vm->min, wish(vm));
}

/* Minima are handed out in proportion to themselves; what is above them, by shares. */
static struct claim claim_of(const struct balance_vm *vm, bool minima)
{
	if (minima)
		return (struct claim){.weight = least(vm), .most = least(vm)};
	return (struct claim){.weight = vm->share ?: 1, .most = wish(vm) - least(vm)};
}

/* The weight of those that do not have all they can get. */
static wide open_weight(const struct balance_vm *vms, size_t n, bool minima)
{
	wide sum = 0;

	for (size_t i = 0; i < n; i++) {
		struct claim c = claim_of(&vms[i], minima);

		sum += vms[i].target < c.most ? c.weight : 0;
	}
	return sum;
}

/* Those whose quota is all they can get, or more, get that. How much it was. */
static __u64 satisfy(struct balance_vm *vms, size_t n, bool minima, __u64 room, wide weight)
{
	__u64 given = 0;

	for (size_t i = 0; i < n; i++) {
		struct claim c = claim_of(&vms[i], minima);

		if (vms[i].target == c.most || c.most > (wide)room * c.weight / weight)
			continue;
		vms[i].target = c.most;
		given += c.most;
	}
	return given;
}

/* The others, who have nothing yet, get their quota rounded down. How much it was. */
static __u64 give_quotas(struct balance_vm *vms, size_t n, bool minima, __u64 room, wide weight)
{
	__u64 given = 0;

	for (size_t i = 0; i < n; i++) {
		struct claim c = claim_of(&vms[i], minima);

		if (vms[i].target == c.most)
			continue;
		vms[i].target = (wide)room * c.weight / weight;
		given += vms[i].target;
	}
	return given;
}

/* Who gets the next chunk; the first of equals. NULL: nobody wants it. */
static struct balance_vm *next(struct balance_vm *vms, size_t n, bool minima)
{
	struct balance_vm *best = NULL;
	struct claim b = {0};

	for (size_t i = 0; i < n; i++) {
		struct claim c = claim_of(&vms[i], minima);

		if (vms[i].target == c.most)
			continue;
		if (best &&
		    ((wide)vms[i].target + 1) * b.weight >= ((wide)best->target + 1) * c.weight)
			continue;
		best = &vms[i];
		b = c;
	}
	return best;
}

static void hand_out(struct balance_vm *vms, size_t n, bool minima, __u64 room)
{
	struct balance_vm *vm;
	__u64 given;
	wide weight;

	for (size_t i = 0; i < n; i++)
		vms[i].target = 0;
	do {
		weight = open_weight(vms, n, minima);
		given = weight ? satisfy(vms, n, minima, room, weight) : 0;
		room -= given;
	} while (given);
	if (weight)
		room -= give_quotas(vms, n, minima, room, weight);
	while (room && (vm = next(vms, n, minima))) {
		vm->target++;
		room--;
	}
}

void balance__targets(struct balance_vm *vms, size_t n, __u64 total)
{
	wide minima = 0;

	for (size_t i = 0; i < n; i++)
		minima += least(&vms[i]);
	if (minima >= total) {
		hand_out(vms, n, true, total);
		return;
	}
	hand_out(vms, n, false, total - minima);
	for (size_t i = 0; i < n; i++)
		vms[i].target += least(&vms[i]);
}
