// SPDX-License-Identifier: GPL-2.0
/* hvtrace plan: from miss curves to the memory of each VM; no root needed. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "picture.h"
#include "plan_groups.h"
#include "plan_options.h"
#include "plan_place.h"
#include "plan_show.h"

/* --- what there is --- */

static int read_input(struct plan_vms *v, const struct plan_options *o, const struct plan_input *in)
{
	const struct plan_source s = {
		.path = in->path,
		.host = in->host,
		.name = in->name,
		.any_space = !o->one_space,
		.space = o->space,
		.fresh = in->fresh,
		.only = o->only.n && !in->fresh ? (const char *const *)o->only.v : NULL,
		.nr_only = in->fresh ? 0 : o->only.n,
		.facts = &in->facts,
	};

	return in->socket ? plan_socket__read(v, &s) : plan_file__read(v, &s);
}

/* Those that are there come first. */
static int read_inputs(struct plan_vms *v, const struct plan_options *o)
{
	int status = CLI_DONE;

	for (int fresh = 0; fresh < 2; fresh++)
		for (size_t i = 0; i < o->nr_inputs && !status; i++)
			if (o->inputs[i].fresh == fresh)
				status = read_input(v, o, &o->inputs[i]);
	return status;
}

/* Those of a file, with or without VMs. */
static int add_hosts(struct plan_vms *v, const struct plan_options *o)
{
	size_t host;

	for (size_t i = 0; i < o->hosts.n; i++)
		if (plan_vms__host(v, o->hosts.hosts[i].name, &host))
			return cli__failed("out of memory");
	return CLI_DONE;
}

/* --- what is said of it --- */

static int no_vm(const struct plan_vms *v, const char *name)
{
	return cli__failed("there is no VM '%s'; the first one is '%s'", name,
			   v->nr ? v->vms[0].name : "");
}

static int check_names(const struct plan_vms *v, const struct plan_options *o)
{
	for (size_t w = 0; w < o->nr_wishes; w++) {
		bool found = false;

		for (size_t i = 0; i < v->nr; i++)
			found |= plan_vms__is(v, &v->vms[i], o->wishes[w].name);
		if (!found)
			return no_vm(v, o->wishes[w].name);
	}
	return CLI_DONE;
}

/* What is said of it wins, then what is known, then what is said of all. */
static void take_wishes(struct plan_vms *v, const struct plan_options *o)
{
	for (size_t i = 0; i < v->nr; i++) {
		struct plan_vm *vm = &v->vms[i];
		struct plan_facts facts = {0};

		for (size_t w = 0; w < o->nr_wishes; w++)
			if (plan_vms__is(v, vm, o->wishes[w].name))
				plan_facts__fill(&facts, &o->wishes[w].facts);
		plan_facts__fill(&facts, &vm->facts);
		plan_facts__fill(&facts, &o->defaults);
		vm->facts = facts;
	}
}

static int take_away(struct plan_vms *v, const char *name)
{
	struct plan_vm *vm = NULL;

	for (size_t i = 0; i < v->nr; i++) {
		if (!plan_vms__is(v, &v->vms[i], name))
			continue;
		if (vm)
			return cli__failed("--without '%s': there are several of that name; say "
					   "which: %s@HOST",
					   name, name);
		vm = &v->vms[i];
	}
	if (!vm)
		return no_vm(v, name);
	vm->gone = true;
	return CLI_DONE;
}

static int take_memory(struct plan_vms *v, const struct plan_memory *m)
{
	/* Of one host, whatever its name. */
	size_t host = m->host ? plan_vms__find_host(v, m->host) : 0;

	if (!m->host && v->nr_hosts > 1)
		return cli__failed("there are %zu hosts: say whose memory it is, --memory "
				   "%s=SIZE",
				   v->nr_hosts, v->hosts[0].name);
	if (host == v->nr_hosts)
		return cli__failed("there is no host '%s'; give its VMs as '%s=INPUT'", m->host,
				   m->host);
	if (!v->hosts[host].given)
		v->hosts[host].memory = m->pages;
	v->hosts[host].given = true;
	return CLI_DONE;
}

static int take_options(struct plan_vms *v, struct plan_options *o)
{
	int status = check_names(v, o);

	take_wishes(v, o);
	for (size_t i = 0; i < o->without.n && !status; i++)
		status = take_away(v, o->without.v[i]);
	for (size_t i = 0; i < o->nr_memory && !status; i++)
		status = take_memory(v, &o->memory[i]);
	return status ?: plan_groupings__take(v, o);
}

/* --- what if --- */

static bool is_what_if(const struct plan_vms *v)
{
	bool is = false;

	for (size_t i = 0; i < v->nr_hosts; i++)
		is |= v->hosts[i].given;
	for (size_t i = 0; i < v->nr; i++)
		is |= v->vms[i].fresh || v->vms[i].gone;
	return is;
}

/* The same hosts without all that is asked what if. */
static int copy_as_is(const struct plan_vms *v, struct plan_vms *out)
{
	*out = *v;
	out->hosts = calloc(v->nr_hosts + 1, sizeof(*out->hosts));
	out->vms = calloc(v->nr + 1, sizeof(*out->vms));
	if (!out->hosts || !out->vms) {
		free(out->hosts);
		free(out->vms);
		return -ENOMEM;
	}
	memcpy(out->hosts, v->hosts, v->nr_hosts * sizeof(*v->hosts));
	memcpy(out->vms, v->vms, v->nr * sizeof(*v->vms));
	for (size_t i = 0; i < v->nr_hosts; i++)
		out->hosts[i].given = false;
	for (size_t i = 0; i < v->nr; i++)
		out->vms[i].gone = v->vms[i].fresh;
	return 0;
}

