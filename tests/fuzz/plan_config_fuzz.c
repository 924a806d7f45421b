// SPDX-License-Identifier: GPL-2.0
/* Any text as a plan's file, and as what --vm, --add-vm, --memory and INPUT take. What is taken
 * holds together. */
#include <errno.h>
#include <math.h>

#include "../../cli/plan_options.h"
#include "text.h"

static void check_facts(const struct plan_facts *f)
{
	check(f->given < 1U << PLAN_FACTS);
	check(f->memory <= 1ULL << 52 && f->min <= 1ULL << 52 && f->max <= 1ULL << 52);
	check(isfinite(f->rate) && f->rate >= 0 && isfinite(f->latency) && f->latency >= 0);
	check(!plan_facts__given(f, FACT_OVER) || f->over > 0);
	check(!plan_facts__given(f, FACT_WEIGHT) || f->weight > 0);
	check(f->slower_ratio >= 0 && f->slower_ratio <= 1);
	check(isfinite(f->slower_time) && f->slower_time >= 0);
}

static void check_options(const struct plan_options *o)
{
	for (size_t i = 0; i < o->nr_inputs; i++) {
		check(o->inputs[i].path && o->inputs[i].path[0]);
		check_facts(&o->inputs[i].facts);
	}
	for (size_t i = 0; i < o->nr_wishes; i++) {
		check(o->wishes[i].name && o->wishes[i].name[0]);
		check_facts(&o->wishes[i].facts);
	}
	for (size_t i = 0; i < o->nr_memory; i++)
		check(o->memory[i].pages <= 1ULL << 52);
	check_facts(&o->defaults);
}

static void try_file(const char *text, size_t size)
{
	struct plan_options o = {0};
	char why[PLAN_WHY] = "";

	if (plan_config__parse(&o, "f", text, size, why, sizeof(why)))
		check(!strncmp(why, "f:", 2));
	else
		check_options(&o);
	plan_options__free(&o);
}

static void try_word(const char *text,
		     int (*add)(struct plan_options *o, const char *text, char *why, size_t size))
{
	struct plan_options o = {0};
	char why[PLAN_WHY] = "";

	if (add(&o, text, why, sizeof(why)))
		check(why[0]);
	else
		check_options(&o);
	plan_options__free(&o);
}

static int add_input(struct plan_options *o, const char *text, char *why, size_t size)
{
	return plan_options__add_input(o, text, false, why, size);
}

static void try_text(char *text, size_t size)
{
	try_file(text, size);
	try_word(text, plan_options__add_vm);
	try_word(text, plan_options__add_new);
	try_word(text, plan_options__add_memory);
	try_word(text, add_input);
}
