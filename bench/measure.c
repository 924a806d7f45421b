// SPDX-License-Identifier: GPL-2.0
/*
 * Whole-process time and peak memory of a command, a line a run: seconds and KiB of the largest
 * resident set. A shell that does this itself adds its own milliseconds.
 *
 *   measure RUNS COMMAND [ARGUMENT]...    the command's standard output is dropped
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

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* 0, or a positive errno. */
static int start(char **command, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return err;
	err = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!err)
		err = posix_spawnp(pid, command[0], &actions, NULL, command, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static int run(char **command)
{
	double time = now();
	struct rusage used;
	int err, status;
	pid_t pid;

	err = start(command, &pid);
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
	printf("%.6f %ld\n", time, used.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[1]) : 0;

	if (runs < 1) {
		fprintf(stderr, "measure: usage: measure RUNS COMMAND [ARGUMENT]...\n");
		return 1;
	}
	while (runs--)
		if (run(argv + 2))
			return 1;
	return 0;
}
