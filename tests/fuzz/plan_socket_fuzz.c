// SPDX-License-Identifier: GPL-2.0
/*
 * Any JSON as what a running hvtrace answers to "stats" and "curve", and a plan of what was taken
 * of it: there is one, or it says why not, and no bound is broken.
 */
#include <errno.h>
#include <stdio.h>

#include "../../cli/plan_case.h"
#include "fuzz.h"

static void check_plan(const struct plan_case *c)
{
	char text[PLAN_CLASH];

	for (size_t i = 0; i < c->plan->nr_clashes; i++) {
		plan_case__tell_clash(c, &c->plan->clashes[i], text);
		check(text[0]);
	}
	for (size_t i = 0; i < c->nr && !c->plan->nr_clashes; i++) {
		const struct plan_seat *s = &c->seats[i];
		__u64 size = c->plan->sizes[s->node].size;

		check(size >= s->least && size <= s->most);
		check(size >= appetite__known_from(s->appetite));
	}
}

static void try_plan(struct plan_vms *v)
{
	const struct plan_case_opts o = {.granule = 0};
	struct plan_case c;
	char why[512] = "";

	for (size_t i = 0; i < v->nr; i++) {
		struct plan_facts all = {0};

		plan_facts__know(&all, FACT_LATENCY, 1e6);
		plan_facts__know(&all, FACT_RATE, 100);
		plan_facts__know(&all, FACT_MEMORY, 1000);
		plan_facts__fill(&v->vms[i].facts, &all);
	}
	if (plan_case__make(&c, v, &o, why, sizeof(why))) {
		check(why[0]);
		return;
	}
	check_plan(&c);
	plan_case__free(&c);
}

/* One answer stands for both. */
static void try_answer(const json_t *answer)
{
	const struct plan_source s = {.path = "f", .any_space = true};
	struct plan_vms v = {0};
	char why[512] = "";
	int err = plan_socket__take(&v, &s, answer, answer, why, sizeof(why));

	if (err)
		check(why[0]);
	else
		try_plan(&v);
	plan_vms__free(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_error_t error;
	json_t *answer = json_loadb((const char *)data, size, 0, &error);

	if (answer)
		try_answer(answer);
	json_decref(answer);
	return 0;
}
