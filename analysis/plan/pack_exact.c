// SPDX-License-Identifier: GPL-2.0
/* The plain program: is item i in bin j? Bins of one size make it the same many times over, so it
 * is for small problems only. */
#include "pack_lp.h"

#include <errno.h>
#include <glpk.h>
#include <stdlib.h>

#include "../../cache/minmax.h"

#define MAX_VARIABLES 600

bool pack_exact__is_small(const struct pack_bins *b, size_t k)
{
	return b->nr_items && k && b->nr_items <= MAX_VARIABLES / k;
}

static int column(const struct pack_bins *b, size_t item, size_t bin)
{
	return 1 + bin * b->nr_items + item;
}

static void add_variables(glp_prob *prob, const struct pack_bins *b, size_t k)
{
	glp_add_cols(prob, k * b->nr_items);
	for (size_t c = 1; c <= k * b->nr_items; c++)
		glp_set_col_kind(prob, c, GLP_BV);
}

/* Each item is in one bin. */
static void add_items(glp_prob *prob, const struct pack_bins *b, size_t k, int *col, double *coef)
{
	int first = glp_add_rows(prob, b->nr_items);

	for (size_t i = 0; i < b->nr_items; i++) {
		for (size_t j = 0; j < k; j++) {
			col[j + 1] = column(b, i, j);
			coef[j + 1] = 1;
		}
		glp_set_row_bnds(prob, first + i, GLP_FX, 1, 1);
		glp_set_mat_row(prob, first + i, k, col, coef);
	}
}

/* Sizes as parts of the largest bin: numbers that suit the solver's tolerances. */
static void add_bins(glp_prob *prob, const struct pack_bins *b, size_t k, int *col, double *coef)
{
	int first = glp_add_rows(prob, k);
	double whole = b->bin[0].size;

	for (size_t j = 0; j < k; j++) {
		for (size_t i = 0; i < b->nr_items; i++) {
			col[i + 1] = column(b, i, j);
			coef[i + 1] = b->item[i].size / whole;
		}
		glp_set_row_bnds(prob, first + j, GLP_UP, 0, b->bin[j].size / whole);
		glp_set_mat_row(prob, first + j, b->nr_items, col, coef);
	}
}

static int solve(glp_prob *prob, const struct pack_bins *b)
{
	glp_iocp how;
	int err;

	glp_init_iocp(&how);
	how.msg_lev = GLP_MSG_OFF;
	how.presolve = GLP_ON;
	how.tm_lim = pack_bins__ms_left(b);
	err = how.tm_lim ? glp_intopt(prob, &how) : GLP_ETMLIM;
	return err == GLP_ENOPFS ? 0 : err;
}

/* A bin that is too full by less than the tolerance is no packing. */
static int take_answer(glp_prob *prob, const struct pack_bins *b, size_t k, struct packing *p)
{
	packing__clear(p, b, k);
	for (size_t j = 0; j < k; j++)
		for (size_t i = 0; i < b->nr_items; i++) {
			if (glp_mip_col_val(prob, column(b, i, j)) < 0.5)
				continue;
			if (p->room[j] < b->item[i].size)
				return -EAGAIN;
			packing__put(p, b, i, j);
		}
	return p->left ? -EAGAIN : 1;
}

int pack_exact__try(const struct pack_bins *b, size_t k, struct packing *p)
{
	size_t longest = larger(b->nr_items, k);
	int *col = calloc(longest + 1, sizeof(*col)), err = -ENOMEM;
	double *coef = calloc(longest + 1, sizeof(*coef));
	glp_prob *prob;

	if (col && coef) {
		glp_term_out(GLP_OFF);
		prob = glp_create_prob();
		add_variables(prob, b, k);
		add_items(prob, b, k, col, coef);
		add_bins(prob, b, k, col, coef);
		err = solve(prob, b) ? -EAGAIN : 0;
		if (!err && glp_mip_status(prob) == GLP_OPT)
			err = take_answer(prob, b, k, p);
		else if (!err && glp_mip_status(prob) != GLP_NOFEAS &&
			 glp_mip_status(prob) != GLP_UNDEF)
			err = -EAGAIN;
		glp_delete_prob(prob);
	}
	free(coef);
	free(col);
	return err;
}
