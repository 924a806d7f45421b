// SPDX-License-Identifier: GPL-2.0
#include "csv_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../analysis/export.h"
#include "cli.h"

int csv_folder__check(const char *dir)
{
	int fd;

	if (!dir)
		return CLI_DONE;
	fd = mkdir(dir, 0777) && errno != EEXIST ? -1 : open(dir, O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	if (fd < 0 || access(dir, W_OK | X_OK))
		return cli__failed("cannot write to folder '%s': %s; choose another --csv DIR", dir,
				   strerror(errno));
	return CLI_DONE;
}

int csv_folder__write(const char *dir, struct vm_report *const *reports, size_t n)
{
	struct export_fault fault;
	int err = export__folder(dir, reports, n, &fault);

	if (!err)
		return CLI_DONE;
	return cli__failed("cannot write '%s': %s%s", fault.path, strerror(-err),
			   err == -ENOSPC ? "; free some space or choose another --csv DIR" : "");
}
