// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/size.h"
#include "../loader/trace/trace.h"
#include "cli.h"
#include "mrc_options.h"

/* More would be a slip of the pen. */
#define MAX_POINTS 1000000
#define MAX_WSS 64
/* Room for a word of a list. */
#define WORD 40

enum {
	OPT_FORMAT = 256,
	OPT_EXACT,
	OPT_SHARDS,
	OPT_SHARDS_MAX,
	OPT_SEED,
	OPT_DETAIL,
	OPT_ORDER,
	OPT_POLICY,
	OPT_SIZES,
	OPT_POINTS,
	OPT_WSS,
	OPT_WINDOW,
	OPT_HALF_LIFE,
	OPT_EVERY,
	OPT_SKIP_BAD,
	OPT_CSV,
	OPT_JSON,
	OPT_MAX_PAGES,
	OPT_DUMP,
};

static const struct option long_options[] = {
	{"format", required_argument, NULL, OPT_FORMAT},
	{"exact", no_argument, NULL, OPT_EXACT},
	{"shards", required_argument, NULL, OPT_SHARDS},
	{"shards-max", required_argument, NULL, OPT_SHARDS_MAX},
	{"seed", required_argument, NULL, OPT_SEED},
	{"detail", required_argument, NULL, OPT_DETAIL},
	{"order", required_argument, NULL, OPT_ORDER},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"sizes", required_argument, NULL, OPT_SIZES},
	{"points", required_argument, NULL, OPT_POINTS},
	{"wss", required_argument, NULL, OPT_WSS},
	{"window", required_argument, NULL, OPT_WINDOW},
	{"half-life", required_argument, NULL, OPT_HALF_LIFE},
	{"every", required_argument, NULL, OPT_EVERY},
	{"skip-bad", no_argument, NULL, OPT_SKIP_BAD},
	{"csv", required_argument, NULL, OPT_CSV},
	{"json", no_argument, NULL, OPT_JSON},
	{"max-pages", required_argument, NULL, OPT_MAX_PAGES},
	{"dump", no_argument, NULL, OPT_DUMP},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static const char help[] =
	"Usage: hvtrace mrc [OPTION]... TRACE...\n"
	"Miss curves of the VMs in recordings, and of traces of other tools ('-': standard input;\n"
	".gz and .zst are read as they are).\n"
	"\n"
	"      --format F      own, u64, csv, oracleGeneral, vscsi, blkparse or msr (default: by\n"
	"                      content)\n"
	"      --exact         follow every page of a trace (the default)\n"
	"      --shards RATE   follow a share of the pages: 0.01, 1/100 or 1%\n"
	"      --shards-max N  follow at most N pages, whatever the trace\n"
	"      --detail X      when sampled, look at small sizes with X times the references\n"
	"      --seed N        choose another sample\n"
	"      --policy P,...  simulate fifo, clock, s3fifo, arc, opt, lru or all, too\n"
	"      --order O       of a recording: by eviction (the default) or by access\n"
	"      --sizes A,B,... curve at these sizes: 64MiB, 1GiB, 1000p (pages); of a recording,\n"
	"                      they are memory added\n"
	"      --points N      ... or at N sizes up to the curve's end: 100 or 100log (on a\n"
	"                      logarithmic scale from 1 page), 100lin (evenly from 0)\n"
	"      --wss R,...     memory for these miss ratios (default: 0.01,0.05)\n"
	"      --window T      the curve of the last 10s, 5m, 2h, 1d or 1000000r (references)\n"
	"      --half-life T   ... or of all, accesses T ago counting half\n"
	"      --every T       a curve per interval as well, told as it ends\n"
	"      --skip-bad      count malformed records of a trace and go on\n"
	"      --csv FILE      write the curves to FILE ('-': standard output and nothing else)\n"
	"      --json          one JSON object a line instead of tables and charts\n"
	"      --max-pages N   of a recording: track at most so many pages (default: what memory\n"
	"                      holds)\n"
	"      --dump          print a recording's events, one a line, and do nothing else\n"
	"  -q, --quiet         no progress on a terminal\n"
	"  -h, --help\n"
	"\n"
	"Examples:\n"
	"  hvtrace mrc vm.hvt\n"
	"  hvtrace mrc --sizes 256MiB,512MiB,1GiB --csv curve.csv vm.hvt\n"
	"  hvtrace mrc --every 1h --window 1d msr.csv.gz\n"
	"  hvtrace mrc --shards 1% --detail 1 --policy all msr.csv.gz\n"
	"  hvtrace mrc --dump vm.hvt | grep evict | head\n";

