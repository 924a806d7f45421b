// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a configuration of balance, and as a VM on its command line. */

#include "../../cli/balance_options.h"
#include "text.h"

static void check_vms(const struct balance_options *o)
{
	for (size_t i = 0; i < o->nr_vms; i++) {
		const struct balance_spec *v = &o->vms[i];

		check(v->name && (v->qmp || v->cgroup || v->serve) && v->weight > 0);
		check(!v->max || v->min <= v->max);
	}
}

static void try_text(char *text, size_t size)
{
	struct balance_options o;
	char why[BALANCE_WHY] = "";

	balance_options__init(&o);
	check(!balance_config__parse(&o, "file", text, size, why, sizeof(why)) == !why[0]);
	why[0] = '\0';
	check(!balance_options__add(&o, text, why, sizeof(why)) == !why[0]);
	check_vms(&o);
	balance_options__free(&o);
}
