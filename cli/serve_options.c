// SPDX-License-Identifier: GPL-2.0
#include "serve_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "../analysis/size.h"
#include "../cache/store/arena.h"
#include "cli.h"
#include "http.h"

/* Of the engine, unless told: 128 MiB of metadata at most. */
#define MAX_PAGES (2ULL << 20)
/* Longer than a write in flight of a server that was killed takes on storage that is well. */
#define WAIT 5

static const char help[] =
	"Usage: hvtrace serve --cache SIZE --disk NAME,path=FILE,socket=PATH[,...]... [OPTION]...\n"
	"       hvtrace serve --config FILE [OPTION]...\n"
	"Serve disks to VMs over vhost-user-blk, through an exclusive cache: pages that a guest\n"
	"evicts are kept in memory of the host and come back without an I/O.\n"
	"\n"
	"      --cache SIZE        memory for pages that guests evict (1GiB, 512MiB, ...;\n"
	"                          0: none, for comparison and for miss curves)\n"
	"      --disk SPEC         a disk: NAME,path=FILE,socket=PATH and, as wanted, ro, "
	"id=TEXT,\n"
	"                          queues=N, min=SIZE, max=SIZE, share=N; may be repeated\n"
	"      --config FILE       the same settings and disks from a YAML file; options win, "
	"disks\n"
	"                          add up; read again on SIGHUP\n"
	"      --policy NAME       who leaves a full cache: lru (default) or s3fifo\n"
	"      --huge 2MiB|1GiB|no huge pages to take from the pool first (default 2MiB)\n"
	"      --node N            memory of this NUMA node only\n"
	"      --control SOCK      listen for 'hvtrace ctl' there\n"
	"      --metrics PORT      Prometheus metrics at http://127.0.0.1:PORT/metrics\n"
	"      --audit 1/N         compare one hit in N with storage before it is served\n"
	"      --user NAME         run as this user once all that is named here is open\n"
	"      --socket-owner USER[:GROUP]\n"
	"                          whose the disks' sockets are: the VMM's user\n"
	"      --wait SEC          so long for an image that another one has locked (default 5)\n"
	"  -i, --interval SEC      seconds between tables (default 1)\n"
	"  -d, --duration SEC      end after so many seconds (default: Ctrl-C or SIGTERM)\n"
	"      --csv DIR           at the end, write counts, histograms and curves to files in "
	"DIR\n"
	"      --json              one JSON object a line instead of tables and charts\n"
	"      --max-pages N       track at most so many pages for curves (default 2097152)\n"
	"  -q, --quiet             no notes on stderr, errors only\n"
	"  -h, --help\n"
	"\n"
	"Examples:\n"
	"  hvtrace serve --cache 1GiB --disk web01,path=web01.img,socket=/run/hvtrace/web01.sock\n"
	"  hvtrace serve --config /etc/hvtrace/serve.yaml --user hvtrace\n";

/* --- values: 0, -EINVAL with why, -ENOMEM --- */

static int bad(char *why, size_t size, const char *name, const char *value, const char *what)
{
	snprintf(why, size, "%s '%s' %s", name, value, what);
	return -EINVAL;
}

