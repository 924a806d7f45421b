// SPDX-License-Identifier: GPL-2.0
/* hvtrace mrc: miss curves from a recording; no root needed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/engine.h"
#include "../analysis/export.h"
#include "../analysis/size.h"
#include "../loader/recording.h"
#include "cli.h"
#include "sampling.h"
#include "summary.h"

/* Lines of the table of sizes when none are asked for. */
#define TABLE_SIZES 12

/* A VM of the recording, done. */
struct result {
	struct recording_vm vm;
	struct vm_report *report; /* for histograms and chart */
	struct vm_report *at;	  /* with the curve at the sizes of the table */
};

struct mrc {
	const char *path, *csv;
	__u64 *sizes;
	size_t nr_sizes;
	__u64 max_pages;
	bool json, dump;

	struct engine *engine;
	__u64 threshold, events;
	struct recording_loss loss;
	/* VM slots as of now */
	struct {
		bool seen, known;
		struct recording_vm vm;
	} slots[PE_MAX_VMS];
	struct result *results;
	size_t nr;
};

enum { OPT_SIZES = 256, OPT_CSV, OPT_JSON, OPT_MAX_PAGES, OPT_DUMP, OPT_FORMAT };

static const struct option long_options[] = {
	{"sizes", required_argument, NULL, OPT_SIZES},
	{"csv", required_argument, NULL, OPT_CSV},
	{"json", no_argument, NULL, OPT_JSON},
	{"max-pages", required_argument, NULL, OPT_MAX_PAGES},
	{"dump", no_argument, NULL, OPT_DUMP},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static const char help[] =
	"Usage: hvtrace mrc [OPTION]... TRACE\n"
	"Reuse distances and miss curves of the VMs in a recording ('-': standard input).\n"
	"\n"
	"      --sizes A,B,... curve at these sizes of memory added: 64MiB, 1GiB, 1000p (pages)\n"
	"      --csv FILE      write the curves to FILE ('-': standard output and nothing else)\n"
	"      --json          one JSON object a line instead of tables and charts\n"
	"      --max-pages N   track at most so many pages (default: what memory holds)\n"
	"      --dump          print the events, one a line, and do nothing else\n"
	"      --format F      format of TRACE: own (the default: by hvtrace record)\n"
	"  -h, --help\n"
	"\n"
	"Examples:\n"
	"  hvtrace mrc vm.hvt\n"
	"  hvtrace mrc --sizes 256MiB,512MiB,1GiB --csv curve.csv vm.hvt\n"
	"  hvtrace mrc --dump vm.hvt | grep evict | head\n";

/* --- reading --- */

static int make_engine(struct mrc *m)
{
	struct engine_opts opts = {
		.sz = sizeof(opts),
		.max_pages = m->max_pages,
		.threshold = m->threshold,
	};

	m->engine = engine__new(&opts);
	return m->engine ? 0 : -errno;
}

static int on_threshold(void *ctx, __u64 threshold)
{
	struct mrc *m = ctx;

	m->threshold = threshold;
	return m->engine ? engine__set_threshold(m->engine, threshold) : make_engine(m);
}

static void dump_event(const struct page_event *e)
{
	static const char *const kinds[] = {"fill", "writeback", "evict", "discard"};

	printf("%llu %u %s %s ", e->time, e->vm, kinds[e->kind], page_space__name(e->space));
	if (e->space == SPACE_DISK)
		printf("%llu %llu", e->page >> PE_DISK_SHIFT,
		       e->page & ((1ULL << PE_DISK_SHIFT) - 1));
	else
		printf("- %llu", e->page);
	if (e->frame == PE_FRAME_NONE)
		fputs(" -", stdout);
	else
		printf(" %llu", e->frame);
	printf(" %s%s%s%s %u\n", e->flags & PE_UNCAPTURED ? "u" : "",
	       e->flags & PE_PARTIAL ? "p" : "", e->flags & PE_HOST_CACHE ? "c" : "",
	       e->flags ? "" : "-", e->count);
}

static int on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct mrc *m = ctx;

	m->events += n;
	for (size_t i = 0; i < n; i++) {
		m->slots[events[i].vm].seen = true;
		if (m->dump)
			dump_event(&events[i]);
	}
	if (m->dump)
		return cli__flush() ? -ECANCELED : 0;
	return engine__apply(m->engine, events, n);
}

