// SPDX-License-Identifier: GPL-2.0
/* The configuration file: settings by their options' names, and a list of disks. */
#include <string.h>

#include "serve_options.h"
#include "yaml.h"

static int set_of_disk(void *disk, const char *name, const char *text, char *why, size_t size)
{
	return disk_spec__set(disk, name, text, why, size);
}

static int take_disk_pair(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	return yaml__set(value, name, set_of_disk, ctx, why, size);
}

static int take_disk(void *ctx, struct yaml_at value, char *why, size_t size)
{
	struct disk_spec d = {0};
	char reason[YAML_WHY] = "";
	int err = yaml__each_pair(value, take_disk_pair, &d, why, size);

	if (!err) {
		err = disk_spec__check(&d, reason, sizeof(reason))
			      ?: serve_options__add_disk(ctx, &d, reason, sizeof(reason));
		if (err)
			err = yaml__refused(value, err, reason, why, size);
	}
	disk_spec__free(&d);
	return err;
}

static int set(void *ctx, const char *name, const char *text, char *why, size_t size)
{
	return serve_options__set(ctx, name, text, why, size);
}

static int take_setting(void *ctx, const char *name, struct yaml_at value, char *why, size_t size)
{
	if (!strcmp(name, "disks"))
		return yaml__each_element(value, take_disk, ctx, why, size);
	return yaml__set(value, name, set, ctx, why, size);
}

int serve_config__parse(struct serve_options *o, const char *file, const char *text, size_t len,
			char *why, size_t size)
{
	return yaml__take_text(file, text, len, take_setting, o, why, size);
}

int serve_config__read(struct serve_options *o, const char *file, char *why, size_t size)
{
	return yaml__take_file(file, take_setting, o, why, size);
}
