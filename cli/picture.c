// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* memfd_create */
#include "picture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli.h"
#include "gnuplot_run.h"

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

bool picture__is_png(const char *output)
{
	return ends_with(output, ".png");
}

bool picture__can_be(const char *output)
{
	return !strcmp(output, "-") || picture__is_png(output) || ends_with(output, ".svg");
}

static int run_gnuplot(int fd, void (*write)(FILE *script, void *ctx), void *ctx)
{
	struct gnuplot_run g;
	int err = gnuplot_run__begin(&g, fd);

	if (err == -ENOENT)
		return cli__failed("gnuplot is not installed; install the package gnuplot-nox, or "
				   "use another tool on the CSV");
	if (err)
		return cli__failed("cannot start gnuplot: %s", strerror(-err));
	write(g.script, ctx);
	err = gnuplot_run__end(&g);
	return err ? cli__failed("gnuplot failed to draw the picture") : CLI_DONE;
}

static int copy(int from, int to)
{
	char buf[1 << 16];
	ssize_t n, done = 0;

	while ((n = pread(from, buf, sizeof(buf), done)) > 0) {
		ssize_t wrote = write(to, buf, n);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		done += wrote > 0 ? wrote : 0;
	}
	return n < 0 ? -errno : 0;
}

static int save(const char *output, int picture)
{
	bool to_stdout = !strcmp(output, "-");
	int fd = to_stdout ? STDOUT_FILENO
			   : open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int err = fd < 0 ? -errno : copy(picture, fd);

	if (fd >= 0 && !to_stdout && close(fd) && !err)
		err = -errno;
	return err ? cli__failed("cannot write '%s': %s; choose another file", output,
				 strerror(-err))
		   : CLI_DONE;
}

/* In memory first: gnuplot does not notice a full disk. */
int picture__draw(const char *output, void (*write)(FILE *script, void *ctx), void *ctx)
{
	int fd = memfd_create("picture", MFD_CLOEXEC), status;

	if (fd < 0)
		return cli__failed("no memory for the picture: %s", strerror(errno));
	status = run_gnuplot(fd, write, ctx) ?: save(output, fd);
	close(fd);
	return status;
}
