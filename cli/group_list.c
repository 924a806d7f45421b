// SPDX-License-Identifier: GPL-2.0
#include "group_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/array.h"
#include "../analysis/size.h"
#include "../analysis/utf8.h"
#include "cli.h"
#include "disk_spec.h"

/* A name by itself. */
#define NAME_MAX_LEN 255

/* --- the list --- */

int group_list__find_vm(const struct group_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->entry[i].spec.vm && !strcmp(l->entry[i].name, name))
			return i;
	return -1;
}

static bool is_there(const struct group_list *l, const char *name, bool vm)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->entry[i].spec.vm == vm && !strcmp(l->entry[i].name, name))
			return true;
	return false;
}

/* Groups by the names of those around them. NULL: no memory. */
static char *full_name(const struct group_list *l, int parent, const char *name, bool vm)
{
	char *full;
	size_t len;

	if (vm || parent < 0)
		return strdup(name);
	len = strlen(l->entry[parent].name) + strlen(name) + 2;
	full = malloc(len);
	if (full)
		snprintf(full, len, "%s/%s", l->entry[parent].name, name);
	return full;
}

int group_list__add(struct group_list *l, int parent, const char *name,
		    const struct group_spec *spec)
{
	struct group_entry *entry;
	char *full;

	if (l->n == GROUP_LIST_MAX)
		return -E2BIG;
	entry = array__with_room(l->entry, l->n, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	l->entry = entry;
	full = full_name(l, parent, name, spec->vm);
	if (!full)
		return -ENOMEM;
	if (is_there(l, full, spec->vm)) {
		free(full);
		return -EEXIST;
	}
	entry[l->n] = (struct group_entry){.name = full, .parent = parent, .spec = *spec};
	return l->n++;
}

void group_list__free(struct group_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->entry[i].name);
	free(l->entry);
	*l = (struct group_list){0};
}

/* --- values --- */

static int take_size(struct yaml_at at, const char *what, __u64 *out, char *why, size_t size)
{
	const char *text;
	int err = yaml__text(at, what, &text, why, size);

	if (!err && size__parse(text, out))
		err = yaml__wrong(at, why, size, "%s '%s' is not a size such as 64MiB or 4GiB",
				  what, text);
	return err;
}

static int take_shares(struct yaml_at at, __u64 *out, char *why, size_t size)
{
	const char *text;
	int err = yaml__text(at, "shares", &text, why, size);

	if (!err && !cli__parse_count(text, 1, GROUPS_MAX_SHARES, out))
		err = yaml__wrong(at, why, size, "shares '%s' are not a number from 1 to %llu",
				  text, GROUPS_MAX_SHARES);
	return err;
}

static int take_bool(struct yaml_at at, const char *what, bool *out, char *why, size_t size)
{
	const char *text;
	int err = yaml__text(at, what, &text, why, size);

	if (!err && !disk_spec__parse_bool(text, out))
		err = yaml__wrong(at, why, size, "%s '%s' is neither 'yes' nor 'no'", what, text);
	return err;
}

/* What groups and VMs both have. 1: it was another name. */
static int take_bound(struct group_spec *s, const char *name, struct yaml_at at, char *why,
		      size_t size)
{
	if (!strcmp(name, "reservation"))
		return take_size(at, name, &s->reservation, why, size);
	if (!strcmp(name, "limit"))
		return take_size(at, name, &s->limit, why, size);
	if (!strcmp(name, "shares"))
		return take_shares(at, &s->shares, why, size);
	return 1;
}

static int take_name(struct yaml_at at, bool vm, const char **out, char *why, size_t size)
{
	int err = yaml__text(at, "name", out, why, size);

	if (err)
		return err;
	if (!(*out)[0] || strlen(*out) > NAME_MAX_LEN)
		return yaml__wrong(at, why, size, "name '%.32s' is %s", *out,
				   (*out)[0] ? "too long" : "empty: give one");
	if (!utf8__is_line(*out))
		return yaml__wrong(at, why, size, "a name has control characters or is not UTF-8");
	if (!vm && strchr(*out, '/'))
		return yaml__wrong(at, why, size,
				   "group '%s' has a '/' in its name, which stands between groups",
				   *out);
	return 0;
}

