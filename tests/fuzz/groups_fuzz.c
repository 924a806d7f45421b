// SPDX-License-Identifier: GPL-2.0
/* Any text as a file of groups. What is taken is a tree, in which who is let in can be planned for.
 */
#include <errno.h>

#include "../../analysis/utf8.h"
#include "../../cli/group_plan.h"
#include "fuzz.h"

#define MAX_VMS 64

static int take(void *ctx, const char *name, struct yaml_at at, char *why, size_t size)
{
	if (strcmp(name, "groups"))
		return yaml__wrong(at, why, size, "not groups");
	return group_list__parse(ctx, at, why, size);
}

static void check_list(const struct group_list *l)
{
	check(l->n <= GROUP_LIST_MAX);
	for (size_t i = 0; i < l->n; i++) {
		const struct group_entry *e = &l->entry[i];

		check(e->name[0] && utf8__is_line(e->name));
		check(e->parent >= -1 && e->parent < (int)i);
		check(e->parent < 0 || !l->entry[e->parent].spec.vm);
		check(!e->spec.vm || e->parent >= 0);
		check(e->spec.reservation <= e->spec.limit && e->spec.limit <= GROUPS_NO_LIMIT);
		check(e->spec.shares <= GROUPS_MAX_SHARES);
	}
}

/* The VMs that are listed, each with a memory of its own. */
static size_t make_vms(const struct group_list *l, struct group_vm *vms, uint8_t seed)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n && n < MAX_VMS; i++)
		if (l->entry[i].spec.vm) {
			vms[n] = (struct group_vm){l->entry[i].name, (seed + n) % 7,
						   7 + (seed + n) * 1000, seed, n};
			n++;
		}
	return n;
}

static void try_plan(const struct group_list *l, uint8_t seed)
{
	struct group_vm vms[MAX_VMS];
	size_t n = make_vms(l, vms, seed);
	char why[512] = "";
	struct group_plan p;
	struct groups_refusal refusal;
	__u64 *entitled;
	int refused;

	if (group_plan__new(&p, l, vms, n, seed * 4000ULL, why, sizeof(why))) {
		check(why[0]);
		return;
	}
	entitled = calloc(groups__count(p.groups), sizeof(*entitled));
	check(entitled);
	refused = groups__check(p.groups, &refusal);
	if (group_plan__admit(&p, why, sizeof(why)))
		check(refused && why[0]);
	check(groups__entitle(p.groups, 75, entitled) == refused);
	for (size_t i = 0; i < groups__count(p.groups) && !refused; i++)
		check(entitled[i] <= groups__most(p.groups, i) &&
		      entitled[i] >= groups__least(p.groups, i));
	free(entitled);
	group_plan__free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct group_list l = {0};
	char why[256] = "";
	int err = yaml__take_text("f", (const char *)data, size, take, &l, why, sizeof(why));

	if (err)
		check(!strncmp(why, "f:", 2));
	check_list(&l);
	if (!err)
		try_plan(&l, size ? data[size - 1] : 0);
	group_list__free(&l);
	return 0;
}
