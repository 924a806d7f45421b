// SPDX-License-Identifier: GPL-2.0
#include "pack_lp.h"

#include <errno.h>
#include <glpk.h>
#include <stdlib.h>

/* Prices as worths: in bins, times this. */
#define PRICE_UNIT (1 << 24)
/* What a pattern has to save to be of use: above the solver's own tolerance of 1e-7. */
#define SAVES 1e-6
/* The bound is looked at now and then: it costs as much as finding a pattern. */
#define BOUND_EVERY 16

struct pack_lp {
	const struct pack_bins *b;
	glp_prob *prob;
	size_t *kind; /* of each item: its row, from 1; items of one size are of one kind */
	size_t kinds;
	size_t *class; /* of each bin: its row, behind the items' */
	size_t classes;
	/* For pricing. */
	size_t words;
	__u64 *size, *worth, *most, *taken;
	int *row;
	double *times;
};

/* Numbers things by size, from `first` on: how many sizes there are. */
static size_t number(const struct pack_thing *t, size_t n, size_t first, size_t *to)
{
	size_t sizes = 0;

	for (size_t i = 0; i < n; i++) {
		sizes += !i || t[i].size != t[i - 1].size;
		to[i] = first + sizes - 1;
	}
	return sizes;
}

static int allocate(struct pack_lp *lp)
{
	size_t n = lp->b->nr_items;

	lp->words = lp->b->units / 64 + 1;
	lp->kind = calloc(n + 1, sizeof(*lp->kind));
	lp->class = calloc(lp->b->nr_bins + 1, sizeof(*lp->class));
	lp->size = calloc(n + 1, sizeof(*lp->size));
	lp->worth = calloc(n + 1, sizeof(*lp->worth));
	lp->most = calloc(lp->b->units + 1, sizeof(*lp->most));
	lp->taken = calloc(n * lp->words + 1, sizeof(*lp->taken));
	lp->row = calloc(n + 2, sizeof(*lp->row));
	lp->times = calloc(n + 2, sizeof(*lp->times));
	return lp->kind && lp->class && lp->size && lp->worth && lp->most && lp->taken && lp->row &&
			       lp->times
		       ? 0
		       : -ENOMEM;
}

void pack_lp__free(struct pack_lp *lp)
{
	if (!lp)
		return;
	if (lp->prob)
		glp_delete_prob(lp->prob);
	free(lp->times);
	free(lp->row);
	free(lp->taken);
	free(lp->most);
	free(lp->worth);
	free(lp->size);
	free(lp->class);
	free(lp->kind);
	free(lp);
}

/* --- the program --- */

static void add_rows(struct pack_lp *lp)
{
	const struct pack_bins *b = lp->b;
	int last = lp->kinds + lp->classes;

	if (!last)
		return;
	glp_add_rows(lp->prob, last);
	for (int r = 1; r <= last; r++)
		glp_set_row_bnds(lp->prob, r, r <= (int)lp->kinds ? GLP_LO : GLP_UP, 0, 0);
	for (size_t i = 0; i < b->nr_items; i++)
		glp_set_row_bnds(lp->prob, lp->kind[i], GLP_LO,
				 glp_get_row_lb(lp->prob, lp->kind[i]) + 1, 0);
	for (size_t i = 0; i < b->nr_bins; i++)
		glp_set_row_bnds(lp->prob, lp->class[i], GLP_UP, 0,
				 glp_get_row_ub(lp->prob, lp->class[i]) + 1);
}

/* A column of the first n entries of row and times (from 1 on). */
static void add_column(struct pack_lp *lp, int n, double cost)
{
	int c = glp_add_cols(lp->prob, 1);

	glp_set_col_bnds(lp->prob, c, GLP_LO, 0, 0);
	glp_set_obj_coef(lp->prob, c, cost);
	glp_set_mat_col(lp->prob, c, n, lp->row, lp->times);
}

/* An item joins the pattern in hand: those of one kind come together. How long it is then. */
static int join(struct pack_lp *lp, int n, size_t row)
{
	if (n && lp->row[n] == (int)row) {
		lp->times[n]++;
		return n;
	}
	lp->row[n + 1] = row;
	lp->times[n + 1] = 1;
	return n + 1;
}

/* Buys an item at a price that no pattern has: so the program has a solution from the beginning on,
 * and keeps one where bins do not suffice. */
static void add_stand_ins(struct pack_lp *lp)
{
	for (size_t k = 1; k <= lp->kinds; k++) {
		lp->row[1] = k;
		lp->times[1] = 1;
		add_column(lp, 1, lp->b->nr_bins + 1.0);
	}
}

static void add_packing(struct pack_lp *lp, const struct packing *p)
{
	for (size_t bin = 0; bin < p->nr_bins; bin++) {
		int n = 0;

		for (size_t i = 0; i < lp->b->nr_items; i++)
			if (p->bin[i] == (int)bin)
				n = join(lp, n, lp->kind[i]);
		if (n)
			add_column(lp, join(lp, n, lp->class[bin]), 1);
	}
}

int pack_lp__new(struct pack_lp **out, const struct pack_bins *b, const struct packing *p)
{
	struct pack_lp *lp = calloc(1, sizeof(*lp));

	*out = lp;
	if (!lp)
		return -ENOMEM;
	lp->b = b;
	if (allocate(lp)) {
		pack_lp__free(lp);
		*out = NULL;
		return -ENOMEM;
	}
	glp_term_out(GLP_OFF);
	lp->kinds = number(b->item, b->nr_items, 1, lp->kind);
	lp->classes = number(b->bin, b->nr_bins, lp->kinds + 1, lp->class);
	for (size_t i = 0; i < b->nr_items; i++)
		lp->size[i] = pack_bins__ceil(b, b->item[i].size);
	lp->prob = glp_create_prob();
	add_rows(lp);
	add_stand_ins(lp);
	add_packing(lp, p);
	return 0;
}

