// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a HOSTS.csv. What is taken can be packed on and told of. */
#include <errno.h>

#include "../../analysis/plan/hosts_csv.h"
#include "../../analysis/plan/pack.h"
#include "../../analysis/utf8.h"
#include "text.h"

static void check_hosts(const struct hosts_csv *h)
{
	check(h->n && h->n <= PACK_MAX_HOSTS);
	for (size_t i = 0; i < h->n; i++) {
		const struct host_row *row = &h->hosts[i];

		check(row->name[0] && utf8__is_line(row->name) && row->memory <= SIZE_MAX_PAGES);
		check(!row->curves || row->curves[0]);
		check(hosts_csv__find(h, row->name) == (int)i);
	}
}

static void try_text(char *text, size_t size)
{
	struct csv_fault fault = {0};
	struct hosts_csv h;
	int err = hosts_csv__parse(&h, text, size, &fault);

	check(!err || err == -EINVAL || err == -ENOMEM);
	if (err == -EINVAL)
		check(fault.line && fault.reason[0]);
	if (err)
		check(!h.n && !h.hosts);
	else
		check_hosts(&h);
	hosts_csv__free(&h);
}
