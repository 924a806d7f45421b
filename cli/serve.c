// SPDX-License-Identifier: GPL-2.0
/* hvtrace serve: VMs' disks, served over vhost-user-blk through an exclusive cache. */
#include "serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli.h"
#include "csv_folder.h"
#include "host_memory.h"

/* The first table comes early: rates need no whole interval. */
#define FIRST_TABLE 0.25
/* Between looks at who is connected. */
#define TICK 0.5

/* --- what the server tells --- */

static void on_events(void *ctx, const struct page_event *events, size_t n)
{
	struct serve *s = ctx;
	int err = engine__apply(s->engine, events, n);

	if (err && !s->refused_events)
		cli__note("curves are not exact any more: %s; bound memory with --max-pages",
			  strerror(-err));
	s->refused_events += err ? n : 0;
}

static void on_gone(void *ctx, __u16 id)
{
	serve__disk_gone(ctx, id);
}

static void on_log(void *ctx, const char *line)
{
	cli__note("%s", line);
}

static const struct server_ops server_ops = {
	.events = on_events,
	.gone = on_gone,
	.log = on_log,
};

/* --- the end --- */

static void on_server_gone(void *ctx)
{
	struct serve *s = ctx;

	loop__stop(s->loop);
}

void serve__stop(struct serve *s)
{
	if (s->ending)
		return;
	serve__account(s);
	s->ending = true;
	loop_timer__stop(&s->table);
	loop_timer__stop(&s->tick);
	/* Nobody asks a server that is going. */
	control__free(s->control);
	http__free(s->http);
	s->control = NULL;
	s->http = NULL;
	server__free(s->server, on_server_gone, s);
}

/* The signal's own way, as if we had not caught it. */
static void end_at_once(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void on_signal(struct loop_fd *f, __u32 events)
{
	struct serve *s = (struct serve *)((char *)f - offsetof(struct serve, signals));
	struct signalfd_siginfo info;

	while (read(f->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP && !s->ending)
			serve__reload(s);
		else if (info.ssi_signo != SIGHUP && s->ending)
			end_at_once(info.ssi_signo);
		else if (info.ssi_signo != SIGHUP)
			serve__stop(s);
	}
}

/* --- time --- */

void serve__account(struct serve *s)
{
	if (s->ending)
		return;
	if (served_list__account(&s->disks, s->server))
		cli__note("a disk is left out of the figures: out of memory");
	server__cache(s->server, &s->cache);
}

static void on_tick(struct loop_timer *t)
{
	struct serve *s = (struct serve *)((char *)t - offsetof(struct serve, tick));

	serve__account(s);
	serve__tell_findings(s);
	serve__watch_vmms(s);
}

static void on_table(struct loop_timer *t)
{
	struct serve *s = (struct serve *)((char *)t - offsetof(struct serve, table));

	if (serve__end_interval(s))
		return;
	/* Nobody reads it: serving goes on. */
	loop_timer__stop(t);
	s->status = CLI_FAILED;
}

static void on_end(struct loop_timer *t)
{
	serve__stop((struct serve *)((char *)t - offsetof(struct serve, end)));
}

/* --- set-up: an exit status each, or TOLD_TO_END --- */

/* By a signal, before all was there. */
#define TOLD_TO_END -1

static int failed(const char *what, int err)
{
	return cli__failed("cannot %s: %s", what, strerror(-err));
}

static int set_up_loop(struct serve *s)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->loop = loop__new();
	if (!s->loop)
		return failed("set up the control loop", -errno);
	s->signals = (struct loop_fd){signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), on_signal};
	err = s->signals.fd < 0 ? -errno : loop__watch(s->loop, &s->signals, EPOLLIN);
	if (!err)
		err = loop_timer__open(&s->tick, s->loop, on_tick)
			      ?: loop_timer__open(&s->table, s->loop, on_table)
			      ?: loop_timer__open(&s->end, s->loop, on_end);
	return err ? failed("set up the control loop", err) : CLI_DONE;
}

static int set_up_engine(struct serve *s)
{
	const struct engine_opts opts = {
		.sz = sizeof(opts),
		.max_pages = s->opts.max_pages,
		.threshold = PE_SAMPLE_ALL,
	};

	s->engine = engine__new(&opts);
	return s->engine ? CLI_DONE : failed("set up the engine", -errno);
}

static int set_up_server(struct serve *s)
{
	const struct server_opts opts = {
		.sz = sizeof(opts),
		.arena =
			{
				.sz = sizeof(opts.arena),
				.bytes = s->opts.cache * PAGE_BYTES,
				.page = s->opts.huge > ARENA_CHUNK ? s->opts.huge : 0,
				.node = s->opts.node,
				.no_hugetlb = !s->opts.huge,
			},
		.policy = s->opts.policy,
		.audit = s->opts.audit,
		.ops = &server_ops,
		.ctx = s,
	};
	char why[SERVE_WHY] = "";

	if (host_memory__fits(s->opts.cache, s->opts.node, why, sizeof(why)))
		return cli__failed("%s", why);
	if (server__new(&s->server, s->loop, &opts, why, sizeof(why)))
		return cli__failed("%s", why);
	return CLI_DONE;
}

