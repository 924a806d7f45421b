// SPDX-License-Identifier: GPL-2.0
/* Results of mrc as CSV: each curve, and each policy's as that of NAME:POLICY. */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/export.h"
#include "cli.h"
#include "mrc_result.h"

/* Rows in the making. */
struct table {
	struct vm_report **reports;
	size_t n;
	struct vm_report **made; /* those that are ours */
	size_t nr_made;
};

static int add_policy(struct table *t, const char *name, enum page_space space, enum policy p,
		      const struct policy_curve *c)
{
	struct vm_report *r = NULL;
	char *full;

	if (asprintf(&full, "%s:%s", name, policy__name(p)) >= 0) {
		r = vm_report__of_curve(full, space, "access", c->points, c->n);
		free(full);
	}
	if (!r)
		return -ENOMEM;
	t->made[t->nr_made++] = t->reports[t->n++] = r;
	return 0;
}

static int add_result(struct table *t, const struct mrc_result *r, const struct mrc_options *o)
{
	int err = 0;

	t->reports[t->n++] = mrc_options__has_sizes(o) ? r->at : r->report;
	for (int k = 0; k < PAGE_SPACES * POLICIES && !err; k++) {
		enum page_space space = k / POLICIES;
		enum policy p = k % POLICIES;

		if (r->policies[space] && r->policies[space]->of[p].n)
			err = add_policy(t, r->report->name, space, p, &r->policies[space]->of[p]);
	}
	return err;
}

static int make_table(struct table *t, const struct mrc_sources *s, const struct mrc_options *o)
{
	size_t n = 1;
	int err = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].nr * (1 + PAGE_SPACES * POLICIES);
	t->reports = calloc(n, sizeof(*t->reports));
	t->made = calloc(n, sizeof(*t->made));
	if (!t->reports || !t->made)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; s->v[i].done && k < s->v[i].nr && !err; k++)
			err = add_result(t, &s->v[i].results[k], o);
	return err;
}

static void free_table(struct table *t)
{
	for (size_t i = 0; i < t->nr_made; i++)
		vm_report__free(t->made[i]);
	free(t->made);
	free(t->reports);
}

static int write_table(const struct table *t, const char *path)
{
	bool to_stdout = !strcmp(path, "-");
	FILE *out = to_stdout ? stdout : fopen(path, "we");
	int err = out ? export__curve_csv(out, t->reports, t->n) : -errno;

	if (out && !to_stdout && fclose(out) && !err)
		err = -errno;
	return err;
}

int mrc_sources__write_csv(const struct mrc_sources *s, const struct mrc_options *o)
{
	struct table t = {0};
	int err = make_table(&t, s, o);

	/* Behind the intervals. */
	if (!err && s->every.csv)
		err = export__curve_rows(s->every.csv, t.reports, t.n);
	else if (!err)
		err = write_table(&t, o->csv);
	free_table(&t);
	return err ? cli__failed("cannot write '%s': %s", o->csv, strerror(-err)) : CLI_DONE;
}
