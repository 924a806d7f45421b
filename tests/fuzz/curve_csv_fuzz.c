// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a curve.csv. What is taken keeps the promises that plot relies on. */
#include <errno.h>

#include "../../analysis/curve_csv.h"
#include "text.h"

static void check_curve(const struct named_curve *c)
{
	check(c->vm && c->n && c->space < PAGE_SPACES);
	for (size_t i = 0; i < c->n; i++) {
		const struct curve_point *p = &c->points[i];

		check(p->size <= 1ULL << 52 && (!i || p->size > c->points[i - 1].size));
		check(p->misses >= 0 && p->accesses >= 0 && p->error >= 0 && p->error <= 1);
	}
}

static void check_fault(const struct csv_fault *f, __u64 lines)
{
	check(f->line >= 1 && f->line <= lines);
	check(f->reason[0] && memchr(f->reason, 0, sizeof(f->reason)));
}

static void try_text(char *text, size_t size)
{
	struct csv_fault fault = {0};
	struct curve_csv csv;
	__u64 lines = 1;
	int err;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	err = curve_csv__parse(&csv, text, size, &fault);
	check(!err || err == -EINVAL || err == -ENOMEM);
	check(!err || !csv.n);
	if (err == -EINVAL)
		check_fault(&fault, lines);
	for (size_t i = 0; i < csv.n; i++)
		check_curve(&csv.curves[i]);
	curve_csv__free(&csv);
}
