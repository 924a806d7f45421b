// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's memory cgroup. v2: memory.high, above which the kernel reclaims from the group
 * (Documentation/admin-guide/cgroup-v2.rst). v1 has a soft limit only, down to which it reclaims
 * when the host is short of memory (.../cgroup-v1/memory.rst, 7): until then nothing changes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bpf/page_event.h"
#include "../../cache/minmax.h"
#include "ops.h"

struct files {
	const char *limit, *usage, *most;
	const char *none; /* the text of no limit */
};

static const struct files versions[] = {
	{"memory.high", "memory.current", "memory.max", "max"},
	{"memory.soft_limit_in_bytes", "memory.usage_in_bytes", "memory.limit_in_bytes", "-1"},
};

struct group {
	struct actuator base;
	int folder; /* -1: not open */
	const struct files *files;
};

/* What is no limit for v1 is a large number. */
#define NO_LIMIT (1ULL << 60)

static int failed(const struct group *g, const char *what, const char *file, int err, char *why,
		  size_t size)
{
	snprintf(why, size, "cannot %s '%s/%s': %s", what, g->base.place, file, strerror(-err));
	return err;
}

/* Cgroups come and go, and may come back under the same name: none is held. */
static int open_folder(struct group *g, char *why, size_t size)
{
	if (g->folder >= 0)
		close(g->folder);
	g->folder = open(g->base.place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (g->folder < 0) {
		int err = -errno;

		snprintf(why, size, "no cgroup '%s': %s", g->base.place, strerror(-err));
		return err;
	}
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		g->files = &versions[i];
		if (!faccessat(g->folder, g->files->limit, F_OK, 0))
			return 0;
	}
	snprintf(why, size,
		 "'%s' has neither memory.high nor memory.soft_limit_in_bytes: enable the memory "
		 "controller in cgroup.subtree_control above it, or give another cgroup",
		 g->base.place);
	return -ENODEV;
}

static int read_text(const struct group *g, const char *file, char *text, size_t room, char *why,
		     size_t size)
{
	int fd = openat(g->folder, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);
	int err = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (err)
		return failed(g, "read", file, err, why, size);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

/* NO_LIMIT for "max", and what is as much. */
static bool parse_bytes(const char *text, __u64 *bytes)
{
	char *end;

	*bytes = NO_LIMIT;
	if (!strcmp(text, "max") || !strcmp(text, "-1"))
		return true;
	errno = 0;
	*bytes = strtoull(text, &end, 10);
	if (*bytes > NO_LIMIT)
		*bytes = NO_LIMIT;
	return end != text && !*end && text[0] != '-' && !errno;
}

static int read_bytes(const struct group *g, const char *file, __u64 *bytes, char *why, size_t size)
{
	char text[64];
	int err = read_text(g, file, text, sizeof(text), why, size);

	if (!err && !parse_bytes(text, bytes)) {
		snprintf(why, size, "'%s/%s' holds '%s', no number of bytes", g->base.place, file,
			 text);
		err = -EPROTO;
	}
	return err;
}

static int write_text(const struct group *g, const char *text, char *why, size_t size)
{
	int fd = openat(g->folder, g->files->limit, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int err = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err ? failed(g, "write", g->files->limit, err, why, size) : 0;
}

/* Any process of the group will do: a VM's group holds that VM. */
static void find_pid(struct group *g)
{
	char text[64], why[16];

	g->base.pid = 0;
	if (!read_text(g, "cgroup.procs", text, sizeof(text), why, sizeof(why)))
		g->base.pid = atoi(text);
}

static int group_read(struct actuator *a, struct actuator_state *out, char *why, size_t size)
{
	struct group *g = (struct group *)a;
	__u64 limit = 0, usage = 0, most = 0;
	int err = open_folder(g, why, size)
			  ?: read_bytes(g, g->files->limit, &limit, why, size)
			  ?: read_bytes(g, g->files->usage, &usage, why, size)
			  ?: read_bytes(g, g->files->most, &most, why, size);

	if (err)
		return err;
	find_pid(g);
	/* What it may use is its, used or not; what it uses beyond is not given up yet. */
	out->now = (limit < NO_LIMIT ? larger(limit, usage) : usage) / PAGE_BYTES;
	out->most = smaller(most, (__u64)sysconf(_SC_PHYS_PAGES) * PAGE_BYTES) / PAGE_BYTES;
	return 0;
}

static int group_set(struct actuator *a, __u64 pages, char *why, size_t size)
{
	struct group *g = (struct group *)a;
	char text[32];

	snprintf(text, sizeof(text), "%llu", pages * PAGE_BYTES);
	return open_folder(g, why, size) ?: write_text(g, text, why, size);
}

static json_t *group_save(struct actuator *a, char *why, size_t size)
{
	struct group *g = (struct group *)a;
	__u64 limit = 0;
	json_t *saved;

	if (open_folder(g, why, size) || read_bytes(g, g->files->limit, &limit, why, size))
		return NULL;
	saved = limit == NO_LIMIT ? json_pack("{s:n}", "limit")
				  : json_pack("{s:I}", "limit", (json_int_t)limit);
	if (!saved)
		snprintf(why, size, "out of memory");
	return saved;
}

static int group_restore(struct actuator *a, const json_t *saved, char *why, size_t size)
{
	struct group *g = (struct group *)a;
	int err = open_folder(g, why, size);
	char text[32];
	__u64 limit;

	if (err)
		return err;
	if (json_is_null(json_object_get(saved, "limit")))
		return write_text(g, g->files->none, why, size);
	if (!actuator__bytes(saved, "limit", &limit)) {
		snprintf(why, size, "there is no limit in it");
		return -EINVAL;
	}
	snprintf(text, sizeof(text), "%llu", limit);
	return write_text(g, text, why, size);
}

static void group_free(struct actuator *a)
{
	struct group *g = (struct group *)a;

	if (g->folder >= 0)
		close(g->folder);
}

static const struct actuator_ops ops = {
	.kind = "cgroup",
	.read = group_read,
	.set = group_set,
	.save = group_save,
	.restore = group_restore,
	.free = group_free,
};

struct actuator *memory_cgroup__new(const char *folder)
{
	struct group *g = actuator__new(&ops, sizeof(*g), folder);

	if (!g)
		return NULL;
	g->folder = -1;
	return &g->base;
}