/* The cost of the best plan as things are; NAN: there is none, or not enough is known. */
static double cost_as_is(const struct plan_vms *v, const struct plan_case_opts *o)
{
	struct plan_vms as_is;
	struct plan_case c;
	char why[PLAN_WHY];
	double cost = NAN;

	if (!is_what_if(v) || copy_as_is(v, &as_is))
		return NAN;
	if (!plan_case__make(&c, &as_is, o, why, sizeof(why))) {
		if (!c.plan->nr_clashes && !c.refusal[0])
			cost = c.plan->cost;
		plan_case__free(&c);
	}
	free(as_is.hosts);
	free(as_is.vms);
	return cost;
}

/* --- telling --- */

static int tell_clashes(const struct plan_case *c, const struct plan_options *o)
{
	char text[PLAN_CLASH];

	if (o->json)
		plan_show__clashes(stdout, c);
	if (c->refusal[0])
		cli__note("there is no plan: %s", c->refusal);
	for (size_t i = 0; i < c->plan->nr_clashes; i++) {
		plan_case__tell_clash(c, &c->plan->clashes[i], text);
		cli__note("there is no plan: %s", text);
	}
	cli__flush();
	return CLI_FAILED;
}

static int write_csv(const struct plan_rows *r, const char *path)
{
	bool to_stdout = !strcmp(path, "-");
	FILE *out = to_stdout ? stdout : fopen(path, "we");

	if (!out)
		return cli__failed("cannot write '%s': %s", path, strerror(errno));
	plan_show__csv(out, r);
	return to_stdout ? cli__flush() : cli__close(out, path);
}

static void write_picture(FILE *script, void *ctx)
{
	plan_picture__write(script, ctx, false);
}

static void write_png(FILE *script, void *ctx)
{
	plan_picture__write(script, ctx, true);
}

static bool takes_stdout(const char *path)
{
	return path && !strcmp(path, "-");
}

static int tell(struct plan_rows *r, const struct plan_placing *p, const struct plan_options *o)
{
	int status = o->csv ? write_csv(r, o->csv) : CLI_DONE;

	if (o->picture)
		status |= picture__draw(o->picture,
					picture__is_png(o->picture) ? write_png : write_picture, r);
	if (takes_stdout(o->csv) || takes_stdout(o->picture))
		return status;
	if (o->json) {
		plan_show__json(stdout, r);
		plan_place__json(stdout, p, r->c->vms);
	} else {
		plan_show__table(stdout, r);
		plan_place__table(stdout, p, r->c->vms);
	}
	return cli__flush() ?: status;
}

static void note_guesses(const struct plan_rows *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += !r->rows[i].then.known;
	if (n)
		cli__note("%zu VM%s below what %s curve%s: guessed, nobody has seen that (~)", n,
			  n == 1 ? " is" : "s are", n == 1 ? "its" : "their",
			  n == 1 ? " shows" : "s show");
}

/* --- the whole --- */

static int place(struct plan_placing *p, struct plan_vms *v, const struct plan_options *o,
		 const struct plan_case_opts *opts)
{
	double seconds = o->pack_time > 0 ? o->pack_time : PLAN_PACK_SECONDS;

	if (o->failover)
		return plan_place__failover(p, v, o->failover, opts, seconds);
	return o->pack ? plan_place__pack(p, v, opts, seconds) : CLI_DONE;
}

static int plan(struct plan_vms *v, const struct plan_options *o)
{
	const struct plan_case_opts opts = {
		.granule = o->granule,
		.greedy = o->greedy,
		.guess = o->guess,
		.tax = o->has_tax ? o->tax : GROUPS_TAX,
	};
	struct plan_placing placing = {0};
	struct plan_rows rows = {0};
	struct plan_case c;
	char why[PLAN_WHY];
	int status = place(&placing, v, o, &opts);

	if (status)
		return status;
	if (plan_case__make(&c, v, &opts, why, sizeof(why)))
		return cli__failed("%s", why);
	if (c.plan->nr_clashes || c.refusal[0]) {
		status = tell_clashes(&c, o);
	} else if (plan_rows__make(&rows, &c)) {
		status = cli__failed("out of memory");
	} else {
		rows.as_is = placing.placed ? placing.as_is : cost_as_is(v, &opts);
		if (!o->quiet)
			note_guesses(&rows);
		status = tell(&rows, &placing, o);
	}
	plan_rows__free(&rows);
	plan_case__free(&c);
	return status;
}

int cmd_plan(int argc, char **argv)
{
	struct plan_options o = {0};
	struct plan_vms v = {0};
	int status = plan_options__parse(&o, argc, argv);

	if (!status)
		status = read_inputs(&v, &o) ?: add_hosts(&v, &o) ?: take_options(&v, &o) ?: plan(&v, &o);
	else if (status < 0)
		status = cli__flush();
	plan_vms__free(&v);
	plan_options__free(&o);
	return status;
}
