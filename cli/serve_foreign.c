// SPDX-License-Identifier: GPL-2.0
/* Writes to the images by others, and memory that VMMs gave up: as the host's tracepoints tell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "cli.h"
#include "serve.h"

static void on_written(void *ctx, __u16 id, __u64 page, __u64 count)
{
	struct serve *s = ctx;

	server__invalidate(s->server, id, page, count);
}

static void on_unmapped(void *ctx, pid_t vmm, __u64 hva, __u64 bytes)
{
	struct serve *s = ctx;

	server__unmapped(s->server, vmm, hva, bytes);
}

static void on_lost(void *ctx, __u64 n)
{
	struct serve *s = ctx;

	cli__note("%llu writes by others were missed: the cache starts anew", n);
	server__drain(s->server, NULL);
}

/* Nothing is to be dropped for that: what is captured from a frame is what it held, or is not
 * captured. */
static void on_missed(void *ctx, __u64 n)
{
	struct serve *s = ctx;

	s->missed_unmaps += n;
}

static const struct foreign_ops foreign_ops = {
	.written = on_written,
	.unmapped = on_unmapped,
	.lost = on_lost,
	.missed = on_missed,
};

static void on_readable(struct loop_fd *f, __u32 events)
{
	struct serve *s = (struct serve *)((char *)f - offsetof(struct serve, foreign_fd));

	foreign__poll(s->foreign);
}

void serve__open_foreign(struct serve *s)
{
	int err = foreign__new(&s->foreign, &foreign_ops, s, s->blind, sizeof(s->blind));

	if (err)
		return;
	s->foreign_fd = (struct loop_fd){foreign__fd(s->foreign), on_readable};
	err = loop__watch(s->loop, &s->foreign_fd, EPOLLIN);
	if (err) {
		snprintf(s->blind, sizeof(s->blind), "%s", strerror(-err));
		serve__close_foreign(s);
	}
}

void serve__close_foreign(struct serve *s)
{
	if (s->foreign)
		loop__unwatch(s->loop, &s->foreign_fd);
	foreign__free(s->foreign);
	s->foreign = NULL;
	free(s->vmms);
	s->vmms = NULL;
	s->nr_vmms = 0;
}

void serve__watch_image(struct serve *s, struct served *d)
{
	if (s->foreign)
		foreign__add_image(s->foreign, d->now.id, d->now.fd, d->blind, sizeof(d->blind));
}

/* --- VMMs come and go with their connections --- */

static bool is_connected(const struct serve *s, pid_t vmm)
{
	for (size_t i = 0; i < s->disks.nr; i++)
		if (!s->disks.disks[i]->ended && s->disks.disks[i]->now.vmm == vmm)
			return true;
	return false;
}

static bool is_known(const struct serve *s, pid_t vmm)
{
	for (size_t i = 0; i < s->nr_vmms; i++)
		if (s->vmms[i] == vmm)
			return true;
	return false;
}

static void forget_gone(struct serve *s)
{
	size_t left = 0;

	for (size_t i = 0; i < s->nr_vmms; i++) {
		if (is_connected(s, s->vmms[i]))
			s->vmms[left++] = s->vmms[i];
		else
			foreign__remove_vmm(s->foreign, s->vmms[i]);
	}
	s->nr_vmms = left;
}

static void add_vmm(struct serve *s, const struct served *d)
{
	pid_t vmm = d->now.vmm, *vmms;
	char why[SERVE_WHY] = "";

	if (d->ended || !vmm || is_known(s, vmm))
		return;
	vmms = realloc(s->vmms, (s->nr_vmms + 1) * sizeof(*vmms));
	if (!vmms)
		return;
	s->vmms = vmms;
	s->vmms[s->nr_vmms++] = vmm;
	if (foreign__add_vmm(s->foreign, vmm, why, sizeof(why)))
		serve__note(s, "%s: memory given up by process %d is not seen: %s", d->name,
			    (int)vmm, why);
}

void serve__watch_vmms(struct serve *s)
{
	if (!s->foreign)
		return;
	forget_gone(s);
	for (size_t i = 0; i < s->disks.nr; i++)
		add_vmm(s, s->disks.disks[i]);
}
