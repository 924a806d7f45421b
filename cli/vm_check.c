// SPDX-License-Identifier: GPL-2.0
#include "vm_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/size.h"
#include "../loader/vm_identity.h"
#include "vm_memory.h"

/* Curves up to 1 TiB, in steps of an eighth. */
#define PARTS 8
#define OCTAVES 28

struct vm_check {
	const struct engine *engine;
	__u16 vm;
	struct vm_memory memory;
	__u64 pages;
	struct self_check *check;
	__u64 sizes[2 + PARTS * OCTAVES];
};

static int take_sums(void *ctx, struct curve_sums *out)
{
	const struct vm_check *c = ctx;

	return engine__sums(c->engine, c->vm, SPACE_DISK, out);
}

struct vm_check *vm_check__new(const struct engine *e, __u16 vm)
{
	struct self_check_opts opts = {.sums = take_sums};
	struct vm_check *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->engine = e;
	c->vm = vm;
	opts.ctx = c;
	opts.sizes = c->sizes;
	opts.nr_sizes = size__grid(PARTS, OCTAVES, c->sizes);
	c->check = self_check__new(&opts);
	if (!c->check) {
		vm_check__free(c);
		return NULL;
	}
	return c;
}

void vm_check__free(struct vm_check *c)
{
	if (!c)
		return;
	self_check__free(c->check);
	free(c);
}

void vm_check__follows(struct vm_check *c, const struct vm_check *last)
{
	/* All have the same sizes, so it can't fail. */
	self_check__follows(c->check, last->check);
}

int vm_check__tell(struct vm_check *c, double time, pid_t pid, __u64 slots,
		   const struct vm_counters *counters)
{
	struct check_moment now = {.time = time, .fills = counters->fills};
	__u64 resident = 0;

	/* Of a process that is gone nothing more is known than what was before, or what it began
	 * with. */
	if (proc__resident(pid, &resident) || !resident)
		now.memory = c->pages ?: slots;
	else
		now.memory = vm_memory__now(&c->memory, slots, resident, counters->frame_discards);
	c->pages = now.memory;
	return self_check__tell(c->check, &now);
}

__u64 vm_check__memory(const struct vm_check *c)
{
	return c->pages;
}

int vm_check__running(const struct vm_check *c, struct check *out)
{
	return self_check__running(c->check, out);
}

int vm_check__end(struct vm_check *c)
{
	return self_check__end(c->check);
}

int vm_check__all(const struct vm_check *c, struct check **out, size_t *n)
{
	const struct check *over = self_check__over(c->check, n);
	int err;

	*out = calloc(*n + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	if (*n)
		memcpy(*out, over, *n * sizeof(**out));
	err = self_check__running(c->check, *out + *n);
	*n += !err;
	if (!err || err == -ENOENT)
		return 0;
	free(*out);
	*out = NULL;
	*n = 0;
	return err;
}
