// SPDX-License-Identifier: GPL-2.0
/* hvtrace live: a table of the VMs per interval; histograms and miss curves at the end. */
#include <bpf/bpf.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../analysis/engine.h"
#include "../analysis/export.h"
#include "../analysis/size.h"
#include "cli.h"
#include "csv_folder.h"
#include "live_control.h"
#include "session.h"
#include "summary.h"
#include "watch.h"

/* The first table comes early: rates need no whole interval. */
#define FIRST_TABLE 0.25
/* Of the engine, unless told: 128 MiB of metadata at most. */
#define MAX_PAGES (2ULL << 20)
/* Of the recent past, up to 1 TiB in steps of an eighth: some 2 MiB for each VM. */
#define RECENT_PARTS 8
#define RECENT_OCTAVES 28
/* Plain lines repeat the heading after so many tables. */
#define HEAD_EVERY 20

struct live {
	struct trace_options opts;
	double interval;
	__u64 count; /* tables to print, 0 = no end */
	__u64 max_pages;
	const char *csv;
	const char *socket; /* to be asked at; NULL: none */
	struct past past;
	bool json, bpf_stats;

	struct session *session;
	struct engine *engine;
	struct live_control *control; /* NULL: none */
	struct vm_recent *recent;     /* NULL: curves are of all that was seen */
	__u64 recent_sizes[2 + RECENT_PARTS * RECENT_OCTAVES];
	struct watch_list list;
	bool redraw; /* on a terminal: one table, drawn over and over */
	bool out_of_memory;
	__u64 tables;
	int stats_fd;
	double cpu_start;
	/* at the begin of the interval */
	double since, cpu_since;
	__u64 events_since;
};

/* What the status line and object say. */
struct status {
	size_t vms, ended;
	double seconds, rate, cpu; /* of the interval; cpu in cores */
	struct tracer_loss loss;
};

enum {
	OPT_CSV = OPT_OWN,
	OPT_CONTROL,
	OPT_WINDOW,
	OPT_HALF_LIFE,
	OPT_JSON,
	OPT_MAX_PAGES,
	OPT_BPF_STATS
};

static const struct option long_options[] = {
	TRACE_LONG_OPTIONS,
	{"interval", required_argument, NULL, 'i'},
	{"count", required_argument, NULL, 'c'},
	{"window", required_argument, NULL, OPT_WINDOW},
	{"half-life", required_argument, NULL, OPT_HALF_LIFE},
	{"csv", required_argument, NULL, OPT_CSV},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"json", no_argument, NULL, OPT_JSON},
	{"max-pages", required_argument, NULL, OPT_MAX_PAGES},
	{"bpf-stats", no_argument, NULL, OPT_BPF_STATS},
	{0},
};

static const char help[] =
	"Usage: hvtrace live [OPTION]...\n"
	"Watch the VMs of this host: a table per interval; on the end, per VM, what was counted,\n"
	"histograms of reuse distances and latency, and the miss curve.\n"
	"\n"
	"  -i, --interval SEC  seconds between tables (default 1)\n"
	"  -c, --count COUNT   end after so many tables\n"
	"      --window T      what more memory would do now: curves of the last 10s, 5m, 2h, ...\n"
	"      --half-life T   ... or of all, accesses T ago counting half\n"
	"      --csv DIR       at the end, write events, histograms and curves to files in DIR\n"
	"      --control SOCK  answer on a control socket (hvtrace ctl, hvtrace plan)\n"
	"      --json          one JSON object a line instead of tables and charts\n"
	"      --max-pages N   track at most so many pages (default 2097152)\n"
	"      --bpf-stats     measure the BPF programs' run time, say it at the end\n";

static const char examples[] = "\n"
			       "Examples:\n"
			       "  hvtrace live -i 5 --vm web --vm db\n"
			       "  hvtrace live -d 60 --csv out && gnuplot out/curve.gp\n"
			       "  hvtrace live --json -d 10 | jq 'select(.type == \"interval\")'\n";

/* --- what the session tells --- */

