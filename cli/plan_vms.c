// SPDX-License-Identifier: GPL-2.0
#include "plan_vms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/array.h"

void plan_vms__free(struct plan_vms *v)
{
	for (size_t i = 0; i < v->nr; i++) {
		free(v->vms[i].name);
		free(v->vms[i].points);
	}
	for (size_t i = 0; i < v->nr_hosts; i++) {
		free(v->hosts[i].name);
		if (v->hosts[i].groups)
			group_list__free(v->hosts[i].groups);
		free(v->hosts[i].groups);
	}
	free(v->vms);
	free(v->hosts);
	*v = (struct plan_vms){0};
}

size_t plan_vms__find_host(const struct plan_vms *v, const char *name)
{
	size_t host = 0;

	while (host < v->nr_hosts && strcmp(v->hosts[host].name, name))
		host++;
	return host;
}

int plan_vms__host(struct plan_vms *v, const char *name, size_t *host)
{
	struct plan_host *hosts;

	name = name ?: PLAN_HOST;
	*host = plan_vms__find_host(v, name);
	if (*host < v->nr_hosts)
		return 0;
	hosts = array__with_room(v->hosts, v->nr_hosts, sizeof(*hosts));
	if (!hosts)
		return -ENOMEM;
	v->hosts = hosts;
	hosts[v->nr_hosts] = (struct plan_host){.name = strdup(name)};
	if (!hosts[v->nr_hosts].name)
		return -ENOMEM;
	v->nr_hosts++;
	return 0;
}

int plan_vms__add(struct plan_vms *v, const struct plan_vm *vm)
{
	struct plan_vm *vms, *new;

	for (size_t i = 0; i < v->nr; i++)
		if (v->vms[i].host == vm->host && !strcmp(v->vms[i].name, vm->name))
			return -EEXIST;
	vms = array__with_room(v->vms, v->nr, sizeof(*vms));
	if (!vms)
		return -ENOMEM;
	v->vms = vms;
	new = &vms[v->nr];
	*new = *vm;
	new->name = strdup(vm->name);
	new->points = reallocarray(NULL, vm->n, sizeof(*vm->points));
	if (!new->name || !new->points) {
		free(new->name);
		free(new->points);
		return -ENOMEM;
	}
	memcpy(new->points, vm->points, vm->n * sizeof(*vm->points));
	v->nr++;
	return 0;
}

bool plan_vms__is(const struct plan_vms *v, const struct plan_vm *vm, const char *name)
{
	const char *at = strrchr(name, '@');

	if (!strcmp(vm->name, name))
		return true;
	return at && !strcmp(v->hosts[vm->host].name, at + 1) &&
	       strlen(vm->name) == (size_t)(at - name) && !strncmp(vm->name, name, at - name);
}

/* --- what a source has --- */

/* What is in a source. */
struct content {
	const struct plan_source *source;
	const struct plan_curve *curves;
	size_t n;
	bool named; /* one of them has the name that the source's VM is to have */
};

static bool is_asked_for(const struct plan_source *s, const char *vm)
{
	for (size_t i = 0; i < s->nr_only; i++)
		if (!strcmp(s->only[i], vm))
			return true;
	return !s->only;
}

static bool has(const struct content *in, const char *vm, enum page_space space)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->curves[i].space == space && !strcmp(in->curves[i].vm, vm))
			return true;
	return false;
}

static bool is_right_space(const struct content *in, const struct plan_curve *c)
{
	if (!in->source->any_space)
		return c->space == in->source->space;
	return c->space == SPACE_DISK || !has(in, c->vm, SPACE_DISK);
}

static bool is_wanted(const struct content *in, const struct plan_curve *c)
{
	return c->n && is_asked_for(in->source, c->vm) && is_right_space(in, c) &&
	       (!in->named || !strcmp(in->source->name, c->vm));
}

static int take_curve(const struct plan_source *s, struct plan_vms *v, const struct plan_curve *c,
		      char *why, size_t size)
{
	struct plan_vm vm = {
		.name = (char *)(s->name ?: c->vm),
		.space = c->space,
		.added = c->added,
		.fresh = s->fresh,
		.points = (struct curve_point *)c->points,
		.n = c->n,
	};
	int err = plan_vms__host(v, s->host, &vm.host);

	if (s->facts)
		vm.facts = *s->facts;
	plan_facts__fill(&vm.facts, &c->facts);
	if (!err)
		err = plan_vms__add(v, &vm);
	if (err == -EEXIST)
		snprintf(why, size,
			 "there are two VMs '%s' on '%s': give one of them another name, or name "
			 "their hosts (HOST=PATH)",
			 vm.name, v->hosts[vm.host].name);
	else if (err)
		snprintf(why, size, "out of memory");
	return err;
}

static int check_wanted(const struct content *in, char *why, size_t size)
{
	const struct plan_source *s = in->source;
	size_t wanted = 0;

	for (size_t i = 0; i < in->n; i++)
		wanted += is_wanted(in, &in->curves[i]);
	if (!wanted)
		snprintf(why, size, "there is no curve%s%s in it%s",
			 s->any_space		  ? ""
			 : s->space == SPACE_DISK ? " of the space disk"
						  : " of the space mem",
			 s->only ? " of the VMs asked for" : "", in->n ? "" : ": nothing was seen");
	else if (wanted > 1 && s->name)
		snprintf(why, size,
			 "there are curves of %zu VMs in it, and one name for them: give that of "
			 "one of them, or none",
			 wanted);
	else
		return 0;
	return -EINVAL;
}

int plan_source__take(const struct plan_source *s, struct plan_vms *v,
		      const struct plan_curve *curves, size_t n, char *why, size_t size)
{
	struct content in = {.source = s, .curves = curves, .n = n};
	int err;

	in.named = s->name && (has(&in, s->name, SPACE_DISK) || has(&in, s->name, SPACE_MEM));
	err = check_wanted(&in, why, size);
	for (size_t i = 0; i < n && !err; i++)
		if (is_wanted(&in, &curves[i]))
			err = take_curve(s, v, &curves[i], why, size);
	return err;
}
