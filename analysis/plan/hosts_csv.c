// SPDX-License-Identifier: GPL-2.0
#include "hosts_csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../array.h"
#include "../size.h"
#include "../utf8.h"
#include "pack.h"

static const char *const columns[] = {"host", "memory", "curves"};

/* With the last one, or without it: as the first line has it. */
static size_t count_columns(const char *text)
{
	size_t n = 1;

	for (size_t i = 0, len = strcspn(text, "\r\n"); i < len; i++)
		n += text[i] == ',';
	return n == 3 ? 3 : 2;
}

static int take_name(struct hosts_csv *out, struct csv_text *t, const char *name)
{
	if (!name[0])
		return csv_text__wrong(t, "a host has no name");
	if (!utf8__is_line(name))
		return csv_text__wrong(t, "host '%.64s' has control characters or is not UTF-8",
				       name);
	if (hosts_csv__find(out, name) >= 0)
		return csv_text__wrong(t, "host '%.64s' is there twice", name);
	return 0;
}

static int take_memory(struct csv_text *t, const char *text, __u64 *pages)
{
	if (!size__parse(text, pages))
		return 0;
	return csv_text__wrong(t, "memory '%.32s' is not a size such as 64GiB", text);
}

static int add_row(struct hosts_csv *out, struct csv_text *t, char *const *field, size_t n)
{
	struct host_row row = {0}, *hosts;
	int err = take_name(out, t, field[0]) ?: take_memory(t, field[1], &row.memory);

	if (!err && out->n == PACK_MAX_HOSTS)
		err = csv_text__wrong(t, "more than %u hosts", PACK_MAX_HOSTS);
	if (err)
		return err;
	hosts = array__with_room(out->hosts, out->n, sizeof(*hosts));
	if (!hosts)
		return -ENOMEM;
	out->hosts = hosts;
	row.name = strdup(field[0]);
	row.curves = n > 2 && field[2][0] ? strdup(field[2]) : NULL;
	hosts[out->n++] = row;
	return row.name && (row.curves || n < 3 || !field[2][0]) ? 0 : -ENOMEM;
}

static int take_rows(struct hosts_csv *out, struct csv_text *t, size_t n)
{
	char *field[3];
	int got, err = 0;

	while (!err && (got = csv_text__row(t, field, n)))
		err = got < 0 ? got : add_row(out, t, field, n);
	if (!err && !out->n)
		err = csv_text__wrong(t, "no host: a row is NAME,MEMORY, such as kvm01,248GiB");
	return err;
}

int hosts_csv__parse(struct hosts_csv *out, char *text, size_t len, struct csv_fault *fault)
{
	struct csv_text t;
	size_t n;
	int err;

	*out = (struct hosts_csv){0};
	err = csv_text__init(&t, text, len, fault);
	if (err)
		return err;
	n = count_columns(text);
	err = csv_text__heading(&t, columns, n,
				"hosts: it is 'host,memory' or 'host,memory,curves'");
	if (!err)
		err = take_rows(out, &t, n);
	if (err)
		hosts_csv__free(out);
	return err;
}

void hosts_csv__free(struct hosts_csv *h)
{
	for (size_t i = 0; i < h->n; i++) {
		free(h->hosts[i].name);
		free(h->hosts[i].curves);
	}
	free(h->hosts);
	*h = (struct hosts_csv){0};
}

int hosts_csv__find(const struct hosts_csv *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++)
		if (!strcmp(h->hosts[i].name, name))
			return i;
	return -1;
}
