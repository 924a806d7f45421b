// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define NOBODY ((uid_t)-1)
/* Of a user, at most. */
#define GROUPS 64

/*
 * Users and groups are those of the files, or numbers: the C library's own look-up would load what
 * nsswitch.conf names, which a static program cannot rely on.
 */

static int no_such(const char *what, const char *name, const char *file, char *why, size_t size)
{
	snprintf(why, size, "there is no %s '%s' in %s; give one that is, or a number", what, name,
		 file);
	return -ENOENT;
}

/* What the file calls it, if that has it, goes to called. */
static int find_user(const char *name, uid_t *uid, gid_t *gid, char called[IDENTITY_NAME],
		     char *why, size_t size)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *pw;
	__u64 number = NOBODY;
	bool found = cli__parse_count(name, 0, NOBODY - 1, &number);

	*uid = number;
	*gid = number;
	snprintf(called, IDENTITY_NAME, "%s", name);
	while (f && (pw = fgetpwent(f))) {
		if (pw->pw_uid != number && strcmp(pw->pw_name, name))
			continue;
		*uid = pw->pw_uid;
		*gid = pw->pw_gid;
		snprintf(called, IDENTITY_NAME, "%s", pw->pw_name);
		found = true;
		break;
	}
	if (f)
		fclose(f);
	return found ? 0 : no_such("user", name, "/etc/passwd", why, size);
}

static int find_group(const char *name, gid_t *gid, char *why, size_t size)
{
	FILE *f = fopen("/etc/group", "re");
	const struct group *gr;
	__u64 number = NOBODY;
	bool found = cli__parse_count(name, 0, NOBODY - 1, &number);

	*gid = number;
	while (!found && f && (gr = fgetgrent(f))) {
		found = !strcmp(gr->gr_name, name);
		*gid = gr->gr_gid;
	}
	if (f)
		fclose(f);
	return found ? 0 : no_such("group", name, "/etc/group", why, size);
}

static bool is_member(const struct group *gr, const char *user)
{
	for (char **m = gr->gr_mem; *m; m++)
		if (!strcmp(*m, user))
			return true;
	return false;
}

/* The user's groups; room for n. */
static size_t find_groups(const struct identity *i, gid_t *out, size_t n)
{
	FILE *f = fopen("/etc/group", "re");
	const struct group *gr;
	size_t found = 0;

	out[found++] = i->gid;
	while (f && found < n && (gr = fgetgrent(f)))
		if (gr->gr_gid != i->gid && is_member(gr, i->name))
			out[found++] = gr->gr_gid;
	if (f)
		fclose(f);
	return found;
}

int identity__find(struct identity *out, const char *user, char *why, size_t size)
{
	int err;

	*out = (struct identity){.uid = geteuid(), .gid = getegid()};
	if (!user)
		return 0;
	err = find_user(user, &out->uid, &out->gid, out->name, why, size);
	if (err)
		return err;
	if (geteuid() && out->uid != geteuid()) {
		snprintf(why, size, "only root may run as another user ('%s')", user);
		return -EPERM;
	}
	out->other = out->uid != geteuid();
	return 0;
}

/* The C library does each of these in all threads (nptl(7)). */
int identity__become(const struct identity *i, char *why, size_t size)
{
	gid_t groups[GROUPS];

	if (!i->other)
		return 0;
	if (setgroups(find_groups(i, groups, GROUPS), groups) ||
	    setresgid(i->gid, i->gid, i->gid) || setresuid(i->uid, i->uid, i->uid)) {
		int err = -errno;

		snprintf(why, size, "cannot become user '%s': %s", i->name, strerror(-err));
		return err;
	}
	return 0;
}

static void raise_limit(int resource, bool privileged)
{
	struct rlimit r;

	if (getrlimit(resource, &r))
		return;
	if (privileged && resource == RLIMIT_MEMLOCK)
		r.rlim_max = RLIM_INFINITY;
	r.rlim_cur = r.rlim_max;
	setrlimit(resource, &r);
}

void identity__prepare(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* Buffers that are registered with io_uring count as locked; each disk has its files. */
	raise_limit(RLIMIT_MEMLOCK, !geteuid());
	raise_limit(RLIMIT_NOFILE, !geteuid());
}

int socket_owner__find(struct socket_owner *out, const char *text, char *why, size_t size)
{
	const char *colon = text ? strchr(text, ':') : NULL;
	char user[IDENTITY_NAME], called[IDENTITY_NAME];
	gid_t gid;
	int err = 0;

	*out = (struct socket_owner){NOBODY, NOBODY};
	if (!text)
		return 0;
	snprintf(user, sizeof(user), "%.*s", colon ? (int)(colon - text) : IDENTITY_NAME - 1, text);
	if (user[0])
		err = find_user(user, &out->uid, &gid, called, why, size);
	if (!err && colon)
		err = find_group(colon + 1, &out->gid, why, size);
	return err;
}

int socket_owner__give(const struct socket_owner *o, const char *path, char *why, size_t size)
{
	int err = 0;

	if (o->uid == NOBODY && o->gid == NOBODY)
		return 0;
	if (lchown(path, o->uid, o->gid) || (o->gid != NOBODY && chmod(path, 0660)))
		err = -errno;
	if (err)
		snprintf(why, size,
			 "cannot give socket '%s' to its owner: %s; without root only a group of "
			 "the server's own user will do (:GROUP)",
			 path, strerror(-err));
	return err;
}