/* --- new patterns --- */

static bool find_prices(struct pack_lp *lp)
{
	glp_smcp how;

	glp_init_smcp(&how);
	how.msg_lev = GLP_MSG_OFF;
	how.tm_lim = pack_bins__ms_left(lp->b);
	if (!how.tm_lim || glp_simplex(lp->prob, &how) || glp_get_status(lp->prob) != GLP_OPT)
		return false;
	for (size_t i = 0; i < lp->b->nr_items; i++) {
		double price = glp_get_row_dual(lp->prob, lp->kind[i]);

		lp->worth[i] = price > 0 ? price * PRICE_UNIT : 0;
	}
	return true;
}

/* The best pattern of a bin; it was found backwards, from the last item on. What its items cost. */
static double best_pattern(struct pack_lp *lp, size_t bin, int *n)
{
	size_t room = pack_bins__floor(lp->b, lp->b->bin[bin].size);
	double cost = 0;

	*n = 0;
	for (size_t i = lp->b->nr_items; i-- > 0;) {
		const __u64 *row = &lp->taken[i * lp->words];

		if (!(row[room / 64] >> room % 64 & 1))
			continue;
		room -= lp->size[i];
		cost += glp_get_row_dual(lp->prob, lp->kind[i]);
		*n = join(lp, *n, lp->kind[i]);
	}
	return cost;
}

/* One pattern for each size of bins, where it helps. Did any? */
static bool add_patterns(struct pack_lp *lp)
{
	bool any = false;

	pack_knapsack(lp->size, lp->worth, lp->b->nr_items, lp->b->units, lp->most, lp->taken);
	for (size_t bin = 0; bin < lp->b->nr_bins; bin++) {
		double saved;
		int n;

		if (bin && lp->class[bin] == lp->class[bin - 1])
			continue;
		saved = best_pattern(lp, bin, &n) + glp_get_row_dual(lp->prob, lp->class[bin]) - 1;
		if (!n || saved < SAVES)
			continue;
		add_column(lp, join(lp, n, lp->class[bin]), 1);
		any = true;
	}
	return any;
}

int pack_lp__generate(struct pack_lp *lp, struct pack_bound *lb, size_t enough)
{
	bool more = true;
	int err = 0;

	for (int round = 1; more && !err && lb->bins < enough; round++) {
		if (!find_prices(lp))
			return 0;
		more = add_patterns(lp);
		if (!more || round % BOUND_EVERY == 0)
			err = pack_bound__raise(lb, lp->b, lp->worth);
	}
	return err;
}

/* --- whole numbers of patterns --- */

/* As good as the bound: no need to go on. */
static void stop_at_bound(glp_tree *tree, void *bound)
{
	if (glp_ios_reason(tree) == GLP_IBINGO &&
	    glp_mip_obj_val(glp_ios_get_prob(tree)) < *(double *)bound + 0.5)
		glp_ios_terminate(tree);
}

static bool solve_whole(const struct pack_bins *b, glp_prob *prob, double enough)
{
	glp_iocp how;
	int status;

	glp_init_iocp(&how);
	how.msg_lev = GLP_MSG_OFF;
	how.presolve = GLP_ON;
	how.fp_heur = GLP_ON;
	how.cb_func = stop_at_bound;
	how.cb_info = &enough;
	how.tm_lim = pack_bins__ms_left(b);
	if (!how.tm_lim)
		return false;
	glp_intopt(prob, &how);
	status = glp_mip_status(prob);
	return status == GLP_OPT || status == GLP_FEAS;
}

/* The next bin of a class that is empty. */
static int empty_bin(const struct pack_lp *lp, const struct packing *p, size_t class)
{
	for (size_t i = 0; i < lp->b->nr_bins; i++)
		if (lp->class[i] == class && p->room[i] == lp->b->bin[i].size)
			return i;
	return -1;
}

/* Items of a kind that are in no bin yet, so many; there may be fewer, for patterns may overlap. */
static void put_kind(const struct pack_lp *lp, struct packing *p, size_t kind, int times, int bin)
{
	for (size_t i = 0; i < lp->b->nr_items && times; i++)
		if (lp->kind[i] == kind && p->bin[i] < 0 && p->room[bin] >= lp->b->item[i].size) {
			packing__put(p, lp->b, i, bin);
			times--;
		}
}

static void put_pattern(struct pack_lp *lp, struct packing *p, int column)
{
	int n = glp_get_mat_col(lp->prob, column, lp->row, lp->times), bin = -1;

	for (int i = 1; i <= n && bin < 0; i++)
		if (lp->row[i] > (int)lp->kinds)
			bin = empty_bin(lp, p, lp->row[i]);
	for (int i = 1; i <= n && bin >= 0; i++)
		if (lp->row[i] <= (int)lp->kinds)
			put_kind(lp, p, lp->row[i], lp->times[i], bin);
}

void pack_lp__pack(struct pack_lp *lp, const struct pack_bound *lb, struct packing *p)
{
	int columns = glp_get_num_cols(lp->prob);

	packing__clear(p, lp->b, lp->b->nr_bins);
	for (int c = 1; c <= columns; c++)
		glp_set_col_kind(lp->prob, c, GLP_IV);
	if (!solve_whole(lp->b, lp->prob, lb->bins))
		return;
	for (int c = lp->kinds + 1; c <= columns; c++)
		for (int times = glp_mip_col_val(lp->prob, c) + 0.5; times > 0; times--)
			put_pattern(lp, p, c);
}