static int take_text(void *to, const char *name, const char *text, char *why, size_t size)
{
	char **out = to;

	if (!text[0])
		return bad(why, size, name, text, "is empty");
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int take_socket(void *to, const char *name, const char *text, char *why, size_t size)
{
	const struct sockaddr_un un;

	if (strlen(text) >= sizeof(un.sun_path))
		return bad(why, size, name, text, "is too long for a socket: 107 bytes at most");
	return take_text(to, name, text, why, size);
}

static int take_cache(void *to, const char *name, const char *text, char *why, size_t size)
{
	__u64 *pages = to;

	if (size__parse(text, pages))
		return bad(why, size, name, text, "is not a size such as 512MiB or 4GiB");
	if (*pages && *pages * PAGE_BYTES < ARENA_CHUNK)
		return bad(why, size, name, text,
			   "is too small: 2MiB is the least, 0 serves without a cache");
	return 0;
}

static int take_policy(void *to, const char *name, const char *text, char *why, size_t size)
{
	if (strcmp(text, "lru") && strcmp(text, "s3fifo"))
		return bad(why, size, name, text, "is neither lru nor s3fifo");
	return take_text(to, name, text, why, size);
}

static int take_huge(void *to, const char *name, const char *text, char *why, size_t size)
{
	static const struct {
		const char *text;
		size_t bytes;
	} choices[] = {{"2MiB", 2UL << 20}, {"1GiB", 1UL << 30}, {"no", 0}, {"false", 0}};

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (strcmp(choices[i].text, text))
			continue;
		*(size_t *)to = choices[i].bytes;
		return 0;
	}
	return bad(why, size, name, text, "is none of 2MiB, 1GiB and no");
}

static int take_node(void *to, const char *name, const char *text, char *why, size_t size)
{
	__u64 node;

	if (!cli__parse_count(text, 0, 1023, &node))
		return bad(why, size, name, text, "is not the number of a NUMA node");
	*(int *)to = node;
	return 0;
}

static int take_seconds(void *to, const char *name, const char *text, char *why, size_t size)
{
	if (!cli__parse_seconds(text, to))
		return bad(why, size, name, text, "is not a number of seconds above 0");
	return 0;
}

static int take_flag(void *to, const char *name, const char *text, char *why, size_t size)
{
	if (!disk_spec__parse_bool(text, to))
		return bad(why, size, name, text, "is neither 'true' nor 'false'");
	return 0;
}

static int take_audit(void *to, const char *name, const char *text, char *why, size_t size)
{
	if (strncmp(text, "1/", 2) || !cli__parse_count(text + 2, 1, 1ULL << 32, to))
		return bad(why, size, name, text, "is not 1/N");
	return 0;
}

static int take_metrics(void *to, const char *name, const char *text, char *why, size_t size)
{
	struct http_address address;

	if (http_address__parse(text, &address))
		return bad(why, size, name, text,
			   "is neither a port nor 127.0.0.1:PORT or [::1]:PORT; only this host "
			   "may ask");
	return take_text(to, name, text, why, size);
}

static int take_pages(void *to, const char *name, const char *text, char *why, size_t size)
{
	if (!cli__parse_count(text, 1, 1ULL << 40, to))
		return bad(why, size, name, text, "is not a number of pages above 0");
	return 0;
}

/* --- settings --- */

static const struct setting {
	const char *name;
	int letter; /* 0: none */
	bool flag;  /* an option without a value */
	int (*take)(void *to, const char *name, const char *text, char *why, size_t size);
	size_t offset, bytes;
} settings[] = {
#define SETTING(name, member, take)                                                                \
	{                                                                                          \
		name, 0, false, take, offsetof(struct serve_options, member),                      \
			sizeof(((struct serve_options *)0)->member)                                \
	}
#define LETTER(name, letter, flag, member, take)                                                   \
	{                                                                                          \
		name, letter, flag, take, offsetof(struct serve_options, member),                  \
			sizeof(((struct serve_options *)0)->member)                                \
	}
	SETTING("cache", cache, take_cache),
	SETTING("policy", policy, take_policy),
	SETTING("huge", huge, take_huge),
	SETTING("node", node, take_node),
	SETTING("control", control, take_socket),
	SETTING("metrics", metrics, take_metrics),
	SETTING("audit", audit, take_audit),
	SETTING("user", user, take_text),
	SETTING("socket-owner", socket_owner, take_text),
	SETTING("wait", wait, take_seconds),
	SETTING("csv", csv, take_text),
	SETTING("max-pages", max_pages, take_pages),
	LETTER("interval", 'i', false, interval, take_seconds),
	LETTER("duration", 'd', false, duration, take_seconds),
	LETTER("json", 0, true, json, take_flag),
	LETTER("quiet", 'q', true, quiet, take_flag),
#undef SETTING
#undef LETTER
};

