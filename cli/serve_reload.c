// SPDX-License-Identifier: GPL-2.0
/* SIGHUP: the configuration file again. Disks come, go and change; the cache is resized; what else
 * has changed waits for the next start. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "serve.h"

/* As in control: other disks are served meanwhile. */
#define WAIT_RUNNING 0.5

/* What goes has to be gone before what comes can take its image or its socket. */
struct reload {
	struct serve *serve;
	struct serve_options now;
	unsigned pending; /* disks to be gone, and one for who still asks for it */
};

static const struct disk_spec *find(const struct serve_options *o, const char *name)
{
	for (size_t i = 0; i < o->nr_disks; i++)
		if (!strcmp(o->disks[i].name, name))
			return &o->disks[i];
	return NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Can it become the other one while it is served? */
static bool same_disk(const struct disk_spec *a, const struct disk_spec *b)
{
	return same_text(a->path, b->path) && same_text(a->socket, b->socket) &&
	       same_text(a->id, b->id) && a->read_only == b->read_only && a->queues == b->queues;
}

static bool same_bounds(const struct disk_spec *a, const struct disk_spec *b)
{
	return a->min == b->min && a->max == b->max && a->share == b->share;
}

/* --- the new disks --- */

static void add(struct serve *s, const struct disk_spec *d)
{
	char why[SERVE_WHY] = "";

	if (serve__add_disk(s, d, WAIT_RUNNING, why, sizeof(why)))
		cli__note("%s", why);
}

static void set_bounds(struct serve *s, const struct disk_spec *d)
{
	int err = server__set_disk(s->server, d->name, d->min * PAGE_BYTES, d->max * PAGE_BYTES,
				   d->share ?: DISK_SHARE);

	if (err)
		cli__note("%s: %s", d->name, strerror(-err));
}

static void update(struct serve *s, const struct disk_spec *was, const struct disk_spec *d)
{
	if (!served_list__find(&s->disks, d->name))
		add(s, d);
	else if (!was)
		cli__note("%s: was added by 'hvtrace ctl' before, and stays as it is", d->name);
	else if (!same_bounds(was, d))
		set_bounds(s, d);
}

static void resize(struct serve *s, const struct serve_options *now)
{
	char why[SERVE_WHY] = "";

	if (now->cache == s->opts.cache)
		return;
	if (serve__resize(s, now->cache, why, sizeof(why)))
		cli__note("%s", why);
}

/* What else has changed. */
static void tell_others(const struct serve *s, const struct serve_options *now)
{
	const char *name;

	for (size_t i = 0; (name = serve_options__setting(i)); i++)
		if (strcmp(name, "cache") && !serve_options__same(&s->opts, now, i))
			cli__note("%s has changed: that needs a new start", name);
}

/* The old ones go to `now`, to be freed with it. */
static void keep(struct serve *s, struct serve_options *now)
{
	struct serve_options was = s->opts;

	s->opts.cache = now->cache;
	s->opts.disks = now->disks;
	s->opts.nr_disks = now->nr_disks;
	now->disks = was.disks;
	now->nr_disks = was.nr_disks;
}

static void finish(struct reload *r)
{
	struct serve *s = r->serve;

	serve__account(s);
	for (size_t i = 0; i < r->now.nr_disks; i++)
		update(s, find(&s->opts, r->now.disks[i].name), &r->now.disks[i]);
	resize(s, &r->now);
	tell_others(s, &r->now);
	keep(s, &r->now);
	serve__note(s, "'%s' was read again", s->opts.config);
}

/* --- the old disks --- */

static void one_gone(void *ctx)
{
	struct reload *r = ctx;

	if (--r->pending)
		return;
	if (!r->serve->ending)
		finish(r);
	r->serve->reloading = false;
	serve_options__free(&r->now);
	free(r);
}

/* Those of the old configuration that the new one has not, or not so; those of 'ctl add' stay. */
static void remove_old(struct reload *r)
{
	const struct serve_options *was = &r->serve->opts;

	for (size_t i = 0; i < was->nr_disks; i++) {
		const struct disk_spec *d = find(&r->now, was->disks[i].name);

		if (d && same_disk(&was->disks[i], d))
			continue;
		r->pending++;
		/* It may have been taken away by 'ctl remove' before. */
		if (serve__remove_disk(r->serve, was->disks[i].name, one_gone, r))
			r->pending--;
	}
}

void serve__reload(struct serve *s)
{
	struct reload *r;

	if (!s->opts.config || s->reloading) {
		serve__note(s, s->reloading ? "is still busy with the last change"
					    : "there is no --config to read again");
		return;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		cli__note("out of memory; all stays as it is");
		return;
	}
	*r = (struct reload){.serve = s, .pending = 1};
	serve_options__init(&r->now);
	if (serve_options__parse(&r->now, s->argc, s->argv)) {
		cli__note("all stays as it is");
		serve_options__free(&r->now);
		free(r);
		return;
	}
	s->reloading = true;
	remove_old(r);
	one_gone(r);
}
