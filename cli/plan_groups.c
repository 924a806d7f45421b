// SPDX-License-Identifier: GPL-2.0
#include "plan_groups.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/export.h"
#include "../cache/minmax.h"
#include "columns.h"

static bool has_groups(const struct plan_vms *v, size_t host)
{
	return v->hosts[host].groups && v->hosts[host].groups->n;
}

size_t plan_groups__count(const struct plan_vms *v)
{
	size_t n = 0;

	for (size_t h = 0; h < v->nr_hosts; h++)
		for (size_t i = 0; has_groups(v, h) && i < v->hosts[h].groups->n; i++)
			n += !v->hosts[h].groups->entry[i].spec.vm;
	return n;
}

/* --- into groups --- */

/* Whoever is named has to be there, if only to be taken away. */
static int check_names(const struct plan_vms *v, size_t host, char *why, size_t size)
{
	const struct group_list *l = v->hosts[host].groups;

	for (size_t i = 0; i < l->n; i++) {
		bool found = !l->entry[i].spec.vm;

		for (size_t k = 0; k < v->nr && !found; k++)
			found = v->vms[k].host == host && !strcmp(v->vms[k].name, l->entry[i].name);
		if (found)
			continue;
		snprintf(why, size,
			 "VM '%s' is in group '%s', and there is no curve of it on '%s'; leave it "
			 "out, or add its curve",
			 l->entry[i].name, l->entry[l->entry[i].parent].name, v->hosts[host].name);
		return -EINVAL;
	}
	return 0;
}

/* What is above its curve's end is of no use to it. */
static struct group_vm vm_of(const struct plan_seat *s)
{
	return (struct group_vm){
		.name = s->vm->name,
		.least = s->least,
		.most = smaller(s->most, GROUPS_NO_LIMIT),
		.active = smaller(appetite__flat_from(s->appetite), GROUPS_NO_LIMIT),
		.size = s->vm->fresh ? s->assurance.baseline : s->now,
	};
}

static int list_vms(struct plan_case *c, size_t host)
{
	struct plan_groups *g = &c->groups[host];

	g->vms = calloc(c->nr + 1, sizeof(*g->vms));
	if (!g->vms)
		return -ENOMEM;
	for (size_t i = 0; i < c->nr; i++) {
		if (c->seats[i].vm->host != host)
			continue;
		c->seats[i].group_vm = g->nr_vms;
		g->vms[g->nr_vms++] = vm_of(&c->seats[i]);
	}
	return 0;
}

static void narrow(struct plan_seat *s, const struct group_spec *spec)
{
	if (spec->reservation > s->least) {
		s->least = spec->reservation;
		s->why = LEAST_GROUP;
	}
	if (spec->limit < s->most && spec->limit < GROUPS_NO_LIMIT)
		s->most = spec->limit;
}

static void narrow_seats(struct plan_case *c, size_t host)
{
	const struct group_plan *p = &c->groups[host].plan;

	for (size_t i = 0; i < c->nr; i++)
		if (c->seats[i].vm->host == host)
			narrow(&c->seats[i],
			       groups__spec(p->groups, group_plan__vm(p, c->seats[i].group_vm)));
}

static void add_nodes(struct plan_case *c, size_t host)
{
	struct plan_groups *g = &c->groups[host];

	g->first = c->nr_nodes;
	group_plan__nodes(&g->plan, g->first, plan_case__host_node(c, host), &c->nodes[g->first]);
	for (size_t i = 1; i <= g->plan.nr_groups; i++)
		c->names[c->nr_nodes++] = group_plan__name(&g->plan, i);
}

/* Nobody is entitled to anything where not all are let in: the plan has a clash then. */
static int entitle(struct plan_groups *g, unsigned int tax)
{
	int err;

	g->entitled = calloc(groups__count(g->plan.groups), sizeof(*g->entitled));
	if (!g->entitled)
		return -ENOMEM;
	err = groups__entitle(g->plan.groups, tax, g->entitled);
	if (err != -ENOSPC)
		return err;
	free(g->entitled);
	g->entitled = NULL;
	return 0;
}

