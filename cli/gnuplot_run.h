/* SPDX-License-Identifier: GPL-2.0 */
/* gnuplot as a child process: a script in, a picture out, no shell in between. */
#ifndef HVTRACE_GNUPLOT_RUN_H
#define HVTRACE_GNUPLOT_RUN_H

#include <stdio.h>
#include <sys/types.h>

struct gnuplot_run {
	pid_t pid;
	FILE *script; /* write the script here */
};

/* Starts it with its stdout on fd. 0 or -errno; -ENOENT: it is not installed. */
int gnuplot_run__begin(struct gnuplot_run *g, int fd);
/* Closes the script and waits. 0; -EIO: it did not end well, and said why on stderr; -errno. */
int gnuplot_run__end(struct gnuplot_run *g);

#endif
