// SPDX-License-Identifier: GPL-2.0
/*
 * The page references of a trace in any format hvtrace reads, as u64 on stdout: what other
 * programs have to be given to see the same references.
 *
 *   expand TRACE > FILE
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../loader/trace/trace.h"

static int fail(const char *path, const char *why)
{
	fprintf(stderr, "expand: %s: %s\n", path, why);
	return 1;
}

static int write_pages(const struct trace_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		__u64 page = htole64(b->pages[i]);

		if (fwrite(&page, sizeof(page), 1, stdout) != 1)
			return -errno;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct trace_opts opts = {.sz = sizeof(opts)};
	struct trace_fault fault = {0};
	struct trace_batch batch;
	struct trace *t;
	int err, status = 0;

	if (argc != 2)
		return fail("usage", "expand TRACE > FILE");
	t = trace__open(argv[1], &opts, &fault);
	if (!t)
		return fail(argv[1], fault.reason);
	if (trace__recording(t)) {
		trace__close(t);
		return fail(argv[1], "a recording of page events has no one order of references");
	}
	while ((err = trace__next(t, &batch)) > 0)
		if (write_pages(&batch) || ferror(stdout))
			break;
	if (err < 0)
		status = fail(argv[1], trace__fault(t)->reason);
	else if (fflush(stdout) || ferror(stdout))
		status = fail("stdout", strerror(errno));
	trace__close(t);
	return status;
}
