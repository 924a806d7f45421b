// SPDX-License-Identifier: GPL-2.0
/* hvtrace ctl: one question or order to a running server, over its control socket. */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../analysis/export.h"
#include "cli.h"
#include "control_client.h"
#include "disk_spec.h"

static const char help[] =
	"Usage: hvtrace ctl --socket SOCK COMMAND [ARGUMENT]\n"
	"Ask a running 'hvtrace serve --control SOCK', or tell it; the answer is JSON.\n"
	"\n"
	"  stats               all figures of the cache and of each disk\n"
	"  vms                 the disks and how they are set\n"
	"  curve [VM]          miss curves\n"
	"  pages VM            which pages are in the cache, as ranges\n"
	"  resize SIZE         make the cache so large\n"
	"  drain [VM]          empty the cache, of one disk or of all\n"
	"  add NAME,path=FILE,socket=PATH[,...]\n"
	"                      serve one more disk; as serve's --disk\n"
	"  remove NAME         serve it no longer\n"
	"  set NAME,min=SIZE,max=SIZE,share=N\n"
	"                      change what it may have of the cache\n"
	"  version             the server's\n"
	"\n"
	"  -s, --socket SOCK   where the server listens; else $HVTRACE_SOCKET\n"
	"      --sizes A,B,... for curve: at these sizes\n"
	"      --csv           for curve: as CSV, with the columns of curve.csv\n"
	"      --raw           the answer on one line\n"
	"  -h, --help\n"
	"\n"
	"Examples:\n"
	"  hvtrace ctl -s /run/hvtrace/control vms\n"
	"  hvtrace ctl -s /run/hvtrace/control set web01,min=256MiB,share=200\n"
	"  hvtrace ctl -s /run/hvtrace/control curve --csv >c.csv && hvtrace plot -o c.svg c.csv\n";

/* Without an answer, before it says so. */
#define NOTICE_SECONDS 10

struct ctl {
	const char *socket, *sizes;
	bool csv, raw;
	const char *command, *argument;
};

/* --- requests: NULL after a line that says what is wrong --- */

/* A text more, unless it is NULL. Takes the request over. */
static json_t *put_text(json_t *request, const char *key, const char *text)
{
	if (!request || !text || !json_object_set_new(request, key, json_string(text)))
		return request;
	json_decref(request);
	cli__usage("'%s' is not UTF-8", text);
	return NULL;
}

static json_t *with_text(const char *command, const char *key, const char *text)
{
	return put_text(json_pack("{s:s}", "cmd", command), key, text);
}

static json_t *make_curve(const struct ctl *c)
{
	return put_text(with_text("curve", "vm", c->argument), "sizes", c->sizes);
}

static json_t *make_pages(const struct ctl *c)
{
	return with_text("pages", "vm", c->argument);
}

static json_t *make_resize(const struct ctl *c)
{
	return with_text("resize", "size", c->argument);
}

static json_t *make_drain(const struct ctl *c)
{
	return with_text("drain", "vm", c->argument);
}

static json_t *make_remove(const struct ctl *c)
{
	return with_text("remove", "name", c->argument);
}

static json_t *make_plain(const struct ctl *c)
{
	return with_text(c->command, NULL, NULL);
}

/* The server need not be in this folder. */
static json_t *absolute(const char *path)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return json_string(path);
	return json_sprintf("%s/%s", cwd, path);
}

static int put_part(void *ctx, const char *name, const char *value, char *why, size_t size)
{
	bool is_path = !strcmp(name, "path") || !strcmp(name, "socket");

	if (json_object_get(ctx, name)) {
		snprintf(why, size, "'%s' is given twice", name);
		return -EEXIST;
	}
	if (!json_object_set_new(ctx, name, is_path ? absolute(value) : json_string(value)))
		return 0;
	snprintf(why, size, "'%s' is not UTF-8", value);
	return -EINVAL;
}

/* What is in it, the server checks; but an object cannot have a name twice. */
static json_t *make_disk(const struct ctl *c)
{
	json_t *request = with_text(c->command, NULL, NULL);
	char why[512] = "";
	int err;

	err = disk_spec__split(c->argument, put_part, request, why, sizeof(why));
	if (!err)
		return request;
	json_decref(request);
	cli__usage("%s: %s", c->command, why);
	return NULL;
}

