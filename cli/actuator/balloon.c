// SPDX-License-Identifier: GPL-2.0
/*
 * virtio-balloon through QMP: query-balloon and balloon (QEMU, qapi/machine.json), and the guest's
 * own statistics (docs/virtio-balloon-stats.txt), properties of the device, which QEMU polls for
 * when it is told how often.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/page_event.h"
#include "ops.h"
#include "qmp.h"

/* Seconds between the guest's statistics, if nobody wants them yet. */
#define POLLING 1

struct balloon {
	struct actuator base;
	struct qmp *qmp;
	pid_t asked;   /* the VM of which the rest is known */
	char *device;  /* path of the device in QEMU's tree of objects; NULL: without statistics */
	bool polls;    /* statistics are asked for because of us */
	__u64 maximum; /* bytes of guest memory */
};

static int ask(struct balloon *b, const char *name, json_t *arguments, json_t **result, char *why,
	       size_t size)
{
	int err = qmp__command(b->qmp, name, arguments, result, why, size);

	if (!err)
		b->base.pid = qmp__peer(b->qmp);
	return err;
}

/* --- the device, to be found once for each VM; a guest without statistics will do --- */

static bool is_balloon(const json_t *property)
{
	const char *type = json_string_value(json_object_get(property, "type"));

	return type && !strncmp(type, "child<virtio-balloon", strlen("child<virtio-balloon"));
}

static char *find_in(struct balloon *b, const char *folder)
{
	json_t *list = NULL, *property;
	char why[256], *path = NULL;
	size_t i;

	if (ask(b, "qom-list", json_pack("{s:s}", "path", folder), &list, why, sizeof(why)))
		return NULL;
	json_array_foreach(list, i, property)
	{
		const char *name = json_string_value(json_object_get(property, "name"));

		if (!path && name && is_balloon(property) &&
		    asprintf(&path, "%s/%s", folder, name) < 0)
			path = NULL;
	}
	json_decref(list);
	return path;
}

static double get_polling(struct balloon *b)
{
	json_t *value = NULL;
	double seconds = -1;
	char why[256];

	if (!ask(b, "qom-get",
		 json_pack("{s:s,s:s}", "path", b->device, "property",
			   "guest-stats-polling-interval"),
		 &value, why, sizeof(why)))
		seconds = json_number_value(value);
	json_decref(value);
	return seconds;
}

static int set_polling(struct balloon *b, int seconds)
{
	char why[256];

	return ask(b, "qom-set",
		   json_pack("{s:s,s:s,s:i}", "path", b->device, "property",
			     "guest-stats-polling-interval", "value", seconds),
		   NULL, why, sizeof(why));
}

static int read_maximum(struct balloon *b, char *why, size_t size)
{
	__u64 base = 0, plugged = 0;
	json_t *sizes = NULL;
	int err = ask(b, "query-memory-size-summary", NULL, &sizes, why, size);

	if (!err && !actuator__bytes(sizes, "base-memory", &base)) {
		snprintf(why, size, "'%s': QEMU does not say how much memory the VM has",
			 b->base.place);
		err = -EPROTO;
	}
	actuator__bytes(sizes, "plugged-memory", &plugged);
	json_decref(sizes);
	b->maximum = base + plugged;
	return err;
}

static int get_acquainted(struct balloon *b, char *why, size_t size)
{
	int err = read_maximum(b, why, size);

	if (err || (b->asked && b->asked == b->base.pid))
		return err;
	free(b->device);
	b->polls = false;
	b->device = find_in(b, "/machine/peripheral") ?: find_in(b, "/machine/peripheral-anon");
	if (b->device && get_polling(b) == 0)
		b->polls = !set_polling(b, POLLING);
	b->asked = b->base.pid;
	return 0;
}

/* --- its state --- */

static int no_balloon(const struct balloon *b, int err, char *why, size_t size)
{
	if (err == -ENODEV)
		snprintf(why, size,
			 "'%s': the VM has no balloon: start it with -device virtio-balloon-pci, "
			 "and the guest with its driver",
			 b->base.place);
	return err;
}

