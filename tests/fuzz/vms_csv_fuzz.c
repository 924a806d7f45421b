// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a vms.csv. */
#include <errno.h>
#include <math.h>

#include "../../cli/vms_csv.h"
#include "text.h"

static void check_row(const struct vms_csv_row *row)
{
	check(row->vm && row->space < PAGE_SPACES);
	check(isnan(row->memory) || row->memory >= 0);
	check(isnan(row->direct) || row->direct >= 0);
	check(isnan(row->accesses) || row->accesses >= 0);
	check(isnan(row->latency) || row->latency >= 0);
}

static void try_text(char *text, size_t size)
{
	struct csv_fault fault = {0};
	struct vms_csv csv;
	int err = vms_csv__parse(&csv, text, size, &fault);

	check(!err || !csv.n);
	check(err != -EINVAL || (fault.line >= 1 && fault.reason[0]));
	for (size_t i = 0; i < csv.n; i++)
		check_row(&csv.rows[i]);
	vms_csv__free(&csv);
}