static void on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct live *l = ctx;
	int err = l->recent ? vm_recent__apply(l->recent, events, n)
			    : engine__apply(l->engine, events, n);

	if (err && !l->out_of_memory)
		cli__note("events are lost: %s; bound memory with --max-pages or --sample",
			  strerror(-err));
	l->out_of_memory |= err != 0;
}

static void account(struct live *l, const struct tracer_vm *vm)
{
	struct watch *w = watch_list__find(&l->list, vm->generation);
	struct vm_counters counters;

	if (!w || w->ended || tracer__counters(session__tracer(l->session), vm->id, &counters))
		return;
	watch__account(w, vm, &counters, session__one_in(l->session));
	if (watch__check(w, session__age(l->session)) < 0 && !l->out_of_memory) {
		cli__note("the curve of %s is not put to the test: out of memory", w->name);
		l->out_of_memory = true;
	}
}

static void account_all(struct live *l)
{
	const struct tracer *t = session__tracer(l->session);

	for (size_t i = 0; i < tracer__nr_vms(t); i++)
		account(l, tracer__vm(t, i));
}

static void on_vm_new(void *ctx, const struct tracer_vm *vm)
{
	struct live *l = ctx;
	struct watch *w = watch_list__add(&l->list, vm, l->engine);

	if (w)
		w->recent = l->recent;
	if (!w && !l->out_of_memory) {
		cli__note("a VM is left out: out of memory");
		l->out_of_memory = true;
	}
}

static void on_vm_ended(void *ctx, const struct tracer_vm *vm)
{
	struct live *l = ctx;
	struct watch *w = watch_list__find(&l->list, vm->generation);

	account(l, vm);
	if (w && watch__end(w, l->engine))
		cli__note("the report of %s is lost: out of memory", w->name);
	if (w)
		watch_list__ended(&l->list, w);
	engine__forget(l->engine, vm->id);
	if (l->recent)
		vm_recent__forget(l->recent, vm->id);
	if (w && !l->opts.quiet)
		cli__note("%s (pid %d) ended", w->name, (int)w->pid);
}

static void on_threshold(void *ctx, __u64 threshold)
{
	struct live *l = ctx;

	account_all(l);
	engine__set_threshold(l->engine, threshold);
}

static __u64 tracked_pages(const struct live *l)
{
	struct engine_counts counts;
	__u64 pages = 0;

	for (size_t i = 0; i < l->list.nr; i++)
		for (int space = 0; space < PAGE_SPACES && !l->list.vms[i]->ended; space++)
			if (engine__counts(l->engine, l->list.vms[i]->id, space, &counts))
				pages += counts.tracked;
	return pages;
}

static void on_tracked(void *ctx, __u64 *pages, __u64 *max)
{
	struct live *l = ctx;

	*pages = tracked_pages(l);
	*max = l->max_pages;
}

static const struct session_ops session_ops = {
	.events = on_events,
	.vm_new = on_vm_new,
	.vm_ended = on_vm_ended,
	.threshold = on_threshold,
	.tracked = on_tracked,
};

/* --- status --- */

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec + u.ru_stime.tv_sec +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct status take_status(const struct live *l, double now)
{
	struct status s = {.vms = session__nr_vms(l->session), .seconds = now - l->since};

	for (size_t i = 0; i < l->list.nr; i++)
		s.ended += l->list.vms[i]->ended;
	tracer__loss(session__tracer(l->session), &s.loss);
	if (s.seconds > 0) {
		s.rate = (s.loss.events - l->events_since) / s.seconds;
		s.cpu = (cpu_seconds() - l->cpu_since) / s.seconds;
	}
	return s;
}

static void print_status(const struct live *l, const struct status *s)
{
	printf("%zu VM%s | %llu events, %.0f/s | %llu dropped | sampling 1/%llu | hvtrace CPU "
	       "%.1f%%",
	       s->vms, s->vms == 1 ? "" : "s", s->loss.events, s->rate, s->loss.dropped,
	       session__one_in(l->session), s->cpu * 100);
	if (!l->list.nr)
		fputs(" | no VM seen yet, waiting", stdout);
	else if (s->ended)
		printf(" | %zu ended", s->ended);
	putchar('\n');
}