static int add_result(struct mrc *m, const struct recording_vm *vm, const struct vm_counters *c)
{
	struct result *results = realloc(m->results, (m->nr + 1) * sizeof(*results)), *r;
	__u64 sizes[TABLE_SIZES];
	const __u64 *at = m->sizes;
	size_t n = m->nr_sizes;

	if (!results)
		return -ENOMEM;
	m->results = results;
	r = &results[m->nr];
	*r = (struct result){.vm = *vm};
	if (!at) {
		n = size__defaults(engine__max_distance(m->engine, vm->id, SPACE_DISK), sizes,
				   TABLE_SIZES);
		at = sizes;
	}
	r->report = vm_report__new(m->engine, vm->id, vm->name, c, NULL, 0);
	r->at = vm_report__new(m->engine, vm->id, vm->name, c, at, n);
	m->nr++;
	return r->report && r->at ? 0 : -ENOMEM;
}

/* A slot's VM is done: keep what is known, make room for the next. */
static int end_slot(struct mrc *m, __u16 id, const struct vm_counters *c)
{
	struct recording_vm *vm = &m->slots[id].vm;
	int err = 0;

	if (!m->slots[id].known) {
		*vm = (struct recording_vm){.id = id};
		snprintf(vm->name, sizeof(vm->name), "vm-%u", id);
	}
	if (!m->dump)
		err = add_result(m, vm, c);
	if (m->engine)
		engine__forget(m->engine, id);
	m->slots[id].seen = m->slots[id].known = false;
	return err;
}

/* Comes when a VM is noticed, and again before its counters. */
static int on_vm(void *ctx, const struct recording_vm *vm)
{
	struct mrc *m = ctx;
	int err = 0;

	if (m->slots[vm->id].known && m->slots[vm->id].vm.generation != vm->generation)
		err = end_slot(m, vm->id, NULL);
	m->slots[vm->id].known = true;
	m->slots[vm->id].vm = *vm;
	return err;
}

/* The last that is said of a VM. */
static int on_counters(void *ctx, __u16 vm, const struct vm_counters *c)
{
	return end_slot(ctx, vm, c);
}

static int on_disk(void *ctx, __u16 disk, const char *name)
{
	struct mrc *m = ctx;

	if (m->dump)
		printf("# disk %u is %s\n", disk, name);
	return 0;
}

static int on_loss(void *ctx, const struct recording_loss *loss)
{
	struct mrc *m = ctx;

	m->loss = *loss;
	return 0;
}

static const struct recording_handlers handlers = {
	.events = on_events,
	.vm = on_vm,
	.disk = on_disk,
	.counters = on_counters,
	.threshold = on_threshold,
	.loss = on_loss,
};

/* VMs whose end is not in the recording: it was cut off. */
static int end_rest(struct mrc *m)
{
	int err = 0;

	for (int id = 0; id < PE_MAX_VMS && !err; id++)
		if (m->slots[id].seen || m->slots[id].known)
			err = end_slot(m, id, NULL);
	return err;
}

/* Names that two VMs share get the pid to them. */
static int settle_names(struct mrc *m)
{
	for (size_t i = 0; i < m->nr; i++) {
		struct result *r = &m->results[i];
		char name[96];
		bool alone = true;

		for (size_t j = 0; j < m->nr; j++)
			alone &= i == j || strcmp(r->vm.name, m->results[j].vm.name);
		if (alone)
			continue;
		snprintf(name, sizeof(name), "%s:%u", r->vm.name, r->vm.pid);
		free(r->report->name);
		free(r->at->name);
		r->report->name = strdup(name);
		r->at->name = strdup(name);
		if (!r->report->name || !r->at->name)
			return -ENOMEM;
	}
	return 0;
}

static struct summary_vm summary_of(const struct result *r)
{
	return (struct summary_vm){
		.pid = r->vm.pid,
		.vmm = r->vm.vmm,
		.mem_pages = r->vm.mem_pages,
		.wss = &wss_defaults,
	};
}

/* --- telling --- */

static void put_text(const struct mrc *m)
{
	printf("%llu events, sampling 1/%llu, %llu dropped", m->events,
	       sampling__one_in(m->threshold), m->loss.dropped);
	if (m->loss.frames)
		printf(", %llu frames lost", m->loss.frames);
	putchar('\n');
	for (size_t i = 0; i < m->nr; i++) {
		const struct result *r = &m->results[i];
		struct summary_vm vm = summary_of(r);

		summary__print(stdout, &vm, r->report);
		summary__sizes(stdout, r->at);
	}
}

static void put_json(const struct mrc *m)
{
	printf("{\"type\":\"status\",\"events\":%llu,\"dropped\":%llu,\"lost_frames\":%llu"
	       ",\"lost_latency\":%llu,\"lost_vms\":%llu,\"truncated\":%llu"
	       ",\"sample_one_in\":%llu}\n",
	       m->events, m->loss.dropped, m->loss.frames, m->loss.latency, m->loss.vms,
	       m->loss.truncated, sampling__one_in(m->threshold));
	for (size_t i = 0; i < m->nr; i++) {
		const struct result *r = &m->results[i];
		struct summary_vm vm = summary_of(r);

		summary__json(stdout, &vm, m->sizes ? r->at : r->report);
		findings__json(stdout, r->report, vm.wss);
	}
}

