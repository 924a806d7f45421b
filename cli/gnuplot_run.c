// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gnuplot_run.h"

/* `in` and `fd` as its stdin and stdout, and SIGPIPE as programs expect it. */
static int spawn(pid_t *pid, int in, int fd)
{
	char *argv[] = {"gnuplot", "-", NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t signals;
	int err = posix_spawn_file_actions_init(&files);

	if (err)
		return -err;
	err = posix_spawnattr_init(&attr);
	if (err)
		goto free_files;
	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &signals);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	err = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO) ?:
	      posix_spawn_file_actions_adddup2(&files, fd, STDOUT_FILENO) ?:
	      posix_spawnp(pid, argv[0], &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
free_files:
	posix_spawn_file_actions_destroy(&files);
	return -err;
}

int gnuplot_run__begin(struct gnuplot_run *g, int fd)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	err = spawn(&g->pid, ends[0], fd);
	close(ends[0]);
	g->script = err ? NULL : fdopen(ends[1], "w");
	if (!g->script) {
		close(ends[1]);
		return err ?: -ENOMEM;
	}
	return 0;
}

int gnuplot_run__end(struct gnuplot_run *g)
{
	int status, err = fclose(g->script) ? -errno : 0;

	while (waitpid(g->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return -EIO;
	return err;
}
