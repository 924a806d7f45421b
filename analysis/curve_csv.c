// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "curve_csv.h"
#include "size.h"

static const char *const columns[] = {"vm",	    "space",	  "order",
				      "size_pages", "size_bytes", "misses",
				      "accesses",   "miss_ratio", "error"};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct reader {
	struct csv_text text;
	struct curve_csv *out;
};

/* --- values --- */

static int take_size(struct reader *r, char *const fields[COLUMNS], __u64 *size)
{
	__u64 bytes;
	int err = csv_text__whole(&r->text, columns[3], fields[3], size);

	if (!err)
		err = csv_text__whole(&r->text, columns[4], fields[4], &bytes);
	if (!err && (*size > SIZE_MAX_PAGES || bytes != *size * PAGE_BYTES))
		err = csv_text__wrong(&r->text, "size_bytes %llu are not size_pages %llu", bytes,
				      *size);
	return err;
}

static int take_point(struct reader *r, char *const fields[COLUMNS], struct curve_point *p)
{
	double ratio;
	int err = take_size(r, fields, &p->size);

	if (!err)
		err = csv_text__number(&r->text, columns[5], fields[5], 1e300, &p->misses);
	if (!err)
		err = csv_text__number(&r->text, columns[6], fields[6], 1e300, &p->accesses);
	if (!err)
		err = csv_text__number(&r->text, columns[7], fields[7], 1e300, &ratio);
	if (!err)
		err = csv_text__number(&r->text, columns[8], fields[8], 1, &p->error);
	return err;
}

static int take_key(struct reader *r, char *const fields[COLUMNS], struct named_curve *key)
{
	*key = (struct named_curve){.vm = fields[0]};
	if (!strcmp(fields[1], "mem"))
		key->space = SPACE_MEM;
	else if (strcmp(fields[1], "disk"))
		return csv_text__wrong(&r->text, "space '%.32s' is neither disk nor mem",
				       fields[1]);
	key->added = !strcmp(fields[2], "eviction");
	if (!key->added && strcmp(fields[2], "access"))
		return csv_text__wrong(&r->text, "order '%.32s' is neither eviction nor access",
				       fields[2]);
	return 0;
}

/* --- curves --- */

static bool same_curve(const struct named_curve *a, const struct named_curve *b)
{
	return a->space == b->space && a->added == b->added && !strcmp(a->vm, b->vm);
}

static int add_curve(struct reader *r, const struct named_curve *key)
{
	struct curve_csv *out = r->out;
	struct named_curve *curves;

	for (size_t i = 0; i < out->n; i++)
		if (same_curve(&out->curves[i], key))
			return csv_text__wrong(&r->text, "the rows of '%.64s' are not together",
					       key->vm);
	curves = array__with_room(out->curves, out->n, sizeof(*curves));
	if (!curves)
		return -ENOMEM;
	out->curves = curves;
	curves[out->n] = *key;
	curves[out->n].vm = strdup(key->vm);
	return curves[out->n++].vm ? 0 : -ENOMEM;
}

static int add_point(struct reader *r, const struct named_curve *key, const struct curve_point *p)
{
	struct curve_csv *out = r->out;
	struct curve_point *points;
	struct named_curve *c;

	if (!out->n || !same_curve(&out->curves[out->n - 1], key)) {
		int err = add_curve(r, key);

		if (err)
			return err;
	}
	c = &out->curves[out->n - 1];
	if (c->n && p->size <= c->points[c->n - 1].size)
		return csv_text__wrong(&r->text, "the sizes of '%.64s' do not ascend", c->vm);
	points = array__with_room(c->points, c->n, sizeof(*points));
	if (!points)
		return -ENOMEM;
	c->points = points;
	points[c->n++] = *p;
	return 0;
}

static int take_row(struct reader *r, char *const fields[COLUMNS])
{
	struct named_curve key;
	struct curve_point p = {0};
	int err = take_key(r, fields, &key);

	if (!err)
		err = take_point(r, fields, &p);
	return err ?: add_point(r, &key, &p);
}

int curve_csv__parse(struct curve_csv *out, char *text, size_t len, struct csv_fault *fault)
{
	struct reader r = {.out = out};
	char *fields[COLUMNS];
	int err = csv_text__init(&r.text, text, len, fault), more = 0;

	*out = (struct curve_csv){0};
	if (!err)
		err = csv_text__heading(&r.text, columns, COLUMNS,
					"a curve.csv, as 'hvtrace mrc --csv' writes it");
	while (!err && (more = csv_text__row(&r.text, fields, COLUMNS)) > 0)
		err = take_row(&r, fields);
	if (more < 0)
		err = more;
	if (err)
		curve_csv__free(out);
	return err;
}

void curve_csv__free(struct curve_csv *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->curves[i].vm);
		free(c->curves[i].points);
	}
	free(c->curves);
	*c = (struct curve_csv){0};
}
