// SPDX-License-Identifier: GPL-2.0
/* hvtrace record: page events to a file, for later. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../loader/recording.h"
#include "cli.h"
#include "session.h"

/* A recording whose writer is killed lacks no more than the last so many seconds. */
#define FLUSH_EVERY 1.0

struct record {
	struct trace_options opts;
	const char *path;
	FILE *out;
	struct session *session;
	struct recording_writer *writer;
	int err; /* the first of the writer's */
	__u64 events;
	bool disks[1 << 16]; /* told of */
};

static const struct option long_options[] = {
	TRACE_LONG_OPTIONS,
	{"output", required_argument, NULL, 'o'},
	{0},
};

static const char help[] =
	"Usage: hvtrace record -o FILE [OPTION]...\n"
	"Write the page events of the VMs of this host to FILE ('-': standard output).\n"
	"\n"
	"  -o, --output FILE   where to write\n";

static const char examples[] = "\n"
			       "Examples:\n"
			       "  hvtrace record -o vm.hvt -d 600 --vm web\n"
			       "  hvtrace record -o - -d 60 | ssh host hvtrace mrc -\n";

static void keep(struct record *r, int err)
{
	if (err && !r->err)
		r->err = err;
}

/* Names of disks go ahead of their first event. */
static void tell_disks(struct record *r, const struct page_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		__u16 disk = events[i].page >> PE_DISK_SHIFT;

		if (events[i].space != SPACE_DISK || r->disks[disk])
			continue;
		r->disks[disk] = true;
		keep(r,
		     recording_writer__disk(r->writer, disk,
					    tracer__disk_name(session__tracer(r->session), disk)));
	}
}

static void on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct record *r = ctx;

	tell_disks(r, events, n);
	r->events += n;
	keep(r, recording_writer__events(r->writer, events, n));
}

static void write_vm(struct record *r, const struct tracer_vm *vm)
{
	struct recording_vm out = {
		.id = vm->id,
		.pid = vm->pid,
		.generation = vm->generation,
		.mem_pages = vm->mem_pages,
	};

	snprintf(out.name, sizeof(out.name), "%s", vm->name);
	snprintf(out.vmm, sizeof(out.vmm), "%s", vm->vmm);
	keep(r, recording_writer__vm(r->writer, &out));
}

/* Its last words: who it was, as far as known by now, and its counters. */
static void on_vm_ended(void *ctx, const struct tracer_vm *vm)
{
	struct record *r = ctx;
	struct vm_counters counters;

	write_vm(r, vm);
	if (!tracer__counters(session__tracer(r->session), vm->id, &counters))
		keep(r, recording_writer__counters(r->writer, vm->id, &counters));
}

static void on_vm_new(void *ctx, const struct tracer_vm *vm)
{
	write_vm(ctx, vm);
}

static void on_threshold(void *ctx, __u64 threshold)
{
	struct record *r = ctx;

	keep(r, recording_writer__threshold(r->writer, threshold));
}

static const struct session_ops session_ops = {
	.events = on_events,
	.vm_new = on_vm_new,
	.vm_ended = on_vm_ended,
	.threshold = on_threshold,
};

static int follow(struct record *r)
{
	double flushed = cli__now();
	int err = 0;

	while (!err && !r->err && !session__done(r->session)) {
		err = session__poll(r->session);
		if (cli__now() - flushed < FLUSH_EVERY)
			continue;
		keep(r, recording_writer__flush(r->writer));
		flushed = cli__now();
	}
	return err ? cli__failed("tracing stopped: %s", strerror(-err)) : CLI_DONE;
}

static void write_rest(struct record *r, const struct tracer_loss *loss)
{
	const struct tracer *t = session__tracer(r->session);
	struct recording_loss out = {
		.events = loss->events,
		.dropped = loss->dropped,
		.frames = loss->frames,
		.latency = loss->latency,
		.vms = loss->vms,
		.truncated = loss->truncated,
	};

	keep(r, session__drain(r->session));
	for (size_t i = 0; i < tracer__nr_vms(t); i++)
		if (!tracer__vm(t, i)->ended && session__chosen(r->session, tracer__vm(t, i)))
			on_vm_ended(r, tracer__vm(t, i));
	keep(r, recording_writer__finish(r->writer, &out));
}

static int finish(struct record *r)
{
	struct tracer_loss loss = {0};
	__u64 bytes;

	tracer__loss(session__tracer(r->session), &loss);
	write_rest(r, &loss);
	bytes = recording_writer__bytes(r->writer);
	if (r->err)
		return cli__failed("cannot write '%s': %s; the %llu bytes before can be read with "
				   "'hvtrace mrc'",
				   r->path, strerror(-r->err), bytes);
	if (!r->opts.quiet)
		cli__note("%llu events in %.1f s, %llu bytes, %.2f bytes an event, %llu dropped, "
			  "sampling 1/%llu",
			  r->events, session__age(r->session), bytes,
			  r->events ? (double)bytes / r->events : 0, loss.dropped,
			  session__one_in(r->session));
	return CLI_DONE;
}

static int open_output(struct record *r)
{
	int err;

	r->out = strcmp(r->path, "-") ? fopen(r->path, "we") : stdout;
	if (!r->out)
		return cli__failed("cannot write '%s': %s", r->path, strerror(errno));
	r->writer = recording_writer__new(r->out, session__threshold(r->session), &err);
	if (!r->writer)
		return cli__failed("cannot write '%s': %s", r->path, strerror(-err));
	return CLI_DONE;
}

static int run(struct record *r)
{
	int status = session__open(&r->session, &r->opts, &session_ops, r);

	if (!status)
		status = open_output(r);
	if (status)
		return status;
	status = follow(r);
	return finish(r) ?: status;
}

static int parse(struct record *r, int argc, char **argv)
{
	int opt, err;

	while ((opt = getopt_long(argc, argv, ":o:" TRACE_SHORT_OPTIONS, long_options, NULL)) >=
	       0) {
		if (opt == 'h') {
			printf("%s%s%s", help, trace_options_help, examples);
			return -1;
		}
		if (opt == 'o') {
			r->path = optarg;
			continue;
		}
		err = trace_options__take(&r->opts, opt, optarg);
		if (err)
			return err == -ENOENT ? cli__bad_option(opt, argv) : err;
	}
	if (optind < argc)
		return cli__usage("unexpected argument '%s'", argv[optind]);
	if (!r->path)
		return cli__usage("-o FILE is missing: where to write the recording");
	return 0;
}

int cmd_record(int argc, char **argv)
{
	struct record *r = calloc(1, sizeof(*r));
	int status;

	if (!r)
		return cli__failed("out of memory");
	status = parse(r, argc, argv);
	if (!status)
		status = run(r);
	else if (status < 0)
		status = cli__flush();
	session__close(r->session);
	recording_writer__free(r->writer);
	if (r->out && r->out != stdout)
		fclose(r->out);
	trace_options__free(&r->opts);
	free(r);
	return status;
}
