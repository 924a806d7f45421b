// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* scandirat */
#include "cgroup_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cache/minmax.h"
#include "../loader/vm_identity.h"
#include "cgroup_text.h"

struct walk {
	struct cgroup_tree *out;
	const char *const *vms;
	size_t nr_vms;
	bool controlled; /* any folder has the memory controller's files */
	char *why;
	size_t size;
};

static int failed(const struct walk *w, const char *folder, const char *file, int err)
{
	snprintf(w->why, w->size, "cannot read %s of cgroup '%s': %s", file, folder,
		 strerror(-err));
	return err;
}

/* --- files --- */

/* A file of a few bytes. */
static ssize_t read_small(int dir, const char *file, char *text, size_t room)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, room - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n >= 0)
		text[n] = '\0';
	return n;
}

/* `missing` if there is no such file: without a controller, or at the root of all cgroups. */
static int read_size(struct walk *w, int dir, const char *folder, const char *file, __u64 missing,
		     __u64 *pages)
{
	char text[64];
	ssize_t n = read_small(dir, file, text, sizeof(text));

	*pages = missing;
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return failed(w, folder, file, n);
	w->controlled = true;
	if (!cgroup_text__size(text, GROUPS_NO_LIMIT, pages))
		return 0;
	snprintf(w->why, w->size, "%s of cgroup '%s' is neither 'max' nor a number of bytes", file,
		 folder);
	return -EBADMSG;
}

static int read_bounds(struct walk *w, int dir, const char *folder, struct group_spec *s)
{
	__u64 min, low, high, max;
	int err = read_size(w, dir, folder, "memory.min", 0, &min);

	if (!err)
		err = read_size(w, dir, folder, "memory.low", 0, &low);
	if (!err)
		err = read_size(w, dir, folder, "memory.high", GROUPS_NO_LIMIT, &high);
	if (!err)
		err = read_size(w, dir, folder, "memory.max", GROUPS_NO_LIMIT, &max);
	if (err)
		return err;
	s->limit = smaller(high, max);
	/* The kernel lets anybody have more protection than it can use. */
	s->reservation = smaller(larger(min, low), s->limit);
	return 0;
}

/* --- whose it is --- */

static const char *known(const struct walk *w, const char *name)
{
	for (size_t i = 0; i < w->nr_vms; i++)
		if (!strcmp(w->vms[i], name))
			return w->vms[i];
	return NULL;
}

static const char *by_name(const struct walk *w, const char *folder)
{
	char name[NAME_MAX + 1];

	if (known(w, folder))
		return known(w, folder);
	cgroup_text__name(folder, name);
	return known(w, name);
}

/* The first of its processes that is a VM's. A cgroup of threads does not tell its processes. */
static const char *by_process(const struct walk *w, int dir)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *procs = fd < 0 ? NULL : fdopen(fd, "r");
	const char *vm = NULL;
	struct vm_identity id;
	int pid;

	if (!procs && fd >= 0)
		close(fd);
	while (procs && !vm && fscanf(procs, "%d", &pid) == 1)
		if (pid > 0 && !vm_identity__read(&id, pid))
			vm = known(w, id.name);
	if (procs)
		fclose(procs);
	return vm;
}

/* --- the tree --- */

static int add(struct walk *w, int parent, const char *folder, const char *name,
	       const struct group_spec *s)
{
	int node = group_list__add(&w->out->list, parent, name, s);

	if (node == -EEXIST)
		snprintf(w->why, w->size,
			 "VM '%s' has two cgroups, one is '%s': name a folder that has one of them",
			 name, folder);
	else if (node == -E2BIG)
		snprintf(w->why, w->size,
			 "more than %d groups and VMs, '%s' is one more: name a folder with fewer",
			 GROUP_LIST_MAX, folder);
	return node;
}

static void forget_last(struct group_list *l)
{
	free(l->entry[--l->n].name);
}

static int visit_all(struct walk *w, int dir, const char *folder, int parent, unsigned int depth);

/* A group that has no VM in it is none of ours. */
static int visit_group(struct walk *w, int dir, const char *folder, int parent,
		       const struct group_spec *s, unsigned int depth)
{
	int node = add(w, parent, folder, folder, s), err;

	if (node < 0)
		return node;
	err = visit_all(w, dir, folder, node, depth + 1);
	if (!err && w->out->list.n == (size_t)node + 1)
		forget_last(&w->out->list);
	return err;
}