static void json_sources(const struct tracer *t)
{
	static const char *const states[] = {"off", "missing", "waiting", "on"};

	fputs(",\"sources\":{", stdout);
	for (int i = 0; i < TRACER_SOURCES; i++)
		printf("%s\"%s\":\"%s\"", i ? "," : "", tracer__source_name(i),
		       states[tracer__source(t, i)]);
	putchar('}');
}

static void json_status(const struct live *l, const struct status *s)
{
	printf("{\"type\":\"status\",\"time_s\":%.3f,\"interval_s\":%.3f,\"vms\":%zu,\"ended\":%zu",
	       session__age(l->session), s->seconds, s->vms, s->ended);
	printf(",\"events\":%llu,\"events_per_s\":%.1f,\"dropped\":%llu,\"lost_frames\":%llu"
	       ",\"lost_latency\":%llu,\"lost_vms\":%llu,\"truncated\":%llu",
	       s->loss.events, s->rate, s->loss.dropped, s->loss.frames, s->loss.latency,
	       s->loss.vms, s->loss.truncated);
	printf(",\"sample_one_in\":%llu,\"cpu_percent\":%.2f,\"tracked_pages\":%llu",
	       session__one_in(l->session), s->cpu * 100, tracked_pages(l));
	printf(",\"kernel_bytes\":%zu,\"engine_bytes\":%zu,\"engine_backing\":\"%s\"",
	       tracer__kernel_bytes(session__tracer(l->session)), engine__bytes(l->engine),
	       engine__backing(l->engine));
	json_sources(session__tracer(l->session));
}

/* --- tables --- */

static void json_row(const struct live *l, const struct status *s, const struct table_row *row)
{
	printf("{\"type\":\"interval\",\"time_s\":%.3f,\"interval_s\":%.3f",
	       session__age(l->session), s->seconds);
	table__json(stdout, row);
	puts("}");
}

/* Lines of the terminal that are left for VMs. */
static size_t rows_that_fit(const struct live *l)
{
	struct winsize ws;

	if (!l->redraw || ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || ws.ws_row < 6)
		return (size_t)-1;
	return ws.ws_row - 5;
}

static void put_rows(struct live *l, const struct status *s)
{
	size_t room = rows_that_fit(l), left_out = 0;
	char label[WATCH_LABEL];

	for (size_t i = 0; i < l->list.nr; i++) {
		struct watch *w = l->list.vms[i];
		struct table_row row;

		if (w->ended)
			continue;
		watch__row(w, l->engine, session__one_in(l->session), s->seconds, &row);
		row.name = watch_list__label(&l->list, w, label);
		if (l->json)
			json_row(l, s, &row);
		else if (!room)
			left_out++;
		else
			room--, table__row(stdout, &row);
	}
	if (left_out)
		printf("... and %zu more; choose with --vm NAME\n", left_out);
}

/* Said once, and once more if the difference is there to stay. */
static void note_check(const struct live *l, struct watch *w, const struct check *c)
{
	char was[SIZE_TEXT], is[SIZE_TEXT];

	if (w->told_check != c->at && !l->opts.quiet)
		cli__note("the memory of %s was %s and is %s: its curve is put to the test",
			  w->name, size__format(c->before, was), size__format(c->now, is));
	if (w->told_check != c->at)
		w->told_difference = false;
	w->told_check = c->at;
	if (!check__differs(c) || w->told_difference)
		return;
	w->told_difference = true;
	if (!l->opts.quiet)
		cli__note("%s has not missed what its curve predicted: see at the end", w->name);
}

/* VMs whose memory has changed: what was predicted, and what came. */
static void put_checks(const struct live *l)
{
	char label[WATCH_LABEL];

	for (size_t i = 0; i < l->list.nr; i++) {
		struct watch *w = l->list.vms[i];
		struct check c;

		if (w->ended || vm_check__running(w->check, &c))
			continue;
		note_check(l, w, &c);
		watch_list__label(&l->list, w, label);
		if (l->json)
			export__check_json(stdout, label, &c);
		else
			summary__check(stdout, label, &c);
	}
}

