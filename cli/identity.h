/* SPDX-License-Identifier: GPL-2.0 */
/* Which user to be, and whose sockets are. */
#ifndef HVTRACE_IDENTITY_H
#define HVTRACE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define IDENTITY_NAME 64

struct identity {
	bool other; /* than now */
	uid_t uid;
	gid_t gid;
	char name[IDENTITY_NAME]; /* the one of /etc/passwd, also if it was given as a number */
};

/* A user by name or number; NULL: stay who we are. -EPERM: only root may become another one;
 * -ENOENT; with a sentence in why. */
int identity__find(struct identity *out, const char *user, char *why, size_t size);
/* Become it for good, all threads. -errno, with a sentence in why. */
int identity__become(const struct identity *i, char *why, size_t size);

/* Processes that are executed get no more rights than this one; limits as high as they may go, as
 * long as we may. */
void identity__prepare(void);

struct socket_owner {
	uid_t uid; /* -1: as it is */
	gid_t gid; /* -1: as it is; else its members may connect, too */
};

/* "USER", "USER:GROUP", ":GROUP"; NULL: as they are. -ENOENT, with a sentence in why. */
int socket_owner__find(struct socket_owner *out, const char *text, char *why, size_t size);
/* Hand a socket over. -errno, with a sentence in why. */
int socket_owner__give(const struct socket_owner *o, const char *path, char *why, size_t size);

#endif