static int visit(struct walk *w, int dir, const char *folder, int parent, unsigned int depth)
{
	const char *vm = by_name(w, folder) ?: by_process(w, dir);
	struct group_spec s = {.vm = vm != NULL};
	int err = read_bounds(w, dir, folder, &s);

	if (err)
		return err;
	if (!vm)
		return visit_group(w, dir, folder, parent, &s, depth);
	err = add(w, parent, folder, vm, &s);
	return err < 0 ? err : 0;
}

static int is_folder(const struct dirent *d)
{
	return d->d_name[0] != '.' && (d->d_type == DT_DIR || d->d_type == DT_UNKNOWN);
}

static int visit_one(struct walk *w, int dir, const char *folder, int parent, unsigned int depth)
{
	int fd = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), err;

	/* Cgroups come and go. */
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : failed(w, folder, "the files", -errno);
	err = visit(w, fd, folder, parent, depth);
	close(fd);
	return err;
}

static int visit_all(struct walk *w, int dir, const char *folder, int parent, unsigned int depth)
{
	struct dirent **names;
	int n, err = 0;

	if (depth > GROUP_LIST_DEPTH)
		return 0;
	n = scandirat(dir, ".", &names, is_folder, alphasort);
	if (n < 0)
		return failed(w, folder, "the folders", -errno);
	for (int i = 0; i < n; i++) {
		if (!err)
			err = visit_one(w, dir, names[i]->d_name, parent, depth);
		free(names[i]);
	}
	free(names);
	return err;
}

/* --- what reservations count --- */

static __u64 stated_below(const struct group_list *l, int parent)
{
	__u64 sum = 0;

	for (size_t i = parent + 1; i < l->n; i++)
		if (l->entry[i].parent == parent)
			sum += l->entry[i].spec.reservation;
	return sum;
}

/* Parents come first, so what a parent has is settled when its members are looked at. */
static void share_out(struct cgroup_tree *t, int parent, __u64 has)
{
	__u64 stated = stated_below(&t->list, parent);

	if (stated <= has)
		return;
	for (size_t i = parent + 1; i < t->list.n; i++) {
		struct group_entry *e = &t->list.entry[i];

		if (e->parent != parent || !e->spec.reservation)
			continue;
		e->spec.reservation = (unsigned __int128)e->spec.reservation * has / stated;
		t->shrunk++;
	}
}

static void settle(struct cgroup_tree *t, bool bounded, __u64 has)
{
	if (bounded)
		share_out(t, -1, has);
	for (size_t i = 0; i < t->list.n; i++)
		if (!t->list.entry[i].spec.vm)
			share_out(t, i, t->list.entry[i].spec.reservation);
}

static int check(const struct walk *w, const char *folder)
{
	if (!w->controlled)
		snprintf(w->why, w->size,
			 "no memory controller in '%s': it is not of cgroup v2, or the controller "
			 "is not in its cgroup.subtree_control",
			 folder);
	else if (!w->out->list.n)
		snprintf(w->why, w->size,
			 "no cgroup in '%s' is that of a VM with a curve: they are known by the "
			 "folder's name, or by their process",
			 folder);
	else
		return 0;
	return -ENOENT;
}

int cgroup_tree__read(struct cgroup_tree *out, const char *folder, const char *const *vms,
		      size_t nr_vms, char *why, size_t size)
{
	struct walk w = {.out = out, .vms = vms, .nr_vms = nr_vms, .why = why, .size = size};
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	struct group_spec top = {0};

	*out = (struct cgroup_tree){0};
	if (dir < 0)
		return failed(&w, folder, "the folders", -errno);
	err = read_bounds(&w, dir, folder, &top);
	if (!err)
		err = visit_all(&w, dir, folder, -1, 1);
	if (!err)
		err = check(&w, folder);
	if (!err) {
		out->limit = top.limit;
		/* The root of all cgroups has no such file, and leaves reservations as they are. */
		settle(out, !faccessat(dir, "memory.low", F_OK, 0), top.reservation);
	} else {
		group_list__free(&out->list);
	}
	close(dir);
	return err;
}