/* Adds what was read. Its index, or told in why. */
static int add(struct group_list *l, struct yaml_at at, int parent, const char *name,
	       const struct group_spec *s, char *why, size_t size)
{
	const char *kind = s->vm ? "VM" : "group";
	int err;

	if (!name)
		return yaml__wrong(at, why, size, "a %s without a name", kind);
	if (s->reservation > s->limit)
		return yaml__wrong(at, why, size, "%s '%s': its reservation is above its limit",
				   kind, name);
	err = group_list__add(l, parent, name, s);
	if (err == -EEXIST)
		return yaml__wrong(at, why, size,
				   s->vm ? "%s '%s' is in a group already"
					 : "%s '%s' is there twice",
				   kind, name);
	if (err == -E2BIG)
		return yaml__wrong(at, why, size, "more than %d groups and VMs", GROUP_LIST_MAX);
	if (err == -ENOMEM)
		yaml__wrong(at, why, size, "out of memory");
	return err;
}

/* --- VMs of a group --- */

struct reading_vm {
	const char *name;
	struct group_spec spec;
	bool has_active;
};

static int take_vm_pair(void *ctx, const char *name, struct yaml_at at, char *why, size_t size)
{
	struct reading_vm *r = ctx;
	int err = take_bound(&r->spec, name, at, why, size);

	if (err <= 0)
		return err;
	if (!strcmp(name, "name"))
		return take_name(at, true, &r->name, why, size);
	if (strcmp(name, "active"))
		return yaml__wrong(at, why, size,
				   "a group's VM has no '%s'; it has name, reservation, limit, "
				   "shares, active",
				   name);
	r->has_active = true;
	return take_size(at, name, &r->spec.active, why, size);
}

struct reading {
	struct group_list *list;
	int parent;
	unsigned int depth;
};

/* A name, or a map. */
static int take_vm(void *ctx, struct yaml_at at, char *why, size_t size)
{
	const struct reading *in = ctx;
	struct reading_vm r = {.spec = {.vm = true, .limit = GROUPS_NO_LIMIT}};
	int err = yaml__is_map(at) ? yaml__each_pair(at, take_vm_pair, &r, why, size)
				   : take_name(at, true, &r.name, why, size);

	if (err)
		return err;
	err = add(in->list, at, in->parent, r.name, &r.spec, why, size);
	if (err >= 0)
		in->list->entry[err].has_active = r.has_active;
	return err < 0 ? err : 0;
}

/* --- groups --- */

struct reading_group {
	const char *name;
	struct group_spec spec;
	struct yaml_at vms, groups;
	bool has_vms, has_groups;
};

static int take_group_pair(void *ctx, const char *name, struct yaml_at at, char *why, size_t size)
{
	struct reading_group *r = ctx;
	int err = take_bound(&r->spec, name, at, why, size);

	if (err <= 0)
		return err;
	if (!strcmp(name, "name"))
		return take_name(at, false, &r->name, why, size);
	if (!strcmp(name, "expandable"))
		return take_bool(at, name, &r->spec.expandable, why, size);
	if (!strcmp(name, "vms")) {
		r->vms = at;
		r->has_vms = true;
		return 0;
	}
	if (!strcmp(name, "groups")) {
		r->groups = at;
		r->has_groups = true;
		return 0;
	}
	return yaml__wrong(at, why, size,
			   "a group has no '%s'; it has name, reservation, limit, shares, "
			   "expandable, vms, groups",
			   name);
}

static int take_group(void *ctx, struct yaml_at at, char *why, size_t size);

/* What is in it comes after it, wherever its name was. */
static int take_members(const struct reading_group *r, struct reading *in, char *why, size_t size)
{
	int err = 0;

	if (r->has_vms)
		err = yaml__each_element(r->vms, take_vm, in, why, size);
	if (!err && r->has_groups)
		err = yaml__each_element(r->groups, take_group, in, why, size);
	return err;
}

static int take_group(void *ctx, struct yaml_at at, char *why, size_t size)
{
	struct reading *in = ctx;
	struct reading_group r = {.spec = {.limit = GROUPS_NO_LIMIT, .expandable = true}};
	struct reading inside = {.list = in->list, .depth = in->depth + 1};
	int err;

	/* A list may even be in itself, by an alias. */
	if (inside.depth > GROUP_LIST_DEPTH)
		return yaml__wrong(at, why, size, "groups in groups, more than %d of them",
				   GROUP_LIST_DEPTH);
	err = yaml__each_pair(at, take_group_pair, &r, why, size);
	if (err)
		return err;
	inside.parent = add(in->list, at, in->parent, r.name, &r.spec, why, size);
	return inside.parent < 0 ? inside.parent : take_members(&r, &inside, why, size);
}

int group_list__parse(struct group_list *l, struct yaml_at at, char *why, size_t size)
{
	struct reading in = {.list = l, .parent = -1};

	return yaml__each_element(at, take_group, &in, why, size);
}