#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static void *member(struct serve_options *o, const struct setting *s)
{
	return (char *)o + s->offset;
}

static size_t find(const char *name)
{
	size_t i = 0;

	while (i < NR_SETTINGS && strcmp(settings[i].name, name))
		i++;
	return i;
}

void serve_options__init(struct serve_options *o)
{
	*o = (struct serve_options){
		.huge = 2UL << 20,
		.node = -1,
		.interval = 1,
		.wait = WAIT,
		.max_pages = MAX_PAGES,
	};
}

void serve_options__free(struct serve_options *o)
{
	char *texts[] = {o->policy, o->control, o->metrics,	o->user,
			 o->csv,    o->config,	o->socket_owner};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	for (size_t i = 0; i < o->nr_disks; i++)
		disk_spec__free(&o->disks[i]);
	free(o->disks);
	*o = (struct serve_options){0};
}

bool serve_options__given(const struct serve_options *o, const char *name)
{
	return o->given & 1U << find(name);
}

const char *serve_options__setting(size_t i)
{
	return i < NR_SETTINGS ? settings[i].name : NULL;
}

static bool is_text(const struct setting *s)
{
	return s->take == take_text || s->take == take_policy || s->take == take_socket ||
	       s->take == take_metrics;
}

bool serve_options__same(const struct serve_options *a, const struct serve_options *b, size_t i)
{
	const struct setting *s = &settings[i];
	const void *x = (const char *)a + s->offset, *y = (const char *)b + s->offset;
	const char *text_x, *text_y;

	if (!is_text(s))
		return !memcmp(x, y, s->bytes);
	memcpy(&text_x, x, sizeof(text_x));
	memcpy(&text_y, y, sizeof(text_y));
	return text_x && text_y ? !strcmp(text_x, text_y) : text_x == text_y;
}

int serve_options__set(struct serve_options *o, const char *name, const char *value, char *why,
		       size_t size)
{
	size_t i = find(name);
	int err;

	if (i == NR_SETTINGS) {
		snprintf(why, size, "there is no setting '%s'", name);
		return -ENOENT;
	}
	if (o->given & 1U << i) {
		snprintf(why, size, "%s is given twice", name);
		return -EEXIST;
	}
	err = settings[i].take(member(o, &settings[i]), name, value, why, size);
	if (err == -ENOMEM)
		snprintf(why, size, "out of memory");
	if (!err)
		o->given |= 1U << i;
	return err;
}

static int clash(const struct serve_options *o, const struct disk_spec *d, char *why, size_t size)
{
	for (size_t i = 0; i < o->nr_disks; i++) {
		if (!strcmp(o->disks[i].name, d->name))
			snprintf(why, size, "there are two disks '%s'", d->name);
		else if (!strcmp(o->disks[i].socket, d->socket))
			snprintf(why, size, "%s: socket '%s' is that of %s, too", d->name,
				 d->socket, o->disks[i].name);
		else
			continue;
		return -EEXIST;
	}
	return 0;
}

int serve_options__add_disk(struct serve_options *o, struct disk_spec *d, char *why, size_t size)
{
	struct disk_spec *disks;
	int err = clash(o, d, why, size);

	if (err)
		return err;
	disks = realloc(o->disks, (o->nr_disks + 1) * sizeof(*disks));
	if (!disks) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	o->disks = disks;
	o->disks[o->nr_disks++] = *d;
	*d = (struct disk_spec){0};
	return 0;
}

int serve_options__merge(struct serve_options *o, struct serve_options *from, char *why,
			 size_t size)
{
	int err = 0;

	for (size_t i = 0; i < NR_SETTINGS; i++) {
		if (o->given & 1U << i || !(from->given & 1U << i))
			continue;
		memcpy(member(o, &settings[i]), member(from, &settings[i]), settings[i].bytes);
		/* A text has one owner. */
		memset(member(from, &settings[i]), 0, settings[i].bytes);
		o->given |= 1U << i;
	}
	for (size_t i = 0; i < from->nr_disks && !err; i++)
		err = serve_options__add_disk(o, &from->disks[i], why, size);
	serve_options__free(from);
	return err;
}

