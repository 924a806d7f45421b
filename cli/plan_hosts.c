// SPDX-License-Identifier: GPL-2.0
/* HOSTS.csv: what is in it becomes memory and inputs of a plan, as options would say them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "plan_options.h"
#include "text_file.h"

/* Thousands of hosts take less. */
#define FILE_MAX (4UL << 20)

/* Paths are those of the folder that the file is in. */
static char *beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	size_t dir = slash && path[0] != '/' ? slash - file + 1 : 0;
	char *out = malloc(dir + strlen(path) + 1);

	if (!out)
		return NULL;
	memcpy(out, file, dir);
	strcpy(out + dir, path);
	return out;
}

static int add_curves(struct plan_options *o, const struct host_row *h, char *why, size_t size)
{
	struct plan_input in = {.path = beside(o->hosts_file, h->curves), .host = strdup(h->name)};
	int err = in.path && in.host ? plan_options__take_input(o, &in, why, size) : -ENOMEM;

	plan_input__free(&in);
	return err;
}

int plan_hosts__read(struct plan_options *o)
{
	struct csv_fault fault = {0};
	char why[PLAN_WHY] = "", *text;
	size_t len;
	int err = text_file__read(o->hosts_file, FILE_MAX, &text, &len);

	if (err)
		return cli__failed("cannot read '%s': %s", o->hosts_file, strerror(-err));
	err = hosts_csv__parse(&o->hosts, text, len, &fault);
	free(text);
	if (err == -EINVAL)
		return cli__failed("'%s', line %llu: %s", o->hosts_file, fault.line, fault.reason);
	/* After what options and the file of the plan say, which wins. */
	for (size_t i = 0; i < o->hosts.n && !err; i++) {
		const struct host_row *h = &o->hosts.hosts[i];

		err = plan_options__put_pages(o, h->name, h->memory);
		if (!err && h->curves)
			err = add_curves(o, h, why, sizeof(why));
	}
	return err ? cli__failed("%s", why[0] ? why : "out of memory") : CLI_DONE;
}
