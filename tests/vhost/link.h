/* SPDX-License-Identifier: GPL-2.0 */
/* The socket between a front end and its back end: any message out, replies in. */
#ifndef TESTS_VHOST_LINK_H
#define TESTS_VHOST_LINK_H

#include <stddef.h>

#include "wire.h"

/* No answer after so long is no answer. */
#define LINK_SECONDS 20

/* A socket connected to that path, which may take `seconds` to be there. -errno. */
int link__connect(const char *path, double seconds);
/* Two ends of a connection. -errno. */
int link__pair(int end[2]);

/* Bytes with file descriptors, as they are. -errno. */
int link__send_raw(int sock, const void *data, size_t bytes, const int *fds, unsigned nr_fds);
/* header.flags gets the version. -errno. */
int link__send(int sock, struct vu_msg *m);
/* Next message; its descriptors are the caller's. -ECONNRESET: the other end is gone.
 * -ETIMEDOUT. -EBADMSG: it is none. */
int link__recv(int sock, struct vu_msg *m);
void link__close_fds(struct vu_msg *m);
/* Send, then the reply to it, in place. -errno. */
int link__ask(int sock, struct vu_msg *m);
/* 1: the other end has hung up, within that time. 0: it has not. -errno. */
int link__hung_up(int sock, int milliseconds);

#endif
