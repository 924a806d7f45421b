// SPDX-License-Identifier: GPL-2.0
/* The configuration file: settings by their options' names, and a list of disks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve_options.h"
#include "text_file.h"
#include "yaml.h"

/* Thousands of disks take less. */
#define FILE_MAX (1UL << 20)

/* What was refused, at its line; out of memory stays what it is. */
static int refused(int err, struct yaml_at at, const char *reason, char *why, size_t size)
{
	yaml__wrong(at, why, size, "%s", reason);
	return err == -ENOMEM ? err : -EINVAL;
}

static int take_disk_value(void *ctx, const char *name, struct yaml_at value, char *why,
			   size_t size)
{
	char reason[SERVE_WHY] = "";
	const char *text;
	int err = yaml__text(value, name, &text, why, size);

	if (err)
		return err;
	err = disk_spec__set(ctx, name, text, reason, sizeof(reason));
	return err ? refused(err, value, reason, why, size) : 0;
}

static int take_disk(void *ctx, struct yaml_at value, char *why, size_t size)
{
	struct disk_spec d = {0};
	char reason[SERVE_WHY] = "";
	int err = yaml__each_pair(value, take_disk_value, &d, why, size);

	if (!err) {
		err = disk_spec__check(&d, reason, sizeof(reason))
			      ?: serve_options__add_disk(ctx, &d, reason, sizeof(reason));
		if (err)
			err = refused(err, value, reason, why, size);
	}
	disk_spec__free(&d);
	return err;
}

static int take_setting(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	char reason[SERVE_WHY] = "";
	const char *text;
	int err;

	if (!strcmp(name, "disks"))
		return yaml__each_element(value, take_disk, ctx, why, size);
	err = yaml__text(value, name, &text, why, size);
	if (err)
		return err;
	err = serve_options__set(ctx, name, text, reason, sizeof(reason));
	return err ? refused(err, value, reason, why, size) : 0;
}

int serve_config__parse(struct serve_options *o, const char *file, const char *text, size_t len,
			char *why, size_t size)
{
	struct yaml_file *f;
	int err = yaml_file__parse(&f, file, text, len, why, size);

	if (!err)
		err = yaml__each_pair(yaml_file__root(f), take_setting, o, why, size);
	yaml_file__free(f);
	return err;
}

int serve_config__read(struct serve_options *o, const char *file, char *why, size_t size)
{
	size_t len = 0;
	char *text = NULL;
	int err = text_file__read(file, FILE_MAX, &text, &len);

	if (err)
		snprintf(why, size, "cannot read configuration '%s': %s", file, strerror(-err));
	else
		err = serve_config__parse(o, file, text, len, why, size);
	free(text);
	return err;
}
