/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page of text over HTTP, to this host only, made anew for each request. libmicrohttpd without
 * threads of its own, in the control loop.
 */
#ifndef HVTRACE_HTTP_H
#define HVTRACE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <linux/types.h>

#include "../cache/loop.h"

/* A loopback address with its port. */
struct http_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

/* "PORT", "127.0.0.1:PORT", "[::1]:PORT"; port 0: any that is free. -EINVAL: not one of these. */
int http_address__parse(const char *text, struct http_address *out);

struct http;

struct http_opts {
	struct loop *loop;
	struct http_address address;
	const char *path, *type; /* of the page; all others are not found */
	/* Write the page. */
	void (*page)(void *ctx, FILE *out);
	void *ctx;
};

/* -ENOSYS: this build has no HTTP server; -errno; with a sentence in why. */
int http__new(struct http **out, const struct http_opts *o, char *why, size_t size);
void http__free(struct http *h); /* NULL is fine */
/* "127.0.0.1:9101" */
const char *http__address(const struct http *h);

#endif
