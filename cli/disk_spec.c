// SPDX-License-Identifier: GPL-2.0
#include "disk_spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "../analysis/size.h"
#include "../analysis/utf8.h"
#include "../cache/vhost/vhost_dev.h"
#include "cli.h"

/* As much as virtio's GET_ID tells. */
#define ID_MAX 20

bool disk_spec__parse_bool(const char *text, bool *out)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]))
			continue;
		*out = i & 1;
		return true;
	}
	return false;
}

/* --- values: 0, -EINVAL with why, -ENOMEM --- */

static int take_text(char **out, const char *name, const char *text, size_t max, char *why,
		     size_t size)
{
	if (!text[0] || strlen(text) > max) {
		snprintf(why, size, "%s '%s' is %s", name, text,
			 text[0] ? "too long" : "empty: give one");
		return -EINVAL;
	}
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int take_name(struct disk_spec *d, const char *text, char *why, size_t size)
{
	if (!utf8__is_line(text)) {
		snprintf(why, size, "a name has control characters or is not UTF-8");
		return -EINVAL;
	}
	return take_text(&d->name, "name", text, DISK_NAME_MAX, why, size);
}

static int take_path(struct disk_spec *d, const char *text, char *why, size_t size)
{
	return take_text(&d->path, "path", text, 4095, why, size);
}

static int take_socket(struct disk_spec *d, const char *text, char *why, size_t size)
{
	const struct sockaddr_un un;

	return take_text(&d->socket, "socket", text, sizeof(un.sun_path) - 1, why, size);
}

static int take_id(struct disk_spec *d, const char *text, char *why, size_t size)
{
	return take_text(&d->id, "id", text, ID_MAX, why, size);
}

static int take_ro(struct disk_spec *d, const char *text, char *why, size_t size)
{
	if (disk_spec__parse_bool(text, &d->read_only))
		return 0;
	snprintf(why, size, "ro '%s' is neither 'true' nor 'false'", text);
	return -EINVAL;
}

static int take_size(__u64 *out, const char *name, const char *text, char *why, size_t size)
{
	if (!size__parse(text, out))
		return 0;
	snprintf(why, size, "%s '%s' is not a size such as 64MiB or 4GiB", name, text);
	return -EINVAL;
}

static int take_min(struct disk_spec *d, const char *text, char *why, size_t size)
{
	return take_size(&d->min, "min", text, why, size);
}

static int take_max(struct disk_spec *d, const char *text, char *why, size_t size)
{
	return take_size(&d->max, "max", text, why, size);
}

static int take_share(struct disk_spec *d, const char *text, char *why, size_t size)
{
	if (cli__parse_count(text, 1, 1000000, &d->share))
		return 0;
	snprintf(why, size, "share '%s' is not a number from 1 to 1000000", text);
	return -EINVAL;
}

static int take_queues(struct disk_spec *d, const char *text, char *why, size_t size)
{
	__u64 n;

	if (cli__parse_count(text, 1, VHOST_MAX_QUEUES, &n)) {
		d->queues = n;
		return 0;
	}
	snprintf(why, size, "queues '%s' is not a number from 1 to %d", text, VHOST_MAX_QUEUES);
	return -EINVAL;
}

static const struct {
	const char *name;
	int (*take)(struct disk_spec *d, const char *text, char *why, size_t size);
} values[] = {
	{"name", take_name}, {"path", take_path},   {"socket", take_socket},
	{"id", take_id},     {"ro", take_ro},	    {"min", take_min},
	{"max", take_max},   {"share", take_share}, {"queues", take_queues},
};

#define NR_VALUES (sizeof(values) / sizeof(values[0]))

/* --- a spec --- */

void disk_spec__free(struct disk_spec *d)
{
	free(d->name);
	free(d->path);
	free(d->socket);
	free(d->id);
	*d = (struct disk_spec){0};
}

int disk_spec__set(struct disk_spec *d, const char *name, const char *value, char *why, size_t size)
{
	size_t i = 0;
	int err;

	while (i < NR_VALUES && strcmp(values[i].name, name))
		i++;
	if (i == NR_VALUES) {
		snprintf(why, size,
			 "a disk has no '%s'; it has name, path, socket, id, ro, min, max, share "
			 "and queues",
			 name);
		return -ENOENT;
	}
	if (d->given & 1U << i) {
		snprintf(why, size, "'%s' is given twice", name);
		return -EEXIST;
	}
	err = values[i].take(d, value, why, size);
	if (err == -ENOMEM)
		snprintf(why, size, "out of memory");
	if (!err)
		d->given |= 1U << i;
	return err;
}

bool disk_spec__given(const struct disk_spec *d, const char *name)
{
	for (size_t i = 0; i < NR_VALUES; i++)
		if (!strcmp(values[i].name, name))
			return d->given & 1U << i;
	return false;
}

int disk_spec__check(const struct disk_spec *d, char *why, size_t size)
{
	const char *lacks = !d->name ? "name" : !d->path ? "path" : !d->socket ? "socket" : NULL;

	if (lacks) {
		snprintf(why, size, "%s%sa disk needs a %s", d->name ?: "", d->name ? ": " : "",
			 lacks);
		return -EINVAL;
	}
	if (d->max && d->min > d->max) {
		snprintf(why, size, "%s: min is above max", d->name);
		return -EINVAL;
	}
	return 0;
}

static int set_part(void *ctx, const char *name, const char *value, char *why, size_t size)
{
	return disk_spec__set(ctx, name, value, why, size);
}

int disk_spec__parse(struct disk_spec *d, const char *text, char *why, size_t size)
{
	return disk_spec__split(text, set_part, d, why, size) ?: disk_spec__check(d, why, size);
}

/* --- the parts of a text --- */

/* Copy up to a comma that is not doubled; where the next part begins, NULL: none. */
static const char *copy_part(char *to, const char *text)
{
	for (; *text; text++) {
		if (text[0] == ',' && text[1] != ',')
			break;
		text += text[0] == ',';
		*to++ = *text;
	}
	*to = 0;
	return *text ? text + 1 : NULL;
}

static int take_part(char *part, bool first, disk_spec_part fn, void *ctx, char *why, size_t size)
{
	char *value = strchr(part, '=');

	if (first && !value)
		return fn(ctx, "name", part, why, size);
	if (!part[0]) {
		snprintf(why, size, "a part is empty; a comma within a value is written ',,'");
		return -EINVAL;
	}
	if (value)
		*value++ = 0;
	else if (strcmp(part, "ro")) {
		snprintf(why, size, "'%s' is not NAME=VALUE", part);
		return -EINVAL;
	}
	return fn(ctx, part, value ?: "true", why, size);
}

int disk_spec__split(const char *text, disk_spec_part fn, void *ctx, char *why, size_t size)
{
	char *part = malloc(strlen(text) + 1);
	bool first = true;
	int err = 0;

	if (!part) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	for (; text && !err; first = false) {
		text = copy_part(part, text);
		err = take_part(part, first, fn, ctx, why, size);
	}
	free(part);
	return err;
}
