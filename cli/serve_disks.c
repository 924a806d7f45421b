// SPDX-License-Identifier: GPL-2.0
/* Disks come, change and go. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "host_memory.h"
#include "serve.h"

/* What goes with a disk that the server took. */
static int settle(struct serve *s, const struct disk_spec *d, char *why, size_t size)
{
	int err = served_list__account(&s->disks, s->server);
	struct served *served;

	if (err) {
		snprintf(why, size, "%s: out of memory", d->name);
		return err;
	}
	err = socket_owner__give(&s->owner, d->socket, why, size);
	if (err)
		return err;
	served = served_list__find(&s->disks, d->name);
	serve__watch_image(s, served);
	/* If not, all is told at once when all went well. */
	if (s->started)
		serve__tell_disk(s, served);
	return 0;
}

/* Signals wait until the control loop runs again. */
static bool told_to_end(void)
{
	sigset_t set;

	return !sigpending(&set) && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM));
}

int serve__add_disk(struct serve *s, const struct disk_spec *d, double wait, char *why, size_t size)
{
	const struct server_disk_opts opts = {
		.sz = sizeof(opts),
		.name = d->name,
		.path = d->path,
		.socket = d->socket,
		.id = d->id,
		.read_only = d->read_only,
		.min = d->min * PAGE_BYTES,
		.max = d->max * PAGE_BYTES,
		.share = d->share,
		.queues = d->queues,
		.patience = wait,
		.told_to_end = told_to_end,
	};
	int err = server__add_disk(s->server, &opts, why, size);

	if (err)
		return err;
	err = settle(s, d, why, size);
	if (err)
		serve__remove_disk(s, d->name, NULL, NULL);
	return err;
}

int serve__remove_disk(struct serve *s, const char *name, void (*fn)(void *ctx), void *ctx)
{
	serve__account(s);
	return server__remove_disk(s->server, name, fn, ctx);
}

void serve__disk_gone(struct serve *s, __u16 id)
{
	struct served *d = served_list__find_id(&s->disks, id);

	if (s->foreign)
		foreign__remove_image(s->foreign, id);
	if (d) {
		d->removed = !s->ending;
		if (served__end(d, s->engine))
			cli__note("the report of %s is lost: out of memory", d->name);
		if (d->removed)
			serve__note(s, "%s: removed", d->name);
		served_list__trim(&s->disks);
	}
	engine__forget(s->engine, id);
}

int serve__resize(struct serve *s, __u64 pages, char *why, size_t size)
{
	return host_memory__fits(pages, s->opts.node, why, size)
		       ?: server__resize(s->server, pages * PAGE_BYTES, why, size);
}

int serve__set_disk(struct serve *s, const struct disk_spec *d, char *why, size_t size)
{
	const struct served *served;
	__u64 min, max, share;
	int err;

	serve__account(s);
	served = served_list__find(&s->disks, d->name);
	if (!served) {
		snprintf(why, size, "there is no disk '%s'", d->name);
		return -ENOENT;
	}
	min = disk_spec__given(d, "min") ? d->min * PAGE_BYTES : served->now.min;
	max = disk_spec__given(d, "max") ? d->max * PAGE_BYTES : served->now.max;
	share = disk_spec__given(d, "share") ? d->share : served->now.share;
	err = max && min > max ? -EINVAL : server__set_disk(s->server, d->name, min, max, share);
	if (err)
		snprintf(why, size, "%s: %s", d->name,
			 err == -EINVAL ? "min is above max" : strerror(-err));
	return err;
}