static const struct command {
	const char *name;
	json_t *(*make)(const struct ctl *c);
	int arguments; /* 0: none, 1: one, -1: none or one */
	const char *argument;
} commands[] = {
	{"stats", make_plain, 0, NULL},
	{"vms", make_plain, 0, NULL},
	{"curve", make_curve, -1, "VM"},
	{"pages", make_pages, 1, "VM"},
	{"resize", make_resize, 1, "SIZE"},
	{"drain", make_drain, -1, "VM"},
	{"add", make_disk, 1, "NAME,path=..,socket=.."},
	{"remove", make_remove, 1, "NAME"},
	{"set", make_disk, 1, "NAME,min=.."},
	{"version", make_plain, 0, NULL},
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* --- the answer --- */

static int print_curve(const json_t *curve)
{
	const json_t *points = json_object_get(curve, "points");
	size_t n = json_array_size(points);
	struct curve_point *out = calloc(n + 1, sizeof(*out));
	struct vm_report *r = NULL;

	for (size_t i = 0; out && i < n; i++) {
		const json_t *p = json_array_get(points, i);

		out[i].size = json_integer_value(json_array_get(p, 0));
		out[i].misses = json_number_value(json_array_get(p, 1));
		out[i].accesses = json_number_value(json_array_get(p, 2));
		out[i].error = json_number_value(json_array_get(p, 4));
	}
	if (out)
		r = vm_report__of_curve(json_string_value(json_object_get(curve, "vm")), SPACE_DISK,
					json_string_value(json_object_get(curve, "order")), out, n);
	if (r)
		export__curve_rows(stdout, &r, 1);
	vm_report__free(r);
	free(out);
	return r ? CLI_DONE : cli__failed("out of memory");
}

static int print_csv(const json_t *answer)
{
	const json_t *curves = json_object_get(answer, "curves");
	int status = CLI_DONE;

	export__curve_csv(stdout, NULL, 0);
	for (size_t i = 0; i < json_array_size(curves) && !status; i++)
		status = print_curve(json_array_get(curves, i));
	return status;
}

static int print_answer(const struct ctl *c, const json_t *answer)
{
	if (c->csv)
		return print_csv(answer) ?: cli__flush();
	json_dumpf(answer, stdout, c->raw ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
	return cli__flush();
}

/* --- the conversation --- */

static void say_patience(int sig)
{
	static const char line[] =
		"hvtrace ctl: no answer for 10 s: the server is busy, or stopped; "
		"Ctrl-C ends the wait\n";

	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		return;
}

/* Whatever it waits for is taken up again after the notice. */
static void give_notice(void)
{
	const struct sigaction a = {.sa_handler = say_patience, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &a, NULL);
	alarm(NOTICE_SECONDS);
}

static int ask(const struct ctl *c, json_t *request)
{
	char why[1024] = "";
	json_t *answer;
	int status, err;

	give_notice();
	err = control_client__ask(c->socket, request, INFINITY, &answer, why, sizeof(why));
	alarm(0);
	if (err == -EREMOTEIO)
		return cli__failed("%s: %s", c->command, why);
	if (err)
		return cli__failed("%s", why);
	status = print_answer(c, answer);
	json_decref(answer);
	return status;
}

/* --- options --- */

static int take_words(struct ctl *c, int n, char **words, const struct command **out)
{
	const struct command *k = n ? find(words[0]) : NULL;

	if (!n)
		return cli__usage("COMMAND is missing");
	if (!k)
		return cli__usage("unknown command '%s'", words[0]);
	if (n < 2 && k->arguments > 0)
		return cli__usage("%s needs %s", k->name, k->argument);
	if (n > (k->arguments ? 2 : 1))
		return cli__usage("unexpected argument '%s'", words[k->arguments ? 2 : 1]);
	if ((c->csv || c->sizes) && strcmp(k->name, "curve"))
		return cli__usage("--csv and --sizes are for curve");
	c->command = k->name;
	c->argument = n > 1 ? words[1] : NULL;
	*out = k;
	return CLI_DONE;
}

static int parse(struct ctl *c, int argc, char **argv, const struct command **command)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'}, {"sizes", required_argument, NULL, 'z'},
		{"csv", no_argument, NULL, 'c'},	  {"raw", no_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, ":s:h", options, NULL)) >= 0) {
		switch (opt) {
		case 's':
			c->socket = optarg;
			break;
		case 'z':
			c->sizes = optarg;
			break;
		case 'c':
			c->csv = true;
			break;
		case 'r':
			c->raw = true;
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			return cli__bad_option(opt, argv);
		}
	}
	return take_words(c, argc - optind, argv + optind, command);
}

static int run(struct ctl *c, const struct command *command)
{
	json_t *request;

	if (!c->socket || !c->socket[0])
		return cli__usage("--socket SOCK is missing");
	request = command->make(c);
	return request ? ask(c, request) : CLI_USAGE;
}

int cmd_ctl(int argc, char **argv)
{
	struct ctl c = {.socket = getenv("HVTRACE_SOCKET")};
	const struct command *command = NULL;
	int status = parse(&c, argc, argv, &command);

	return status < 0 ? cli__flush() : status ?: run(&c, command);
}