static int make_one(struct plan_case *c, size_t host, unsigned int tax, char *why, size_t size)
{
	struct plan_groups *g = &c->groups[host];
	int err = check_names(c->vms, host, why, size) ?: list_vms(c, host);

	if (!err)
		err = group_plan__new(&g->plan, c->vms->hosts[host].groups, g->vms, g->nr_vms,
				      plan_vms__memory(c->vms, host), why, size);
	if (err)
		return err;
	narrow_seats(c, host);
	add_nodes(c, host);
	if (!c->refusal[0])
		group_plan__admit(&g->plan, c->refusal, sizeof(c->refusal));
	return entitle(g, tax);
}

int plan_groups__make(struct plan_case *c, unsigned int tax, char *why, size_t size)
{
	int err = 0;

	c->groups = calloc(c->vms->nr_hosts + 1, sizeof(*c->groups));
	if (!c->groups)
		return -ENOMEM;
	for (size_t h = 0; h < c->vms->nr_hosts && !err; h++)
		if (has_groups(c->vms, h))
			err = make_one(c, h, tax, why, size);
	return err;
}

void plan_groups__free(struct plan_groups *groups, size_t nr_hosts)
{
	for (size_t h = 0; groups && h < nr_hosts; h++) {
		group_plan__free(&groups[h].plan);
		free(groups[h].vms);
		free(groups[h].entitled);
	}
	free(groups);
}

/* --- of a seat, of a node --- */

static int group_of(const struct plan_case *c, const struct plan_seat *s)
{
	const struct group_plan *p = &c->groups[s->vm->host].plan;

	return p->groups ? groups__parent(p->groups, group_plan__vm(p, s->group_vm)) : 0;
}

size_t plan_groups__parent(const struct plan_case *c, const struct plan_seat *s)
{
	int group = group_of(c, s);

	return group ? c->groups[s->vm->host].first + group - 1
		     : plan_case__host_node(c, s->vm->host);
}

const char *plan_groups__name_of(const struct plan_case *c, const struct plan_seat *s)
{
	int group = group_of(c, s);

	return group ? group_plan__name(&c->groups[s->vm->host].plan, group) : NULL;
}

double plan_groups__entitled(const struct plan_case *c, const struct plan_seat *s)
{
	const struct plan_groups *g = &c->groups[s->vm->host];

	return g->entitled ? (double)g->entitled[group_plan__vm(&g->plan, s->group_vm)] : NAN;
}

const struct group_spec *plan_groups__spec(const struct plan_case *c, size_t node)
{
	for (size_t h = 0; h < c->vms->nr_hosts; h++) {
		const struct plan_groups *g = &c->groups[h];

		if (g->plan.groups && node >= g->first && node < g->first + g->plan.nr_groups)
			return groups__spec(g->plan.groups, node - g->first + 1);
	}
	return NULL;
}

/* --- the table --- */

/* A node of a host's groups: a group or a VM. */
struct line {
	const struct plan_case *c;
	const struct plan_groups *g;
	int node;
};

static const struct group_spec *spec_of(const struct line *l)
{
	return groups__spec(l->g->plan.groups, l->node);
}

/* What the VMs in it are given together. */
static double planned_of(const struct line *l)
{
	double sum = 0;

	for (size_t i = 0; i < l->c->nr; i++) {
		const struct plan_seat *s = &l->c->seats[i];
		int up = &l->c->groups[s->vm->host] == l->g
				 ? group_plan__vm(&l->g->plan, s->group_vm)
				 : -1;

		while (up > l->node)
			up = groups__parent(l->g->plan.groups, up);
		if (up == l->node)
			sum += l->c->plan->sizes[s->node].size;
	}
	return sum;
}

static double reserved_of(const void *of)
{
	const struct line *l = of;

	return spec_of(l)->reservation;
}

static double claim_of(const void *of)
{
	const struct line *l = of;

	return groups__claim(l->g->plan.groups, l->node);
}

static double limit_of(const void *of)
{
	const struct line *l = of;

	return spec_of(l)->limit < GROUPS_NO_LIMIT ? (double)spec_of(l)->limit : NAN;
}

