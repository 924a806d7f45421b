/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Somebody who listens on a UNIX socket and answers lines, as QEMU's monitor does: right or wrong,
 * as the test wants it. In a thread of its own, a connection at a time.
 */
#ifndef TESTS_UNIT_LINE_SERVER_H
#define TESTS_UNIT_LINE_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct line_server {
	/* What is sent first; NULL: nothing. */
	const char *greeting;
	/* What is sent for a line, newline included; "": nothing; NULL: the connection ends.
	 * Without this it ends before any is read. */
	const char *(*reply)(void *ctx, const char *line);
	void *ctx;

	char path[64], folder[32];
	int fd;
	atomic_bool ends;
	pthread_t thread;
};

void line_server__start(struct line_server *s);
void line_server__stop(struct line_server *s);

#endif