static int write_csv(const struct mrc *m)
{
	struct vm_report **reports = calloc(m->nr + 1, sizeof(*reports));
	bool to_stdout = !strcmp(m->csv, "-");
	FILE *out = to_stdout ? stdout : fopen(m->csv, "we");
	int err = -ENOMEM;

	if (!out)
		err = -errno;
	for (size_t i = 0; reports && i < m->nr; i++)
		reports[i] = m->sizes ? m->results[i].at : m->results[i].report;
	if (out && reports)
		err = export__curve_csv(out, reports, m->nr);
	if (out && !to_stdout && fclose(out) && !err)
		err = -errno;
	free(reports);
	return err ? cli__failed("cannot write '%s': %s", m->csv, strerror(-err)) : CLI_DONE;
}

static int tell(const struct mrc *m)
{
	int status = m->csv ? write_csv(m) : CLI_DONE;

	if (m->csv && !strcmp(m->csv, "-"))
		return status;
	if (m->json)
		put_json(m);
	else
		put_text(m);
	return cli__flush() ?: status;
}

/* --- the whole --- */

static int analyse(struct mrc *m, FILE *in)
{
	struct recording_fault fault = {0};
	int err, status = CLI_DONE;

	if (m->dump)
		puts("# time_ns vm kind space disk page frame flags count");
	err = recording__read(in, &handlers, m, &fault);
	if (err == -ECANCELED)
		return CLI_FAILED;
	if (err && !fault.reason[0])
		return cli__failed("cannot analyse '%s': %s; bound memory with --max-pages",
				   m->path, strerror(-err));
	if (err == -EINVAL)
		return cli__failed("'%s': %s; hvtrace record makes them", m->path, fault.reason);
	if (m->engine)
		status = end_rest(m) || settle_names(m) ? cli__failed("out of memory") : CLI_DONE;
	if (!status && !m->dump && m->engine)
		status = tell(m);
	status = cli__flush() ?: status;
	if (err)
		status = cli__failed(
			"'%s' is damaged at byte %llu: %s; what was read before is used", m->path,
			fault.offset, fault.reason);
	return status;
}

static int run(struct mrc *m)
{
	bool from_stdin = !strcmp(m->path, "-");
	FILE *in = from_stdin ? stdin : fopen(m->path, "re");
	int status;

	if (!in)
		return cli__failed("cannot read '%s': %s", m->path, strerror(errno));
	status = analyse(m, in);
	if (!from_stdin)
		fclose(in);
	return status;
}

static int take(struct mrc *m, int opt, char **argv)
{
	switch (opt) {
	case OPT_SIZES:
		free(m->sizes);
		m->sizes = NULL;
		if (size__parse_list(optarg, &m->sizes, &m->nr_sizes))
			return cli__usage("--sizes '%s' is not a list such as 64MiB,1GiB,1000p",
					  optarg);
		return 0;
	case OPT_MAX_PAGES:
		if (!cli__parse_count(optarg, 1, 1ULL << 40, &m->max_pages))
			return cli__usage("--max-pages '%s' is not a number of pages above 0",
					  optarg);
		return 0;
	case OPT_FORMAT:
		if (strcmp(optarg, "own"))
			return cli__usage("unknown format '%s'; there is: own", optarg);
		return 0;
	case OPT_CSV:
		m->csv = optarg;
		return 0;
	case OPT_JSON:
		m->json = true;
		return 0;
	case OPT_DUMP:
		m->dump = true;
		return 0;
	}
	return cli__bad_option(opt, argv);
}

static int parse(struct mrc *m, int argc, char **argv)
{
	int opt, err;

	while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) >= 0) {
		if (opt == 'h') {
			fputs(help, stdout);
			return -1;
		}
		err = take(m, opt, argv);
		if (err)
			return err;
	}
	if (optind == argc)
		return cli__usage("TRACE is missing: a file of 'hvtrace record', or '-'");
	if (optind + 1 < argc)
		return cli__usage("unexpected argument '%s'", argv[optind + 1]);
	m->path = argv[optind];
	return 0;
}

int cmd_mrc(int argc, char **argv)
{
	struct mrc *m = calloc(1, sizeof(*m));
	int status;

	if (!m)
		return cli__failed("out of memory");
	status = parse(m, argc, argv);
	if (!status)
		status = run(m);
	else if (status < 0)
		status = cli__flush();
	for (size_t i = 0; i < m->nr; i++) {
		vm_report__free(m->results[i].report);
		vm_report__free(m->results[i].at);
	}
	free(m->results);
	engine__free(m->engine);
	free(m->sizes);
	free(m);
	return status;
}