/* --- options --- */

enum { OPT_SETTING = 256, OPT_DISK = OPT_SETTING + NR_SETTINGS, OPT_CONFIG };

static void make_long_options(struct option *out)
{
	for (size_t i = 0; i < NR_SETTINGS; i++)
		*out++ = (struct option){settings[i].name,
					 settings[i].flag ? no_argument : required_argument, NULL,
					 OPT_SETTING + i};
	*out++ = (struct option){"disk", required_argument, NULL, OPT_DISK};
	*out++ = (struct option){"config", required_argument, NULL, OPT_CONFIG};
	*out++ = (struct option){"help", no_argument, NULL, 'h'};
	*out = (struct option){0};
}

static int take_disk(struct serve_options *o, const char *text)
{
	struct disk_spec d = {0};
	char why[SERVE_WHY] = "";
	int status = CLI_DONE;

	if (disk_spec__parse(&d, text, why, sizeof(why)) ||
	    serve_options__add_disk(o, &d, why, sizeof(why)))
		status = cli__usage("--disk: %s", why);
	disk_spec__free(&d);
	return status;
}

static int take_config(struct serve_options *o, const char *file)
{
	if (o->config)
		return cli__usage("--config is given twice");
	o->config = strdup(file);
	return o->config ? CLI_DONE : cli__failed("out of memory");
}

static const struct setting *by_option(int opt)
{
	for (size_t i = 0; i < NR_SETTINGS; i++)
		if (opt == OPT_SETTING + (int)i || (opt && opt == settings[i].letter))
			return &settings[i];
	return NULL;
}

static int take_option(struct serve_options *o, int opt, char **argv)
{
	const struct setting *s = by_option(opt);
	char why[SERVE_WHY] = "";

	if (opt == OPT_DISK)
		return take_disk(o, optarg);
	if (opt == OPT_CONFIG)
		return take_config(o, optarg);
	if (!s)
		return cli__bad_option(opt, argv);
	if (serve_options__set(o, s->name, s->flag ? "true" : optarg, why, sizeof(why)))
		return cli__usage("--%s", why);
	return CLI_DONE;
}

static int read_config(struct serve_options *o)
{
	struct serve_options from;
	char why[SERVE_WHY] = "";
	int err;

	if (!o->config)
		return CLI_DONE;
	serve_options__init(&from);
	err = serve_config__read(&from, o->config, why, sizeof(why));
	if (err)
		serve_options__free(&from);
	else
		err = serve_options__merge(o, &from, why, sizeof(why));
	return err ? cli__failed("%s", why) : CLI_DONE;
}

static int check(const struct serve_options *o)
{
	if (!serve_options__given(o, "cache") && o->config)
		return cli__failed("%s: cache is missing; add a line such as 'cache: 4GiB'",
				   o->config);
	if (!serve_options__given(o, "cache"))
		return cli__usage("--cache SIZE is missing");
	if (!o->nr_disks && !o->control && !o->config)
		return cli__usage("nothing to serve: add --disk NAME,path=..,socket=.., or "
				  "--control SOCK to add disks later");
	return CLI_DONE;
}

int serve_options__parse(struct serve_options *o, int argc, char **argv)
{
	struct option options[NR_SETTINGS + 4];
	int opt, status;

	make_long_options(options);
	optind = 0; /* from the begin, also when the configuration is read again */
	while ((opt = getopt_long(argc, argv, ":i:d:qh", options, NULL)) >= 0) {
		if (opt == 'h') {
			fputs(help, stdout);
			return -1;
		}
		status = take_option(o, opt, argv);
		if (status)
			return status;
	}
	if (optind < argc)
		return cli__usage("unexpected argument '%s'", argv[optind]);
	return read_config(o) ?: check(o);
}
