// SPDX-License-Identifier: GPL-2.0
/* The configuration file of balance: settings by their options' names, and a list of VMs. */
#include <string.h>

#include "balance_options.h"
#include "yaml.h"

static int set_of_vm(void *vm, const char *name, const char *text, char *why, size_t size)
{
	return balance_spec__set(vm, name, text, why, size);
}

static int take_vm_pair(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	return yaml__set(value, name, set_of_vm, ctx, why, size);
}

static int take_vm(void *ctx, struct yaml_at value, char *why, size_t size)
{
	struct balance_spec v = {0};
	char reason[YAML_WHY] = "";
	int err = yaml__each_pair(value, take_vm_pair, &v, why, size);

	if (!err) {
		err = balance_options__take(ctx, &v, reason, sizeof(reason));
		if (err)
			err = yaml__refused(value, err, reason, why, size);
	}
	balance_spec__free(&v);
	return err;
}

static int set(void *ctx, const char *name, const char *text, char *why, size_t size)
{
	return balance_options__set(ctx, name, text, why, size);
}

static int take_setting(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	if (!strcmp(name, "vms"))
		return yaml__each_element(value, take_vm, ctx, why, size);
	return yaml__set(value, name, set, ctx, why, size);
}

int balance_config__parse(struct balance_options *o, const char *name, const char *text, size_t len,
			  char *why, size_t size)
{
	return yaml__take_text(name, text, len, take_setting, o, why, size);
}

int balance_config__read(struct balance_options *o, const char *file, char *why, size_t size)
{
	return yaml__take_file(file, take_setting, o, why, size);
}
