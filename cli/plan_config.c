// SPDX-License-Identifier: GPL-2.0
/* The file of a plan: hosts, VMs, and what is known of them and wished for them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk_spec.h"
#include "plan_options.h"
#include "yaml.h"

struct config {
	struct plan_options *o;
	bool has_granule; /* options said one */
};

static int copy_text(char **out, struct yaml_at at, const char *what, char *why, size_t size)
{
	const char *text;
	int err = yaml__text(at, what, &text, why, size);

	if (err)
		return err;
	if (!text[0])
		return yaml__wrong(at, why, size, "%s is empty", what);
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int set_fact(void *facts, const char *name, const char *text, char *why, size_t size)
{
	return plan_facts__set(facts, name, text, why, size);
}

static int take_fact(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	return yaml__set(value, name, set_fact, ctx, why, size);
}

/* --- vms: --- */

static int take_vm_value(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	struct plan_input *in = ctx;

	if (!strcmp(name, "name"))
		return copy_text(&in->name, value, name, why, size);
	if (!strcmp(name, "host"))
		return copy_text(&in->host, value, name, why, size);
	if (!strcmp(name, "curve"))
		return copy_text(&in->path, value, name, why, size);
	return take_fact(&in->facts, name, value, why, size);
}

/* Of a VM that another input has. */
static int add_wish(struct plan_options *o, const struct plan_input *in, char *why, size_t size)
{
	size_t room = strlen(in->name) + (in->host ? strlen(in->host) : 0) + 2;
	char *name = malloc(room);
	int err;

	if (!name) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	snprintf(name, room, "%s%s%s", in->name, in->host ? "@" : "", in->host ?: "");
	err = plan_options__add_wish(o, name, &in->facts, why, size);
	free(name);
	return err;
}

static int take_vm(void *ctx, struct yaml_at value, char *why, size_t size)
{
	struct config *c = ctx;
	struct plan_input in = {0};
	char reason[PLAN_WHY] = "";
	int err = yaml__each_pair(value, take_vm_value, &in, why, size);

	if (!err && !in.name)
		err = yaml__wrong(value, why, size, "a VM has no name");
	if (!err) {
		err = in.path ? plan_options__take_input(c->o, &in, reason, sizeof(reason))
			      : add_wish(c->o, &in, reason, sizeof(reason));
		if (err)
			err = yaml__refused(value, err, reason, why, size);
	}
	plan_input__free(&in);
	return err;
}

/* --- hosts: --- */

struct host {
	struct plan_options *o;
	char *name, *memory, *control;
	struct yaml_at inputs, groups;
	bool has_inputs, has_groups;
};

static int take_host_value(void *ctx, const char *name, struct yaml_at value, char *why,
			   size_t size)
{
	struct host *h = ctx;

	if (!strcmp(name, "name"))
		return copy_text(&h->name, value, name, why, size);
	if (!strcmp(name, "memory"))
		return copy_text(&h->memory, value, name, why, size);
	if (!strcmp(name, "control"))
		return copy_text(&h->control, value, name, why, size);
	if (!strcmp(name, "groups")) {
		h->groups = value;
		h->has_groups = true;
		return 0;
	}
	if (strcmp(name, "inputs"))
		return yaml__wrong(value, why, size,
				   "a host has no '%s'; it has name, memory, inputs, control and "
				   "groups",
				   name);
	h->inputs = value;
	h->has_inputs = true;
	return 0;
}

static int add_input(struct host *h, const char *path, bool socket, struct yaml_at at, char *why,
		     size_t size)
{
	struct plan_input in = {.socket = socket, .path = strdup(path), .host = strdup(h->name)};
	char reason[PLAN_WHY] = "out of memory";
	int err = in.path && in.host ? plan_options__take_input(h->o, &in, reason, sizeof(reason))
				     : -ENOMEM;

	plan_input__free(&in);
	return err ? yaml__refused(at, err, reason, why, size) : 0;
}

static int take_input(void *ctx, struct yaml_at value, char *why, size_t size)
{
	const char *path;
	int err = yaml__text(value, "an input", &path, why, size);

	return err ?: add_input(ctx, path, false, value, why, size);
}

/* Of a host; NULL: of the only one. */
static int take_groups(struct plan_options *o, const char *host, struct yaml_at at, char *why,
		       size_t size)
{
	struct group_list list = {0};
	char reason[PLAN_WHY] = "";
	int err = group_list__parse(&list, at, why, size);

	if (!err) {
		err = plan_options__add_groups(o, host, &list, reason, sizeof(reason));
		if (err)
			err = yaml__refused(at, err, reason, why, size);
	}
	group_list__free(&list);
	return err;
}

static int add_host(struct host *h, struct yaml_at at, char *why, size_t size)
{
	char reason[PLAN_WHY] = "";
	int err = 0;

	if (!h->name)
		return yaml__wrong(at, why, size, "a host has no name");
	if (h->memory) {
		err = plan_options__put_memory(h->o, h->name, h->memory, reason, sizeof(reason));
		if (err)
			return yaml__refused(at, err, reason, why, size);
	}
	if (h->has_inputs)
		err = yaml__each_element(h->inputs, take_input, h, why, size);
	if (!err && h->control)
		err = add_input(h, h->control, true, at, why, size);
	if (!err && h->has_groups)
		err = take_groups(h->o, h->name, h->groups, why, size);
	return err;
}

static int take_host(void *ctx, struct yaml_at value, char *why, size_t size)
{
	struct config *c = ctx;
	struct host h = {.o = c->o};
	int err = yaml__each_pair(value, take_host_value, &h, why, size)
			  ?: add_host(&h, value, why, size);

	free(h.name);
	free(h.memory);
	free(h.control);
	return err;
}

/* --- the file --- */

static int take_flag(bool *out, const char *text, char *why, size_t size)
{
	bool is;

	if (!disk_spec__parse_bool(text, &is)) {
		snprintf(why, size, "'%s' is neither 'true' nor 'false'", text);
		return -EINVAL;
	}
	*out |= is;
	return 0;
}

static int set(void *ctx, const char *name, const char *text, char *why, size_t size)
{
	struct config *c = ctx;

	if (!strcmp(name, "memory"))
		return plan_options__put_memory(c->o, NULL, text, why, size);
	if (!strcmp(name, "granule"))
		return c->has_granule ? 0 : plan_options__set_granule(c->o, text, why, size);
	if (!strcmp(name, "tax"))
		return plan_options__set_tax(c->o, text, why, size);
	if (!strcmp(name, "guess"))
		return take_flag(&c->o->guess, text, why, size);
	if (!strcmp(name, "greedy"))
		return take_flag(&c->o->greedy, text, why, size);
	snprintf(why, size,
		 "a plan has no '%s'; it has memory, granule, guess, greedy, tax, default, hosts, "
		 "vms and groups",
		 name);
	return -EINVAL;
}

static int take_defaults(struct config *c, struct yaml_at value, char *why, size_t size)
{
	struct plan_facts facts = {0};
	int err = yaml__each_pair(value, take_fact, &facts, why, size);

	if (!err)
		plan_facts__fill(&c->o->defaults, &facts);
	return err;
}

static int take_setting(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	struct config *c = ctx;

	if (!strcmp(name, "vms"))
		return yaml__each_element(value, take_vm, c, why, size);
	if (!strcmp(name, "hosts"))
		return yaml__each_element(value, take_host, c, why, size);
	if (!strcmp(name, "groups"))
		return take_groups(c->o, NULL, value, why, size);
	if (!strcmp(name, "default"))
		return take_defaults(c, value, why, size);
	return yaml__set(value, name, set, c, why, size);
}

/* Options win. */
static struct config config_of(struct plan_options *o)
{
	return (struct config){.o = o, .has_granule = o->granule};
}

int plan_config__parse(struct plan_options *o, const char *file, const char *text, size_t len,
		       char *why, size_t size)
{
	struct config c = config_of(o);

	return yaml__take_text(file, text, len, take_setting, &c, why, size);
}

int plan_config__read(struct plan_options *o, const char *file, char *why, size_t size)
{
	struct config c = config_of(o);

	return yaml__take_file(file, take_setting, &c, why, size);
}
