// SPDX-License-Identifier: GPL-2.0
/*
 * Whole-process time and peak memory of a command, a line a run: seconds, KiB of the largest
 * resident set, seconds of CPU time (which other load on the machine does not add to). A shell that
 * does this itself adds its own milliseconds.
 *
 *   measure RUNS OUTPUT COMMAND [ARGUMENT]...    OUTPUT is the file for what the last run writes
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(const struct timeval *t)
{
	return t->tv_sec + t->tv_usec * 1e-6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* 0, or a positive errno. */
static int start(const char *output, char **command, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return err;
	err = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output,
					       O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (!err)
		err = posix_spawnp(pid, command[0], &actions, NULL, command, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static int run(const char *output, char **command)
{
	double time = now();
	struct rusage used;
	int err, status;
	pid_t pid;

	err = start(output, command, &pid);
	if (err) {
		fprintf(stderr, "measure: %s: %s\n", command[0], strerror(err));
		return -1;
	}
	while (wait4(pid, &status, 0, &used) < 0)
		if (errno != EINTR)
			return -1;
	time = now() - time;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "measure: %s failed\n", command[0]);
		return -1;
	}
	printf("%.6f %ld %.6f\n", time, used.ru_maxrss,
	       seconds(&used.ru_utime) + seconds(&used.ru_stime));
	return 0;
}

int main(int argc, char **argv)
{
	int runs = argc > 3 ? atoi(argv[1]) : 0;

	if (runs < 1) {
		fprintf(stderr, "measure: usage: measure RUNS OUTPUT COMMAND [ARGUMENT]...\n");
		return 1;
	}
	while (runs--)
		if (run(argv[2], argv + 3))
			return 1;
	return 0;
}
