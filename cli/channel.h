/* SPDX-License-Identifier: GPL-2.0 */
/*
 * JSON objects, one a line, to and from a process that listens on a UNIX socket: QEMU's monitor,
 * `hvtrace serve`. Nothing waits longer than it is told to, whatever the other side does.
 */
#ifndef HVTRACE_CHANNEL_H
#define HVTRACE_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct channel;

/* What comes from the other side. */
struct channel_opts {
	size_t longest; /* bytes of a line, about; 0: any number */
	bool reals;	/* numbers come as reals, exact up to 2^53: some fit into no json_int_t */
};

/* Connect within so many seconds; INFINITY: as long as it takes. -errno of connect(2);
 * -ETIMEDOUT. */
int channel__open(struct channel **out, const struct channel_opts *o, const char *path,
		  double seconds);
/* A connected socket, taken over. -ENOMEM: it is closed. */
int channel__adopt(struct channel **out, const struct channel_opts *o, int fd);
void channel__close(struct channel *c); /* NULL is fine */

/* Deadlines are times of cli__now(), or INFINITY. -ETIMEDOUT, -EPIPE: nobody reads, -errno. After
 * an error half of a line may be on its way: close. */
int channel__send(struct channel *c, const json_t *object, double deadline);
/* The next object, which is the caller's. -ETIMEDOUT; -ECONNRESET: the other side closed; -EBADMSG:
 * not a JSON object on a line, or too long a line; -errno. */
int channel__receive(struct channel *c, json_t **out, double deadline);

/* The process at the other end when it began to listen; 0: not known. */
pid_t channel__peer(const struct channel *c);

#endif
