/* SPDX-License-Identifier: GPL-2.0 */
/* A QEMU with a balloon, as far as `hvtrace balance` asks it. */
#ifndef TESTS_UNIT_FAKE_QEMU_H
#define TESTS_UNIT_FAKE_QEMU_H

#include <stdbool.h>

#include "line_server.h"

/* Of guest memory. */
#define FAKE_QEMU_BYTES (128L << 20)

struct fake_qemu {
	long actual, available; /* bytes */
	long pace;		/* bytes that the guest gives or takes when it is asked; 0: all */
	int polling;		/* seconds between statistics */
	bool stale;		/* ... which never came */
	bool no_balloon, refuses;
	const struct fake_qemu *other; /* of the same memory; NULL: none */
	long peak;		       /* ... of which both had so much when this was told */

	struct line_server server;
	long told;
	char line[512];
};

void fake_qemu__start(struct fake_qemu *q);
void fake_qemu__stop(struct fake_qemu *q);

#endif
