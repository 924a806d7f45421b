/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A control socket: one JSON object a line in, {"cmd":NAME,...}, one a line out, {"error":TEXT}
 * when it went wrong. For the same user and root only. Nothing a client does or leaves undone keeps
 * the loop waiting: a client's next request is read when the answer to its last one is written.
 */
#ifndef HVTRACE_CONTROL_H
#define HVTRACE_CONTROL_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "../cache/loop.h"

/* Bytes of a request, its newline included. */
#define CONTROL_LINE (64U << 10)
#define CONTROL_CLIENTS 64

struct control;
/* A request that is to be answered: exactly once, now or later, in the loop's thread. */
struct control_call;

struct control_command {
	const char *name;
	/* What a request may have beside "cmd", up to a NULL. NULL: fn looks itself. */
	const char *const *members;
	/* The request lives until this returns. */
	void (*fn)(void *ctx, struct control_call *call, const json_t *request);
};

struct control_opts {
	size_t sz; /* sizeof(struct control_opts) */
	struct loop *loop;
	const char *path; /* to listen at; NULL: only control__add_client() */
	const struct control_command *commands;
	size_t nr_commands;
	void *ctx;
};

/* Errors are those of listener__open(), too; with a sentence in why. */
int control__new(struct control **out, const struct control_opts *o, char *why, size_t size);
/* Unlinks the socket. What is not answered may still be: nobody hears it. NULL is fine. */
void control__free(struct control *c);
/* A connected socket, taken over. -errno. */
int control__add_client(struct control *c, int fd);

/* Takes over the answer. NULL: out of memory. */
void control_call__answer(struct control_call *call, json_t *answer);
void control_call__fail(struct control_call *call, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
