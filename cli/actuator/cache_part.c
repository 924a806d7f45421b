// SPDX-License-Identifier: GPL-2.0
/* A disk's part of the served cache: by its minimum and maximum, which are set to the same. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/page_event.h"
#include "../control_client.h"
#include "ops.h"

struct part {
	struct actuator base;
	char *disk;
	double seconds;
};

/* The disk and the cache as the server tells of them; *answer holds both. */
static int look(struct part *p, json_t **answer, const json_t **disk, char *why, size_t size)
{
	int err =
		control_client__stats(p->base.place, p->disk, p->seconds, answer, disk, why, size);

	if (!err)
		p->base.pid = json_number_value(json_object_get(*disk, "pid"));
	return err;
}

static int incomplete(const struct part *p, char *why, size_t size)
{
	snprintf(why, size, "'%s' does not say all of disk '%s': is it of another version?",
		 p->base.place, p->disk);
	return -EPROTO;
}

static int part_read(struct actuator *a, struct actuator_state *out, char *why, size_t size)
{
	struct part *p = (struct part *)a;
	__u64 max = 0, target = 0, capacity = 0;
	const json_t *disk;
	json_t *answer;
	int err = look(p, &answer, &disk, why, size);

	if (err)
		return err;
	if (!actuator__bytes(disk, "max_bytes", &max) ||
	    !actuator__bytes(disk, "target_bytes", &target) ||
	    !actuator__bytes(json_object_get(answer, "cache"), "capacity_bytes", &capacity))
		err = incomplete(p, why, size);
	json_decref(answer);
	/* What it was told is its, taken or not: the server keeps all of them within the cache. */
	out->now = (max && max < capacity ? max : target) / PAGE_BYTES;
	out->most = capacity / PAGE_BYTES;
	return err;
}

static int order(struct part *p, json_t *request, char *why, size_t size)
{
	json_t *answer;
	int err = control_client__ask(p->base.place, request, p->seconds, &answer, why, size);

	json_decref(answer);
	return err;
}

static json_t *pages_text(__u64 bytes)
{
	return json_sprintf("%llup", (unsigned long long)(bytes / PAGE_BYTES));
}

/* A maximum of 0 would be none: a page is as little as nothing, for the cache is in chunks. */
static int part_set(struct actuator *a, __u64 pages, char *why, size_t size)
{
	struct part *p = (struct part *)a;
	__u64 max = (pages ? pages : 1) * PAGE_BYTES;

	return order(p,
		     json_pack("{s:s,s:s,s:o,s:o}", "cmd", "set", "name", p->disk, "min",
			       pages_text(pages * PAGE_BYTES), "max", pages_text(max)),
		     why, size);
}

static json_t *part_save(struct actuator *a, char *why, size_t size)
{
	struct part *p = (struct part *)a;
	__u64 min, max, share;
	json_t *answer, *saved = NULL;
	const json_t *disk;

	if (look(p, &answer, &disk, why, size))
		return NULL;
	if (!actuator__bytes(disk, "min_bytes", &min) ||
	    !actuator__bytes(disk, "max_bytes", &max) || !actuator__bytes(disk, "share", &share))
		incomplete(p, why, size);
	else
		saved = json_pack("{s:I,s:I,s:I}", "min", (json_int_t)min, "max", (json_int_t)max,
				  "share", (json_int_t)share);
	json_decref(answer);
	return saved;
}

static int part_restore(struct actuator *a, const json_t *saved, char *why, size_t size)
{
	struct part *p = (struct part *)a;
	__u64 min, max, share;

	if (!actuator__bytes(saved, "min", &min) || !actuator__bytes(saved, "max", &max) ||
	    !actuator__bytes(saved, "share", &share)) {
		snprintf(why, size, "there are no min, max and share in it");
		return -EINVAL;
	}
	return order(p,
		     json_pack("{s:s,s:s,s:o,s:o,s:I}", "cmd", "set", "name", p->disk, "min",
			       pages_text(min), "max", pages_text(max), "share",
			       (json_int_t)(share ? share : 1)),
		     why, size);
}

static void part_free(struct actuator *a)
{
	free(((struct part *)a)->disk);
}

static const struct actuator_ops ops = {
	.kind = "cache",
	.read = part_read,
	.set = part_set,
	.save = part_save,
	.restore = part_restore,
	.free = part_free,
};

struct actuator *cache_part__new(const char *socket, const char *disk, double seconds)
{
	struct part *p = actuator__new(&ops, sizeof(*p), socket);

	if (!p)
		return NULL;
	p->seconds = seconds;
	p->disk = strdup(disk);
	if (p->disk)
		return &p->base;
	actuator__free(&p->base);
	return NULL;
}
