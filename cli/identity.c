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

#define NOBODY ((uid_t)-1)

static int no_such(const char *what, const char *name, char *why, size_t size)
{
	snprintf(why, size, "there is no %s '%s'", what, name);
	return -ENOENT;
}

int identity__find(struct identity *out, const char *user, char *why, size_t size)
{
	const struct passwd *pw = user ? getpwnam(user) : NULL;

	*out = (struct identity){.uid = geteuid(), .gid = getegid()};
	if (!user)
		return 0;
	if (!pw)
		return no_such("user", user, why, size);
	if (geteuid() && pw->pw_uid != geteuid()) {
		snprintf(why, size, "only root may run as user '%s'", user);
		return -EPERM;
	}
	out->other = !geteuid() && pw->pw_uid;
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	snprintf(out->name, sizeof(out->name), "%s", user);
	return 0;
}

/* The C library does each of these in all threads (nptl(7)). */
int identity__become(const struct identity *i, char *why, size_t size)
{
	if (!i->other)
		return 0;
	if (initgroups(i->name, i->gid) || setresgid(i->gid, i->gid, i->gid) ||
	    setresuid(i->uid, i->uid, i->uid)) {
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

static int find_group(struct socket_owner *out, const char *name, char *why, size_t size)
{
	const struct group *gr = getgrnam(name);

	if (!gr)
		return no_such("group", name, why, size);
	out->gid = gr->gr_gid;
	return 0;
}

int socket_owner__find(struct socket_owner *out, const char *text, char *why, size_t size)
{
	const char *colon = text ? strchr(text, ':') : NULL;
	const struct passwd *pw;
	char user[64];

	*out = (struct socket_owner){NOBODY, NOBODY};
	if (!text)
		return 0;
	snprintf(user, sizeof(user), "%.*s", colon ? (int)(colon - text) : 63, text);
	pw = user[0] ? getpwnam(user) : NULL;
	if (user[0] && !pw)
		return no_such("user", user, why, size);
	if (pw)
		out->uid = pw->pw_uid;
	return colon ? find_group(out, colon + 1, why, size) : 0;
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
