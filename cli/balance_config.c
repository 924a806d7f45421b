// SPDX-License-Identifier: GPL-2.0
/* The configuration file of balance: settings by their options' names, and a list of VMs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance_options.h"
#include "text_file.h"
#include "yaml.h"

#define FILE_MAX (1UL << 20)

/* What was refused, at its line; out of memory stays what it is. */
static int refused(int err, struct yaml_at at, const char *reason, char *why, size_t size)
{
	yaml__wrong(at, why, size, "%s", reason);
	return err == -ENOMEM ? err : -EINVAL;
}

static int take_vm_value(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	char reason[BALANCE_WHY] = "";
	const char *text;
	int err = yaml__text(value, name, &text, why, size);

	if (err)
		return err;
	err = balance_spec__set(ctx, name, text, reason, sizeof(reason));
	return err ? refused(err, value, reason, why, size) : 0;
}

static int take_vm(void *ctx, struct yaml_at value, char *why, size_t size)
{
	struct balance_spec v = {0};
	char reason[BALANCE_WHY] = "";
	int err = yaml__each_pair(value, take_vm_value, &v, why, size);

	if (!err) {
		err = balance_options__take(ctx, &v, reason, sizeof(reason));
		if (err)
			err = refused(err, value, reason, why, size);
	}
	balance_spec__free(&v);
	return err;
}

static int take_setting(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	char reason[BALANCE_WHY] = "";
	const char *text;
	int err;

	if (!strcmp(name, "vms"))
		return yaml__each_element(value, take_vm, ctx, why, size);
	err = yaml__text(value, name, &text, why, size);
	if (err)
		return err;
	err = balance_options__set(ctx, name, text, reason, sizeof(reason));
	return err ? refused(err, value, reason, why, size) : 0;
}

int balance_config__parse(struct balance_options *o, const char *name, const char *text, size_t len,
			  char *why, size_t size)
{
	struct yaml_file *f;
	int err = yaml_file__parse(&f, name, text, len, why, size);

	if (!err)
		err = yaml__each_pair(yaml_file__root(f), take_setting, o, why, size);
	yaml_file__free(f);
	return err;
}

int balance_config__read(struct balance_options *o, const char *file, char *why, size_t size)
{
	size_t len = 0;
	char *text = NULL;
	int err = text_file__read(file, FILE_MAX, &text, &len);

	if (err)
		snprintf(why, size, "cannot read configuration '%s': %s", file, strerror(-err));
	else
		err = balance_config__parse(o, file, text, len, why, size);
	free(text);
	return err;
}