static int read_actual(struct balloon *b, __u64 *bytes, char *why, size_t size)
{
	json_t *answer = NULL;
	int err = no_balloon(b, ask(b, "query-balloon", NULL, &answer, why, size), why, size);

	if (!err && !actuator__bytes(answer, "actual", bytes)) {
		snprintf(why, size, "'%s': QEMU does not say how large the balloon is",
			 b->base.place);
		err = -EPROTO;
	}
	json_decref(answer);
	return err;
}

/* Bytes that the guest's processes could have without its swapping; false: it does not say. */
static bool read_available(struct balloon *b, __u64 *bytes)
{
	json_t *answer = NULL;
	char why[256];
	bool known;

	if (!b->device ||
	    ask(b, "qom-get", json_pack("{s:s,s:s}", "path", b->device, "property", "guest-stats"),
		&answer, why, sizeof(why)))
		return false;
	known = json_number_value(json_object_get(answer, "last-update")) > 0 &&
		actuator__bytes(json_object_get(answer, "stats"), "stat-available-memory", bytes);
	json_decref(answer);
	return known;
}

/* Half of what is available may be taken at once: what the guest says is some seconds old. */
static int balloon_read(struct actuator *a, struct actuator_state *out, char *why, size_t size)
{
	struct balloon *b = (struct balloon *)a;
	__u64 actual = 0, available = 0;
	int err = get_acquainted(b, why, size) ?: read_actual(b, &actual, why, size);

	if (err)
		return err;
	out->now = actual / PAGE_BYTES;
	out->most = b->maximum / PAGE_BYTES;
	if (read_available(b, &available) && available / 2 < actual)
		out->least = (actual - available / 2) / PAGE_BYTES;
	return 0;
}

static int balloon_set(struct actuator *a, __u64 pages, char *why, size_t size)
{
	struct balloon *b = (struct balloon *)a;
	json_t *arguments = json_pack("{s:I}", "value", (json_int_t)(pages * PAGE_BYTES));

	return no_balloon(b, ask(b, "balloon", arguments, NULL, why, size), why, size);
}

static json_t *balloon_save(struct actuator *a, char *why, size_t size)
{
	struct balloon *b = (struct balloon *)a;
	__u64 actual;
	json_t *saved;

	if (get_acquainted(b, why, size) || read_actual(b, &actual, why, size))
		return NULL;
	saved = json_pack("{s:I}", "bytes", (json_int_t)actual);
	if (!saved)
		snprintf(why, size, "out of memory");
	return saved;
}

static int balloon_restore(struct actuator *a, const json_t *saved, char *why, size_t size)
{
	struct balloon *b = (struct balloon *)a;
	__u64 bytes;

	if (!actuator__bytes(saved, "bytes", &bytes) || bytes < PAGE_BYTES) {
		snprintf(why, size, "there is no size of a balloon in it");
		return -EINVAL;
	}
	if (!b->maximum && read_maximum(b, why, size))
		return -EIO;
	if (bytes > b->maximum)
		bytes = b->maximum;
	return balloon_set(a, bytes / PAGE_BYTES, why, size);
}

/* Statistics go on only if somebody else wanted them. */
static void balloon_free(struct actuator *a)
{
	struct balloon *b = (struct balloon *)a;

	if (b->polls && qmp__peer(b->qmp) == b->asked)
		set_polling(b, 0);
	free(b->device);
	qmp__free(b->qmp);
}

static const struct actuator_ops ops = {
	.kind = "balloon",
	.read = balloon_read,
	.set = balloon_set,
	.save = balloon_save,
	.restore = balloon_restore,
	.free = balloon_free,
};

struct actuator *balloon__new(const char *qmp, double seconds)
{
	struct balloon *b = actuator__new(&ops, sizeof(*b), qmp);

	if (!b)
		return NULL;
	b->qmp = qmp__new(qmp, seconds);
	if (b->qmp)
		return &b->base;
	actuator__free(&b->base);
	return NULL;
}
