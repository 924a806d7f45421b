// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a vms.csv. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/vms_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_row(const struct vms_csv_row *row)
{
	check(row->vm && row->space < PAGE_SPACES);
	check(isnan(row->memory) || row->memory >= 0);
	check(isnan(row->direct) || row->direct >= 0);
	check(isnan(row->accesses) || row->accesses >= 0);
	check(isnan(row->latency) || row->latency >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct csv_fault fault = {0};
	struct vms_csv csv;
	char *text = malloc(size + 1);
	int err;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	err = vms_csv__parse(&csv, text, size, &fault);
	check(!err || !csv.n);
	check(err != -EINVAL || (fault.line >= 1 && fault.reason[0]));
	for (size_t i = 0; i < csv.n; i++)
		check_row(&csv.rows[i]);
	vms_csv__free(&csv);
	free(text);
	return 0;
}
