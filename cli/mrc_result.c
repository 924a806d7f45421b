// SPDX-License-Identifier: GPL-2.0
/* What was read, and what to call it. */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mrc_result.h"

/* Without folders, and without what says how it is packed. */
static char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash && slash[1] ? slash + 1 : path;
	size_t n = strlen(base);

	if (!strcmp(path, "-"))
		return strdup("stdin");
	if (n > 3 && !strcmp(base + n - 3, ".gz"))
		n -= 3;
	else if (n > 4 && !strcmp(base + n - 4, ".zst"))
		n -= 4;
	return strndup(base, n);
}

/* Traces of the same name in several folders are called by their paths. */
static bool tell_apart(struct mrc_sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		char *base = base_name(s->v[i].path);
		size_t same = 0;

		for (size_t k = 0; base && k < s->n; k++) {
			char *other = base_name(s->v[k].path);

			same += other && !strcmp(base, other);
			free(other);
		}
		s->v[i].name = same > 1 ? strdup(s->v[i].path) : base;
		if (same > 1)
			free(base);
		if (!s->v[i].name)
			return false;
	}
	return true;
}

bool mrc_sources__init(struct mrc_sources *s, const struct mrc_options *o)
{
	s->v = calloc(o->nr_paths, sizeof(*s->v));
	if (!s->v)
		return false;
	s->n = o->nr_paths;
	for (size_t i = 0; i < s->n; i++) {
		s->v[i].path = o->paths[i];
		s->v[i].every = &s->every;
		s->v[i].alone = s->n == 1;
	}
	return tell_apart(s);
}

static void free_result(struct mrc_result *r)
{
	vm_report__free(r->report);
	vm_report__free(r->at);
	vm_report__free(r->fine);
	for (int space = 0; space < PAGE_SPACES; space++)
		policy_curves__free(r->policies[space]);
}

void mrc_sources__free(struct mrc_sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < s->v[i].nr; k++)
			free_result(&s->v[i].results[k]);
		free(s->v[i].results);
		free(s->v[i].name);
	}
	free(s->v);
	mrc_every__free(&s->every);
}

struct mrc_result *mrc_source__add(struct mrc_source *s)
{
	struct mrc_result *v = realloc(s->results, (s->nr + 1) * sizeof(*v));

	if (!v)
		return NULL;
	s->results = v;
	v[s->nr] = (struct mrc_result){0};
	return &v[s->nr++];
}

/* --- names --- */

static const char *own_name(const struct mrc_source *s, size_t i)
{
	return s->own ? s->results[i].vm.name : s->name;
}

static size_t count_name(const struct mrc_source *s, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nr; i++)
		n += !strcmp(own_name(s, i), name);
	return n;
}

/* With the pid if another VM of the recording has the same, with the trace's name if one of
 * another trace has. NULL: out of memory. */
static char *full_name(const struct mrc_sources *all, const struct mrc_source *s, size_t i)
{
	const char *name = own_name(s, i);
	size_t here = count_name(s, name), elsewhere = 0;
	char pid[16] = "", *full;

	for (size_t k = 0; k < all->n; k++)
		if (&all->v[k] != s)
			elsewhere += count_name(&all->v[k], name);
	if (here > 1)
		snprintf(pid, sizeof(pid), ":%u", s->results[i].vm.pid);
	return asprintf(&full, "%s%s%s%s", name, pid, elsewhere ? "@" : "",
			elsewhere ? s->name : "") < 0
		       ? NULL
		       : full;
}

static int rename_report(struct vm_report *r, const char *name)
{
	if (!r)
		return 0;
	free(r->name);
	r->name = strdup(name);
	return r->name ? 0 : -ENOMEM;
}

static int rename_result(struct mrc_result *r, char *name)
{
	int err = -ENOMEM;

	if (name)
		err = rename_report(r->report, name) ?: rename_report(r->at, name) ?:
						       rename_report(r->fine, name);
	free(name);
	return err;
}

/* A foreign trace's name is its own: only VMs can have to give way. */
int mrc_sources__settle_names(struct mrc_sources *s)
{
	int err = 0;

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; s->v[i].own && k < s->v[i].nr && !err; k++)
			err = rename_result(&s->v[i].results[k], full_name(s, &s->v[i], k));
	return err;
}