static void put_table(struct live *l, const struct status *s)
{
	if (l->redraw)
		fputs("\033[H\033[J", stdout);
	if (l->redraw || l->tables % HEAD_EVERY == 0)
		table__head(stdout);
	put_rows(l, s);
	put_checks(l);
	print_status(l, s);
}

static int end_interval(struct live *l)
{
	double now = cli__now();
	struct status s;

	account_all(l);
	s = take_status(l, now);
	if (l->json) {
		put_rows(l, &s);
		put_checks(l);
		json_status(l, &s);
		puts("}");
	} else {
		put_table(l, &s);
	}
	l->tables++;
	l->since = now;
	l->cpu_since = cpu_seconds();
	l->events_since = s.loss.events;
	return cli__flush();
}

static int watch(struct live *l)
{
	double next = cli__now() + (l->interval < FIRST_TABLE ? l->interval : FIRST_TABLE);
	int status = CLI_DONE;

	while (!status && !session__done(l->session) && !(l->count && l->tables >= l->count)) {
		int err = session__poll(l->session);

		if (err)
			return cli__failed("tracing stopped: %s", strerror(-err));
		if (l->control)
			live_control__turn(l->control);
		if (cli__now() < next)
			continue;
		status = end_interval(l);
		next = l->since + l->interval;
	}
	return status;
}

/* --- the end --- */

/* Every VM gets a report, those that still run like those that ended. Names are settled last,
 * when all of them are known. */
static int finish_reports(struct live *l)
{
	char label[WATCH_LABEL];
	int err = 0;

	for (size_t i = 0; i < l->list.nr && !err; i++) {
		struct watch *w = l->list.vms[i];
		bool ended = w->ended;
		char *name;

		if (!w->report)
			err = watch__end(w, l->engine);
		w->ended = ended;
		name = err ? NULL : strdup(watch_list__label(&l->list, w, label));
		if (!name)
			return -ENOMEM;
		free(w->report->name);
		w->report->name = name;
	}
	return err;
}

/* What no curve says, for plans. */
static int write_facts(const struct live *l)
{
	struct vms_csv_row *rows = calloc(PAGE_SPACES * l->list.nr + 1, sizeof(*rows));
	size_t n = 0;
	int status;

	if (!rows)
		return cli__failed("out of memory");
	for (size_t i = 0; i < l->list.nr; i++)
		for (int space = 0; space < PAGE_SPACES; space++)
			if (l->list.vms[i]->report->space[space].seen)
				watch__facts(l->list.vms[i], l->list.vms[i]->report, space,
					     &rows[n++]);
	status = vms_csv__write(l->csv, rows, n);
	free(rows);
	return status;
}

static int write_csv(const struct live *l)
{
	struct vm_report **reports = calloc(l->list.nr + 1, sizeof(*reports));
	int status;

	if (!reports)
		return cli__failed("out of memory");
	for (size_t i = 0; i < l->list.nr; i++)
		reports[i] = l->list.vms[i]->report;
	status = csv_folder__write(l->csv, reports, l->list.nr);
	free(reports);
	return status ?: write_facts(l);
}

static int put_reports(const struct live *l)
{
	for (size_t i = 0; i < l->list.nr; i++) {
		const struct watch *w = l->list.vms[i];
		struct summary_vm vm = {
			.pid = w->pid,
			.vmm = w->vmm,
			.mem_pages = w->mem_pages,
			.ended = w->ended,
			.wss = &wss_defaults,
		};
		int err = l->json ? summary__json(stdout, &vm, w->report)
					    ?: findings__json(stdout, w->report, vm.wss)
				  : summary__print(stdout, &vm, w->report);

		if (err == -ENOMEM)
			return cli__failed("out of memory");
	}
	return cli__flush();
}

