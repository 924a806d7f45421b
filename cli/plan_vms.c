// SPDX-License-Identifier: GPL-2.0
#include "plan_vms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int plan_vms__host(struct plan_vms *v, const char *name, size_t *host)
{
	struct plan_host *hosts;

	name = name ?: PLAN_HOST;
	for (*host = 0; *host < v->nr_hosts; ++*host)
		if (!strcmp(v->hosts[*host].name, name))
			return 0;
	hosts = reallocarray(v->hosts, v->nr_hosts + 1, sizeof(*hosts));
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
	vms = reallocarray(v->vms, v->nr + 1, sizeof(*vms));
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

/* One name for what is in it: the VM of that name, if there is one. */
static bool has_name(const struct plan_source *s, const struct plan_curve *curves, size_t n)
{
	for (size_t i = 0; s->name && i < n; i++)
		if (!strcmp(curves[i].vm, s->name))
			return true;
	return false;
}

static bool is_wanted(const struct plan_source *s, const char *vm)
{
	for (size_t i = 0; i < s->nr_only; i++)
		if (!strcmp(s->only[i], vm))
			return true;
	return !s->only;
}

static bool has_disk(const struct plan_curve *curves, size_t n, const char *vm)
{
	for (size_t i = 0; i < n; i++)
		if (curves[i].space == SPACE_DISK && !strcmp(curves[i].vm, vm))
			return true;
	return false;
}

static bool is_right_space(const struct plan_source *s, const struct plan_curve *curves, size_t n,
			   const struct plan_curve *c)
{
	if (!s->any_space)
		return c->space == s->space;
	return c->space == SPACE_DISK || !has_disk(curves, n, c->vm);
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

int plan_source__take(const struct plan_source *s, struct plan_vms *v,
		      const struct plan_curve *curves, size_t n, char *why, size_t size)
{
	bool named = has_name(s, curves, n);
	size_t taken = 0;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		const struct plan_curve *c = &curves[i];

		if (!c->n || !is_wanted(s, c->vm) || !is_right_space(s, curves, n, c) ||
		    (named && strcmp(s->name, c->vm)))
			continue;
		err = take_curve(s, v, c, why, size);
		taken++;
	}
	if (!err && !taken) {
		snprintf(why, size, "there is no curve%s%s%s in it%s",
			 s->any_space ? "" : " of the space ",
			 s->any_space		  ? ""
			 : s->space == SPACE_DISK ? "disk"
						  : "mem",
			 s->only ? " of the VMs asked for" : "", n ? "" : ": nothing was seen");
		err = -EINVAL;
	}
	if (!err && taken > 1 && s->name) {
		snprintf(why, size, "there are curves of %zu VMs in it, and one name for them",
			 taken);
		err = -EINVAL;
	}
	return err;
}
