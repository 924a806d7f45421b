// SPDX-License-Identifier: GPL-2.0
/* Any text as a configuration file, and as the disk of an option. What is taken holds together. */
#include <stdio.h>

#include "../../cli/serve_options.h"
#include "text.h"

static void check_disk(const struct disk_spec *d)
{
	check(d->name && d->name[0] && strlen(d->name) <= DISK_NAME_MAX);
	check(d->path && d->path[0] && d->socket && strlen(d->socket) < 108);
	check(!d->max || d->min <= d->max);
}

static void try_config(const char *text, size_t size)
{
	struct serve_options o, from;
	char why[SERVE_WHY] = "";

	serve_options__init(&o);
	serve_options__init(&from);
	if (serve_config__parse(&from, "f", text, size, why, sizeof(why))) {
		check(!strncmp(why, "f:", 2));
		serve_options__free(&from);
		return;
	}
	for (size_t i = 0; i < from.nr_disks; i++)
		check_disk(&from.disks[i]);
	check(!serve_options__merge(&o, &from, why, sizeof(why)));
	serve_options__free(&o);
}

static void try_disk(const char *text)
{
	struct disk_spec d = {0};
	char why[SERVE_WHY] = "";

	if (disk_spec__parse(&d, text, why, sizeof(why)))
		check(why[0]);
	else
		check_disk(&d);
	disk_spec__free(&d);
}

static void try_text(char *text, size_t size)
{
	try_config(text, size);
	try_disk(text);
}