static double shares_of(const void *of)
{
	const struct line *l = of;

	return groups__shares(l->g->plan.groups, l->node);
}

static double entitled_of(const void *of)
{
	const struct line *l = of;

	return l->g->entitled ? (double)l->g->entitled[l->node] : NAN;
}

static double plan_of(const void *of)
{
	return planned_of(of);
}

static void format_shares(char buf[COLUMN_TEXT], double v)
{
	snprintf(buf, COLUMN_TEXT, "%.0f", v);
}

static const struct column columns[] = {
	{"GROUP", "group", 24, NULL, NULL, NULL},
	{"RESERV", NULL, 6, reserved_of, columns__format_pages, NULL},
	{"TAKES", NULL, 6, claim_of, columns__format_pages, NULL},
	{"LIMIT", NULL, 6, limit_of, columns__format_pages, NULL},
	{"SHARES", NULL, 10, shares_of, format_shares, NULL},
	{"ENTITL", NULL, 6, entitled_of, columns__format_pages, NULL},
	{"PLAN", NULL, 6, plan_of, columns__format_pages, NULL},
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* A group's own name stands under those of the groups around it. */
static void put_line(FILE *out, const struct line *l, int depth)
{
	const char *name = group_plan__name(&l->g->plan, l->node), *own = name;
	char text[64];

	if (!spec_of(l)->vm && strrchr(name, '/'))
		own = strrchr(name, '/') + 1;
	snprintf(text, sizeof(text), "%*s%s%s", 2 * depth, "", own, spec_of(l)->vm ? "" : "/");
	columns__row(out, columns, NR_COLUMNS, text, l);
}

static void put_members(FILE *out, const struct plan_case *c, const struct plan_groups *g, int node,
			int depth)
{
	for (size_t i = node + 1; i < groups__count(g->plan.groups); i++) {
		const struct line l = {c, g, i};

		if (groups__parent(g->plan.groups, i) != node)
			continue;
		put_line(out, &l, depth);
		put_members(out, c, g, i, depth + 1);
	}
}

void plan_groups__table(FILE *out, const struct plan_case *c)
{
	for (size_t h = 0; h < c->vms->nr_hosts; h++) {
		if (!c->groups[h].plan.groups)
			continue;
		columns__head(out, columns, NR_COLUMNS);
		if (c->vms->nr_hosts > 1)
			fprintf(out, "-- %s\n", c->vms->hosts[h].name);
		put_members(out, c, &c->groups[h], 0, 0);
		fputc('\n', out);
	}
}

/* --- JSON --- */

static void put_bytes(FILE *out, const char *key, double pages)
{
	if (isfinite(pages))
		fprintf(out, ",\"%s\":%.0f", key, pages * PAGE_BYTES);
	else
		fprintf(out, ",\"%s\":null", key);
}

static void json_group(FILE *out, const struct line *l, const char *host)
{
	fputs("{\"type\":\"plan_group\",\"group\":", out);
	export__json_string(out, group_plan__name(&l->g->plan, l->node));
	fputs(",\"host\":", out);
	export__json_string(out, host);
	put_bytes(out, "reservation_bytes", reserved_of(l));
	put_bytes(out, "takes_bytes", claim_of(l));
	put_bytes(out, "reserved_in_it_bytes", groups__reserved(l->g->plan.groups, l->node));
	put_bytes(out, "limit_bytes", limit_of(l));
	put_bytes(out, "entitled_bytes", entitled_of(l));
	put_bytes(out, "plan_bytes", planned_of(l));
	fprintf(out, ",\"shares\":%.0f,\"expandable\":%s}\n", shares_of(l),
		spec_of(l)->expandable ? "true" : "false");
}

void plan_groups__json(FILE *out, const struct plan_case *c)
{
	for (size_t h = 0; h < c->vms->nr_hosts; h++)
		for (size_t i = 1; i <= c->groups[h].plan.nr_groups; i++) {
			const struct line l = {c, &c->groups[h], i};

			json_group(out, &l, c->vms->hosts[h].name);
		}
}