/* BPF run time, over all pages that the block layer's programs looked at. */
static bool bpf_cost(const struct live *l, __u64 *ns, __u64 *runs, __u64 *pages)
{
	*pages = 0;
	for (size_t i = 0; i < l->list.nr; i++) {
		const struct vm_counters *c = &l->list.vms[i]->now;

		*pages += c->fills + c->writebacks;
	}
	return l->stats_fd >= 0 &&
	       !tracer__bpf_time(session__tracer(l->session), TRACER_BLOCK, ns, runs);
}

static void put_last_json(const struct live *l, const struct status *s)
{
	__u64 ns, runs, pages;

	json_status(l, s);
	if (bpf_cost(l, &ns, &runs, &pages)) {
		printf(",\"bpf_ns\":%llu,\"bpf_runs\":%llu,\"pages\":%llu", ns, runs, pages);
		if (pages)
			printf(",\"bpf_ns_per_page\":%.1f", (double)ns / pages);
	}
	puts(",\"final\":true}");
}

/* On which CPUs the ring buffer was found full. */
static void put_drops(const struct tracer *t)
{
	__u64 dropped;

	for (int cpu = 0; !tracer__dropped_on(t, cpu, &dropped); cpu++) {
		if (dropped)
			printf("Dropped on CPU %d: %llu events\n", cpu, dropped);
	}
}

static void put_last_status(const struct live *l, const struct status *s)
{
	__u64 ns, runs, pages;

	putchar('\n');
	print_status(l, s);
	printf("Over %.1f s: %.1f MiB in the kernel's maps, %.1f MiB in the engine (%s)\n",
	       s->seconds, tracer__kernel_bytes(session__tracer(l->session)) / 1048576.0,
	       engine__peak_bytes(l->engine) / 1048576.0, engine__backing(l->engine));
	if (s->loss.frames || s->loss.latency || s->loss.vms || s->loss.truncated)
		printf("Lost: %llu frames of the frame map, %llu I/O completions, %llu VMs, "
		       "%llu pages of long I/Os\n",
		       s->loss.frames, s->loss.latency, s->loss.vms, s->loss.truncated);
	put_drops(session__tracer(l->session));
	if (bpf_cost(l, &ns, &runs, &pages))
		printf("BPF: %llu runs, %llu ns, %.1f ns a page\n", runs, ns,
		       pages ? (double)ns / pages : 0);
}

/* The whole run's numbers, then all reports; CSV first, so that nothing on stdout is in its way. */
static int finish(struct live *l)
{
	int status = CLI_DONE, err = session__drain(l->session);
	struct status s;

	if (err)
		status = cli__failed("the last events are lost: %s", strerror(-err));
	account_all(l);
	l->since = cli__now() - session__age(l->session);
	l->cpu_since = l->cpu_start;
	l->events_since = 0;
	s = take_status(l, cli__now());
	if (finish_reports(l))
		return cli__failed("no reports: out of memory");
	if (l->csv)
		status |= write_csv(l);
	if (put_reports(l))
		return CLI_FAILED;
	if (l->json)
		put_last_json(l, &s);
	else
		put_last_status(l, &s);
	return cli__flush() ?: status;
}

/* --- set-up --- */

static int take_span(const char *option, struct span *out)
{
	if (span__parse(optarg, out) || out->refs)
		return cli__usage("%s '%s' is not a time such as 10s, 5m or 2h", option, optarg);
	return 0;
}

static int take_own(struct live *l, int opt, char **argv)
{
	switch (opt) {
	case 'i':
		if (!cli__parse_seconds(optarg, &l->interval))
			return cli__usage("-i '%s' is not a number of seconds above 0", optarg);
		return 0;
	case 'c':
		if (!cli__parse_count(optarg, 1, ~0ULL, &l->count))
			return cli__usage("-c '%s' is not a number of tables above 0", optarg);
		return 0;
	case OPT_MAX_PAGES:
		if (!cli__parse_count(optarg, 1, 1ULL << 40, &l->max_pages))
			return cli__usage("--max-pages '%s' is not a number of pages above 0",
					  optarg);
		return 0;
	case OPT_WINDOW:
		return take_span("--window", &l->past.window);
	case OPT_HALF_LIFE:
		return take_span("--half-life", &l->past.half_life);
	case OPT_CSV:
		l->csv = optarg;
		return 0;
	case OPT_CONTROL:
		l->socket = optarg;
		return 0;
	case OPT_JSON:
		l->json = true;
		return 0;
	case OPT_BPF_STATS:
		l->bpf_stats = true;
		return 0;
	}
	return cli__bad_option(opt, argv);
}