/* --- values --- */

static int take_format(struct mrc_options *o, const char *arg)
{
	char all[128] = "";

	o->format = arg;
	for (const char *const *f = trace__formats(); *f; f++) {
		if (!strcmp(arg, *f))
			return 0;
		if (all[0])
			strncat(all, ", ", sizeof(all) - strlen(all) - 1);
		strncat(all, *f, sizeof(all) - strlen(all) - 1);
	}
	return cli__usage("unknown format '%s'; there are: %s", arg, all);
}

static int take_order(struct mrc_options *o, const char *arg)
{
	if (strcmp(arg, "eviction") && strcmp(arg, "access"))
		return cli__usage("--order '%s' is neither eviction nor access", arg);
	o->order = arg[0] == 'e' ? ORDER_EVICTION : ORDER_ACCESS;
	return 0;
}

static int add_policy(struct mrc_options *o, const char *name)
{
	enum policy p;

	if (policy__parse(name, &p))
		return cli__usage("unknown policy '%s'; there are: lru, fifo, clock, s3fifo, arc, "
				  "opt, all",
				  name);
	o->nr_policies += !o->policies[p];
	o->policies[p] = true;
	return 0;
}

/* All but LRU, whose curve is there anyway. */
static int add_all_policies(struct mrc_options *o)
{
	for (int p = 0; p < POLICIES; p++) {
		if (p == POLICY_LRU)
			continue;
		o->nr_policies += !o->policies[p];
		o->policies[p] = true;
	}
	return 0;
}

/* The next word of a list; *rest is NULL behind the last one. One that is too long is cut, and
 * right no more. */
static const char *next_word(const char **rest, char word[WORD])
{
	size_t n = strcspn(*rest, ",");

	snprintf(word, WORD, "%.*s", (int)n, *rest);
	*rest = (*rest)[n] ? *rest + n + 1 : NULL;
	return word;
}

static int take_policies(struct mrc_options *o, const char *arg)
{
	char name[WORD];
	int status = 0;

	while (!status && arg) {
		next_word(&arg, name);
		status = strcmp(name, "all") ? add_policy(o, name) : add_all_policies(o);
	}
	return status;
}

static int take_sizes(struct mrc_options *o, const char *arg)
{
	free(o->sizes);
	o->sizes = NULL;
	if (size__parse_list(arg, &o->sizes, &o->nr_sizes))
		return cli__usage("--sizes '%s' is not a list such as 64MiB,1GiB,1000p", arg);
	return 0;
}

static int take_points(struct mrc_options *o, const char *arg)
{
	size_t digits = strspn(arg, "0123456789");
	char number[24];

	snprintf(number, sizeof(number), "%.*s", (int)digits, arg);
	o->linear = !strcmp(arg + digits, "lin");
	if ((arg[digits] && !o->linear && strcmp(arg + digits, "log")) ||
	    digits >= sizeof(number) || !cli__parse_count(number, 1, MAX_POINTS, &o->points))
		return cli__usage("--points '%s' is not a number such as 100, 100log or 100lin",
				  arg);
	return 0;
}

static int take_wss(struct mrc_options *o, const char *arg)
{
	char word[WORD];

	free(o->wss);
	o->nr_wss = 0;
	o->wss = calloc(MAX_WSS, sizeof(*o->wss));
	if (!o->wss)
		return cli__failed("out of memory");
	while (arg)
		if (!cli__parse_share(next_word(&arg, word), &o->wss[o->nr_wss++]) ||
		    (arg && o->nr_wss == MAX_WSS))
			return cli__usage("--wss: '%s' is not a miss ratio above 0, such as 0.01 "
					  "or 1%% (%d at most)",
					  word, MAX_WSS);
	return 0;
}

static int take_span(const char *option, const char *arg, struct span *out)
{
	if (span__parse(arg, out))
		return cli__usage("%s '%s' is neither a time such as 500ms, 10s, 5m, 2h or 1d nor "
				  "a number of references such as 1000000r",
				  option, arg);
	return 0;
}

static int take_rate(struct mrc_options *o, const char *arg)
{
	if (!cli__parse_share(arg, &o->rate))
		return cli__usage("--shards '%s' is not a share of the pages above 0 and up to 1, "
				  "such as 0.01, 1/100 or 1%%",
				  arg);
	return 0;
}

