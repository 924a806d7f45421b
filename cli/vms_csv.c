// SPDX-License-Identifier: GPL-2.0
#include "vms_csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/array.h"
#include "../analysis/export.h"
#include "../analysis/size.h"
#include "cli.h"

static const char *const columns[] = {"vm",	      "space",		"memory_bytes",
				      "direct_bytes", "accesses_per_s", "miss_latency_ns"};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))
#define MAX_BYTES ((double)SIZE_MAX_PAGES * PAGE_BYTES)

/* --- reading --- */

static int take_figure(struct csv_text *t, size_t i, char *const fields[COLUMNS], double max,
		       double *out)
{
	*out = NAN;
	return fields[i][0] ? csv_text__number(t, columns[i], fields[i], max, out) : 0;
}

static int take_row(struct csv_text *t, char *const fields[COLUMNS], struct vms_csv_row *row)
{
	int err;

	*row = (struct vms_csv_row){.vm = fields[0]};
	if (!strcmp(fields[1], "mem"))
		row->space = SPACE_MEM;
	else if (strcmp(fields[1], "disk"))
		return csv_text__wrong(t, "space '%.32s' is neither disk nor mem", fields[1]);
	err = take_figure(t, 2, fields, MAX_BYTES, &row->memory);
	if (!err)
		err = take_figure(t, 3, fields, MAX_BYTES, &row->direct);
	if (!err)
		err = take_figure(t, 4, fields, 1e15, &row->accesses);
	if (!err)
		err = take_figure(t, 5, fields, 1e15, &row->latency);
	return err;
}

static int add_row(struct vms_csv *out, const struct vms_csv_row *row)
{
	struct vms_csv_row *rows = array__with_room(out->rows, out->n, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	out->rows = rows;
	rows[out->n] = *row;
	rows[out->n].vm = strdup(row->vm);
	return rows[out->n++].vm ? 0 : -ENOMEM;
}

int vms_csv__parse(struct vms_csv *out, char *text, size_t len, struct csv_fault *fault)
{
	char *fields[COLUMNS];
	struct csv_text t;
	int err = csv_text__init(&t, text, len, fault), more = 0;

	*out = (struct vms_csv){0};
	if (!err)
		err = csv_text__heading(&t, columns, COLUMNS,
					"a vms.csv, as 'hvtrace live --csv' writes it");
	while (!err && (more = csv_text__row(&t, fields, COLUMNS)) > 0) {
		struct vms_csv_row row;

		err = take_row(&t, fields, &row) ?: add_row(out, &row);
	}
	if (more < 0)
		err = more;
	if (err)
		vms_csv__free(out);
	return err;
}

void vms_csv__free(struct vms_csv *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->rows[i].vm);
	free(c->rows);
	*c = (struct vms_csv){0};
}

/* --- writing --- */

static void put_figure(FILE *out, const char *format, double v)
{
	fputc(',', out);
	if (!isnan(v))
		fprintf(out, format, v);
}

static void put_row(FILE *out, const struct vms_csv_row *row)
{
	export__csv_field(out, row->vm);
	fprintf(out, ",%s", page_space__name(row->space));
	put_figure(out, "%.0f", row->memory);
	put_figure(out, "%.0f", row->direct);
	put_figure(out, "%.10g", row->accesses);
	put_figure(out, "%.10g", row->latency);
	fputc('\n', out);
}

int vms_csv__write(const char *dir, const struct vms_csv_row *rows, size_t n)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/vms.csv", dir);
	out = fopen(path, "we");
	if (!out)
		return cli__failed("cannot write '%s': %s", path, strerror(errno));
	for (size_t i = 0; i < COLUMNS; i++)
		fprintf(out, "%s%s", i ? "," : "", columns[i]);
	fputc('\n', out);
	for (size_t i = 0; i < n; i++)
		put_row(out, &rows[i]);
	return cli__close(out, path);
}