/* Those that came while nobody looked: serve__stop() is on its way. */
static void take_signals(struct serve *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals.fd, &info, sizeof(info)) == sizeof(info))
		;
}

static int set_up_disks(struct serve *s)
{
	char why[SERVE_WHY] = "";
	int err = 0;

	for (size_t i = 0; i < s->opts.nr_disks && !err; i++)
		err = serve__add_disk(s, &s->opts.disks[i], s->opts.wait, why, sizeof(why));
	if (err == -EINTR) {
		serve__note(s, "told to end while it waits: %s", why);
		take_signals(s);
		return TOLD_TO_END;
	}
	return err ? cli__failed("%s", why) : CLI_DONE;
}

static int set_up_control(struct serve *s)
{
	const struct control_opts opts = {
		.sz = sizeof(opts),
		.loop = s->loop,
		.path = s->opts.control,
		.commands = serve_commands,
		.nr_commands = nr_serve_commands,
		.ctx = s,
	};
	const struct socket_owner own = {s->identity.uid, -1};
	char why[SERVE_WHY] = "";

	if (!s->opts.control)
		return CLI_DONE;
	if (control__new(&s->control, &opts, why, sizeof(why)))
		return cli__failed("--control: %s", why);
	if (s->identity.other && socket_owner__give(&own, s->opts.control, why, sizeof(why)))
		return cli__failed("--control: %s", why);
	return CLI_DONE;
}

static int set_up_metrics(struct serve *s)
{
	struct http_opts opts = {
		.loop = s->loop,
		.path = "/metrics",
		.type = "text/plain; version=0.0.4; charset=utf-8",
		.page = serve__metrics,
		.ctx = s,
	};
	char why[SERVE_WHY] = "";

	if (!s->opts.metrics)
		return CLI_DONE;
	http_address__parse(s->opts.metrics, &opts.address);
	if (http__new(&s->http, &opts, why, sizeof(why)))
		return cli__failed("--metrics %s: %s", s->opts.metrics, why);
	return CLI_DONE;
}

/* Whom to become is looked up before anything is opened, and done when all is. */
static int find_identity(struct serve *s)
{
	char why[SERVE_WHY] = "";

	if (identity__find(&s->identity, s->opts.user, why, sizeof(why)))
		return cli__failed("--user: %s", why);
	if (socket_owner__find(&s->owner, s->opts.socket_owner, why, sizeof(why)))
		return cli__failed("--socket-owner: %s", why);
	identity__prepare();
	return CLI_DONE;
}

static int become(struct serve *s)
{
	char why[SERVE_WHY] = "";

	if (identity__become(&s->identity, why, sizeof(why)))
		return cli__failed("--user: %s", why);
	return CLI_DONE;
}

static int set_up(struct serve *s)
{
	int status = find_identity(s) ?: set_up_loop(s);

	if (!status)
		status = set_up_engine(s) ?: set_up_server(s);
	if (status)
		return status;
	serve__open_foreign(s);
	status = set_up_disks(s) ?: set_up_control(s) ?: set_up_metrics(s) ?: become(s);
	/* By whom it will be written. */
	return status ?: csv_folder__check(s->opts.csv);
}

static void begin(struct serve *s)
{
	double first = s->opts.interval < FIRST_TABLE ? s->opts.interval : FIRST_TABLE;

	serve__tell_set_up(s);
	s->started = s->since = cli__now();
	s->redraw = !s->opts.json && isatty(STDOUT_FILENO);
	loop_timer__set(&s->tick, 0, TICK);
	loop_timer__set(&s->table, first, s->opts.interval);
	if (s->opts.duration)
		loop_timer__set(&s->end, s->opts.duration, 0);
}

static int run(struct serve *s)
{
	int status = set_up(s), failed;

	if (!status)
		begin(s);
	else if (s->server)
		serve__stop(s);
	if (s->server)
		loop__run(s->loop);
	if (status)
		return status == TOLD_TO_END ? CLI_DONE : status;
	failed = serve__report(s);
	return failed ?: s->status;
}

static void tear_down(struct serve *s)
{
	serve__close_foreign(s);
	loop_timer__close(&s->tick);
	loop_timer__close(&s->table);
	loop_timer__close(&s->end);
	loop__free(s->loop);
	if (s->signals.fd >= 0)
		close(s->signals.fd);
	served_list__free(&s->disks);
	engine__free(s->engine);
	serve_options__free(&s->opts);
}

int cmd_serve(int argc, char **argv)
{
	struct serve s = {.argc = argc, .argv = argv, .signals.fd = -1};
	int status;

	serve_options__init(&s.opts);
	status = serve_options__parse(&s.opts, argc, argv);
	if (!status)
		status = run(&s);
	else if (status < 0)
		status = cli__flush();
	tear_down(&s);
	return status;
}