static int take_detail(struct mrc_options *o, const char *arg)
{
	/* A number above 0, which is what seconds are. */
	if (!cli__parse_seconds(arg, &o->detail))
		return cli__usage("--detail '%s' is not a number above 0, such as 1", arg);
	return 0;
}

/* Of at least 64 pages: fewer tell nothing. */
static int take_max_sampled(struct mrc_options *o, const char *arg)
{
	if (!cli__parse_count(arg, 64, 1ULL << 40, &o->max_sampled))
		return cli__usage("--shards-max '%s' is not a number of pages from 64 up", arg);
	return 0;
}

static int take_seed(struct mrc_options *o, const char *arg)
{
	o->has_seed = true;
	if (!cli__parse_count(arg, 0, ~0ULL, &o->seed))
		return cli__usage("--seed '%s' is not a number", arg);
	return 0;
}

static int take_max_pages(struct mrc_options *o, const char *arg)
{
	if (!cli__parse_count(arg, 1, 1ULL << 40, &o->max_pages))
		return cli__usage("--max-pages '%s' is not a number of pages above 0", arg);
	return 0;
}

static int take_value(struct mrc_options *o, int opt, const char *arg, char **argv)
{
	switch (opt) {
	case OPT_FORMAT:
		return take_format(o, arg);
	case OPT_SHARDS:
		return take_rate(o, arg);
	case OPT_SHARDS_MAX:
		return take_max_sampled(o, arg);
	case OPT_SEED:
		return take_seed(o, arg);
	case OPT_DETAIL:
		return take_detail(o, arg);
	case OPT_ORDER:
		return take_order(o, arg);
	case OPT_POLICY:
		return take_policies(o, arg);
	case OPT_SIZES:
		return take_sizes(o, arg);
	case OPT_POINTS:
		return take_points(o, arg);
	case OPT_WSS:
		return take_wss(o, arg);
	case OPT_WINDOW:
		return take_span("--window", arg, &o->past.window);
	case OPT_HALF_LIFE:
		return take_span("--half-life", arg, &o->past.half_life);
	case OPT_EVERY:
		return take_span("--every", arg, &o->every);
	case OPT_MAX_PAGES:
		return take_max_pages(o, arg);
	case OPT_CSV:
		o->csv = arg;
		return 0;
	}
	return cli__bad_option(opt, argv);
}

static int take(struct mrc_options *o, int opt, const char *arg, char **argv)
{
	switch (opt) {
	case OPT_EXACT:
		o->exact = true;
		return 0;
	case OPT_SKIP_BAD:
		o->skip_bad = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_DUMP:
		o->dump = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	}
	return take_value(o, opt, arg, argv);
}

/* --- what goes together --- */

static int check_paths(const struct mrc_options *o)
{
	if (!o->nr_paths)
		return cli__usage("TRACE is missing: a file of 'hvtrace record' or of another "
				  "tool, or '-'");
	for (size_t i = 0; i < o->nr_paths; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(o->paths[i], o->paths[k]))
				return cli__usage("'%s' is named twice", o->paths[i]);
	return 0;
}

static int check_sampling(const struct mrc_options *o)
{
	if (o->exact + (o->rate > 0) + (o->max_sampled > 0) > 1)
		return cli__usage("--exact, --shards and --shards-max exclude each other");
	if (o->detail > 0 && !mrc_options__sampled(o))
		return cli__usage("--detail is for sampling; add --shards or --shards-max");
	if (o->has_seed && !mrc_options__sampled(o))
		return cli__usage("--seed chooses a sample; add --shards or --shards-max");
	return 0;
}

static int check_policies(const struct mrc_options *o)
{
	if (!o->nr_policies)
		return 0;
	if (o->max_sampled)
		return cli__usage("--policy needs a rate that stays; use --shards RATE instead of "
				  "--shards-max");
	if (o->order == ORDER_EVICTION)
		return cli__usage("--policy simulates accesses; do without --order eviction");
	if (o->sizes && !o->sizes[o->nr_sizes - 1])
		return cli__usage("--policy needs a size above 0 among --sizes");
	if (o->linear)
		return cli__usage("--policy cannot know the curve's end beforehand; use --sizes, "
				  "or --points on a logarithmic scale");
	return 0;
}