/* 0, -1 to end well (help), or an exit status. */
static int parse(struct live *l, int argc, char **argv)
{
	int opt, err;

	while ((opt = getopt_long(argc, argv, ":i:c:" TRACE_SHORT_OPTIONS, long_options, NULL)) >=
	       0) {
		if (opt == 'h') {
			printf("%s%s%s", help, trace_options_help, examples);
			return -1;
		}
		err = trace_options__take(&l->opts, opt, optarg);
		if (err == -ENOENT)
			err = take_own(l, opt, argv);
		if (err)
			return err;
	}
	if (optind < argc)
		return cli__usage("unexpected argument '%s'", argv[optind]);
	if (l->past.window.n && l->past.half_life.n)
		return cli__usage("--window and --half-life exclude each other");
	return 0;
}

static int apply(void *ctx, const struct page_event *events, size_t n)
{
	struct live *l = ctx;

	return engine__apply(l->engine, events, n);
}

static int set_up_recent(struct live *l)
{
	const struct vm_recent_opts opts = {
		.past = l->past,
		.sizes = l->recent_sizes,
		.nr_sizes = size__grid(RECENT_PARTS, RECENT_OCTAVES, l->recent_sizes),
		.apply = apply,
		.ctx = l,
	};

	if (!past__limited(&l->past))
		return CLI_DONE;
	l->recent = vm_recent__new(&opts, l->engine);
	return l->recent ? CLI_DONE : cli__failed("out of memory");
}

static void account_for_control(void *ctx)
{
	account_all(ctx);
}

static int set_up_control(struct live *l)
{
	const struct live_control_opts opts = {
		.path = l->socket,
		.list = &l->list,
		.engine = l->engine,
		.account = account_for_control,
		.ctx = l,
	};
	char why[512] = "";

	if (!l->socket || !live_control__open(&l->control, &opts, why, sizeof(why)))
		return CLI_DONE;
	return cli__failed("--control: %s", why);
}

static int set_up(struct live *l)
{
	struct engine_opts opts = {.sz = sizeof(opts), .max_pages = l->max_pages};
	int status = session__open(&l->session, &l->opts, &session_ops, l);

	if (status)
		return status;
	opts.threshold = session__threshold(l->session);
	l->engine = engine__new(&opts);
	if (!l->engine)
		return cli__failed("cannot set up the engine: %s", strerror(errno));
	if (l->bpf_stats)
		l->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (l->bpf_stats && l->stats_fd < 0)
		return cli__failed("cannot measure BPF run time: %s; do without --bpf-stats",
				   strerror(errno));
	if (set_up_recent(l) || set_up_control(l))
		return CLI_FAILED;
	l->redraw = !l->json && isatty(STDOUT_FILENO);
	l->since = cli__now();
	l->cpu_since = l->cpu_start = cpu_seconds();
	return CLI_DONE;
}

static int run(struct live *l)
{
	int status = csv_folder__check(l->csv) ?: set_up(l);

	if (status)
		return status;
	status = watch(l);
	/* A closed stdout leaves the CSV to be written still. */
	return finish(l) ?: status;
}

int cmd_live(int argc, char **argv)
{
	struct live l = {.interval = 1, .max_pages = MAX_PAGES, .stats_fd = -1};
	int status = parse(&l, argc, argv);

	if (!status)
		status = run(&l);
	else if (status < 0)
		status = cli__flush();
	live_control__close(l.control);
	session__close(l.session);
	vm_recent__free(l.recent);
	engine__free(l.engine);
	watch_list__free(&l.list);
	trace_options__free(&l.opts);
	if (l.stats_fd >= 0)
		close(l.stats_fd);
	return status;
}
