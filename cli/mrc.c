// SPDX-License-Identifier: GPL-2.0
/* hvtrace mrc: miss curves of recordings and of traces of other tools; no root needed. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../loader/trace/trace.h"
#include "cli.h"
#include "mrc_result.h"

static int read_source(struct mrc_source *s, const struct mrc_options *o)
{
	struct trace_opts opts = {.sz = sizeof(opts), .format = o->format, .skip_bad = o->skip_bad};
	struct trace_fault fault = {0};
	struct trace *t = trace__open(s->path, &opts, &fault);
	int status;

	if (!t)
		return cli__failed("'%s': %s", s->path,
				   fault.reason[0] ? fault.reason : strerror(errno));
	s->format = trace__format(t);
	s->own = !strcmp(s->format, "own");
	status = s->own ? mrc_recording__read(s, o, t) : mrc_trace__read(s, o, t);
	trace__close(t);
	return status;
}

/* Better now than after hours with the traces before it. */
static int check_readable(const struct mrc_sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].path, "-") && access(s->v[i].path, R_OK))
			return cli__failed("cannot read '%s': %s", s->v[i].path, strerror(errno));
	return CLI_DONE;
}

/* One that cannot be read leaves the others to be told; a wrong option concerns all. */
int mrc_sources__read(struct mrc_sources *s, const struct mrc_options *o)
{
	int status = check_readable(s) ?: mrc_every__init(&s->every, o), err;

	if (status)
		return status;
	for (size_t i = 0; i < s->n && status != CLI_USAGE; i++) {
		err = read_source(&s->v[i], o);
		if (err)
			status = err;
	}
	return status;
}

static int tell_all(struct mrc_sources *s, const struct mrc_options *o)
{
	int status = CLI_DONE;
	bool any = false;

	for (size_t i = 0; i < s->n; i++)
		any |= s->v[i].done;
	if (!any || o->dump)
		return cli__flush();
	if (mrc_sources__settle_names(s))
		return cli__failed("out of memory");
	if (o->csv)
		status = mrc_sources__write_csv(s, o);
	if (o->csv && !strcmp(o->csv, "-"))
		return status;
	return mrc_sources__tell(s, o) ?: status;
}

static int run(const struct mrc_options *o)
{
	struct mrc_sources sources = {0};
	int status;

	if (!mrc_sources__init(&sources, o)) {
		status = cli__failed("out of memory");
	} else {
		status = mrc_sources__read(&sources, o);
		if (status != CLI_USAGE)
			status = tell_all(&sources, o) ?: status;
	}
	mrc_sources__free(&sources);
	return status;
}

int cmd_mrc(int argc, char **argv)
{
	struct mrc_options o = {0};
	int status = mrc_options__parse(&o, argc, argv);

	if (!status)
		status = run(&o);
	else if (status < 0)
		status = cli__flush();
	mrc_options__free(&o);
	return status;
}