static int check_past(const struct mrc_options *o)
{
	bool limited = past__limited(&o->past);

	if (o->past.window.n && o->past.half_life.n)
		return cli__usage("--window and --half-life exclude each other");
	if (limited && o->every.n && o->every.refs != past__span(&o->past)->refs)
		return cli__usage("--every and --%s have to be both times or both references",
				  o->past.window.n ? "window" : "half-life");
	if (limited && o->nr_policies)
		return cli__usage("--policy simulates the whole trace; do without --window and "
				  "--half-life");
	if ((limited || o->every.n) && o->points)
		return cli__usage("--points needs the curve's end, which moves with time; use "
				  "--sizes");
	return 0;
}

static int check(const struct mrc_options *o)
{
	if (o->sizes && o->points)
		return cli__usage("--sizes and --points exclude each other");
	if (o->dump && (o->json || o->csv || o->nr_policies || mrc_options__in_time(o)))
		return cli__usage("--dump prints events and nothing else; do without %s",
				  o->json	   ? "--json"
				  : o->csv	   ? "--csv"
				  : o->nr_policies ? "--policy"
				  : o->every.n	   ? "--every"
						   : "--window and --half-life");
	return check_paths(o) ?: check_sampling(o) ?: check_policies(o) ?: check_past(o);
}

int mrc_options__fit_recording(const struct mrc_options *o, const char *path)
{
	if (o->rate > 0 || o->max_sampled)
		return cli__usage("'%s' is a recording: 'hvtrace record --sample' sampled it; do "
				  "without --shards",
				  path);
	if (o->nr_policies && o->order != ORDER_ACCESS)
		return cli__usage("--policy simulates accesses, '%s' is a recording of evictions, "
				  "too; add --order access",
				  path);
	return 0;
}

int mrc_options__fit_trace(const struct mrc_options *o, const char *path, const char *format)
{
	if (o->order == ORDER_EVICTION)
		return cli__usage("'%s' is a trace of accesses (%s), nothing tells when a page was "
				  "evicted; do without --order eviction",
				  path, format);
	if (o->max_pages)
		return cli__usage("--max-pages is for recordings, '%s' is %s; use --shards-max",
				  path, format);
	if (o->dump)
		return cli__usage("--dump is for recordings, '%s' is %s", path, format);
	return 0;
}

int mrc_options__fit_untimed(const struct mrc_options *o, const char *path, const char *format)
{
	const struct span *s = past__limited(&o->past) ? past__span(&o->past) : &o->every;

	if (!s->n || s->refs)
		return 0;
	return cli__usage("'%s' has no times (%s); give --%s as references, such as 1000000r", path,
			  format,
			  o->past.window.n	? "window"
			  : o->past.half_life.n ? "half-life"
						: "every");
}

/* --- the whole --- */

int mrc_options__parse(struct mrc_options *o, int argc, char **argv)
{
	int opt, err;

	while ((opt = getopt_long(argc, argv, ":qh", long_options, NULL)) >= 0) {
		if (opt == 'h') {
			fputs(help, stdout);
			return -1;
		}
		err = take(o, opt, optarg, argv);
		if (err)
			return err;
	}
	o->paths = argv + optind;
	o->nr_paths = argc - optind;
	return check(o);
}

void mrc_options__free(struct mrc_options *o)
{
	free(o->sizes);
	free(o->wss);
}

bool mrc_options__sampled(const struct mrc_options *o)
{
	return (o->rate > 0 && o->rate < 1) || o->max_sampled;
}

bool mrc_options__in_time(const struct mrc_options *o)
{
	return past__limited(&o->past) || o->every.n;
}

struct wss_list mrc_options__wss(const struct mrc_options *o)
{
	return o->wss ? (struct wss_list){o->wss, o->nr_wss} : wss_defaults;
}

bool mrc_options__has_sizes(const struct mrc_options *o)
{
	return o->sizes || o->points;
}

__u64 *mrc_options__sizes(const struct mrc_options *o, __u64 max, size_t room, size_t *n)
{
	size_t wanted = o->sizes ? o->nr_sizes : o->points ? o->points : room;
	__u64 *sizes = calloc(wanted, sizeof(*sizes));

	if (!sizes)
		return NULL;
	*n = wanted;
	if (o->sizes)
		memcpy(sizes, o->sizes, wanted * sizeof(*sizes));
	else if (o->points)
		*n = size__spaced(max, wanted, !o->linear, sizes);
	else
		*n = size__defaults(max, sizes, room);
	return sizes;
}
