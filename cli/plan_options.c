// SPDX-License-Identifier: GPL-2.0
#include "plan_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/array.h"
#include "../analysis/size.h"
#include "cli.h"
#include "disk_spec.h"
#include "picture.h"

enum {
	OPT_CONTROL = 256,
	OPT_CONFIG,
	OPT_VM,
	OPT_DEFAULT,
	OPT_ONLY,
	OPT_ADD_VM,
	OPT_WITHOUT,
	OPT_GRANULE,
	OPT_GREEDY,
	OPT_GUESS,
	OPT_SPACE,
	OPT_CSV,
	OPT_PICTURE,
	OPT_JSON,
	OPT_CGROUP,
	OPT_HOSTS,
	OPT_FAILOVER,
	OPT_PACK,
	OPT_PACK_TIME,
	OPT_TAX,
};

static const struct option long_options[] = {
	{"memory", required_argument, NULL, 'm'},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"vm", required_argument, NULL, OPT_VM},
	{"default", required_argument, NULL, OPT_DEFAULT},
	{"only", required_argument, NULL, OPT_ONLY},
	{"add-vm", required_argument, NULL, OPT_ADD_VM},
	{"without", required_argument, NULL, OPT_WITHOUT},
	{"granule", required_argument, NULL, OPT_GRANULE},
	{"greedy", no_argument, NULL, OPT_GREEDY},
	{"guess", no_argument, NULL, OPT_GUESS},
	{"space", required_argument, NULL, OPT_SPACE},
	{"hosts", required_argument, NULL, OPT_HOSTS},
	{"failover", required_argument, NULL, OPT_FAILOVER},
	{"pack", required_argument, NULL, OPT_PACK},
	{"pack-time", required_argument, NULL, OPT_PACK_TIME},
	{"cgroup", required_argument, NULL, OPT_CGROUP},
	{"tax", required_argument, NULL, OPT_TAX},
	{"csv", required_argument, NULL, OPT_CSV},
	{"picture", required_argument, NULL, OPT_PICTURE},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static const char help[] =
	"Usage: hvtrace plan [OPTION]... [HOST=]INPUT...\n"
	"How much memory to give each VM, so that all together lose the least time to misses.\n"
	"INPUT is a folder of 'live --csv' or 'serve --csv', a curve.csv, or what mrc reads.\n"
	"\n"
	"  -m, --memory [HOST=]SIZE     memory to give out (default: what the VMs have now)\n"
	"      --control [HOST=]SOCK    the VMs of a running hvtrace, through its control socket\n"
	"      --config FILE            what is known of VMs and wished for them, in YAML\n"
	"      --vm NAME,FACT=VALUE,... of one VM:\n"
	"                               memory, direct: what it has, and of its own\n"
	"                               rate or over, latency: accesses a second, or how long its\n"
	"                               curve's took; the time of a miss\n"
	"                               min, max, weight\n"
	"                               slower-ratio, slower-time, baseline: how much slower it "
	"may\n"
	"                               get (2%, 5ms a second) against its memory now, or this\n"
	"      --default FACT=VALUE,... of all of which it is not known\n"
	"      --only NAME              only this VM (may be repeated)\n"
	"      --space disk|mem         only curves of this space (default: disk, or else mem)\n"
	"      --guess                  sizes below what a curve shows, too, down to the min\n"
	"      --granule SIZE           give out so much at a time (default: one that fits)\n"
	"      --greedy                 by convex hulls: fast, with a bound on how far off\n"
	"      --cgroup [HOST=]DIR      the VMs are in groups as this cgroup v2 tree has them\n"
	"                               (other groups are a matter of --config)\n"
	"      --tax PERCENT            on idle memory, for what groups' VMs are entitled to (75)\n"
	"\n"
	"What if:\n"
	"      --memory [HOST=]SIZE     there were so much\n"
	"      --add-vm INPUT,FACT=..   this VM came, too (also name=, host=)\n"
	"      --without NAME           this one went\n"
	"      --failover HOST          this host failed, and its VMs went to the others\n"
	"      --pack HOSTS.csv         all went to the fewest hosts: host,memory[,curves]\n"
	"      --pack-time SEC          ... looking for no longer than this (60)\n"
	"      --hosts HOSTS.csv        there were these hosts, and VMs stayed where they are\n"
	"\n"
	"      --csv FILE               the plan as CSV ('-': standard output)\n"
	"      --picture FILE           memory and lost time before and after: .svg or .png\n"
	"      --json                   one JSON object a line instead of the table\n"
	"  -q, --quiet                  no remarks on standard error\n"
	"  -h, --help\n"
	"\n"
	"Examples:\n"
	"  hvtrace plan out\n"
	"  hvtrace plan --memory 64GiB --vm db,min=4GiB,slower-time=5ms --picture plan.svg out\n"
	"  hvtrace plan --default over=1h,latency=100us --memory 8GiB a.csv b.csv\n"
	"  hvtrace plan --control /run/hvtrace/control --without web02\n";

/* --- lists --- */

static int no_memory(char *why, size_t size)
{
	snprintf(why, size, "out of memory");
	return -ENOMEM;
}

/* One more element, all zero, at the end of *list; NULL: out of memory. */
static void *grow(void *list, size_t *n, size_t size)
{
	char *old, *more;

	memcpy(&old, list, sizeof(old));
	more = array__with_room(old, *n, size);
	if (!more)
		return NULL;
	memcpy(list, &more, sizeof(more));
	return memset(more + (*n)++ * size, 0, size);
}

static int add_word(struct plan_words *w, const char *text)
{
	char **at = grow(&w->v, &w->n, sizeof(*w->v));

	if (at)
		*at = strdup(text);
	return at && *at ? 0 : -ENOMEM;
}

static void free_words(struct plan_words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
}

void plan_input__free(struct plan_input *in)
{
	free(in->path);
	free(in->host);
	free(in->name);
	*in = (struct plan_input){0};
}

void plan_options__free(struct plan_options *o)
{
	for (size_t i = 0; i < o->nr_inputs; i++)
		plan_input__free(&o->inputs[i]);
	for (size_t i = 0; i < o->nr_wishes; i++)
		free(o->wishes[i].name);
	for (size_t i = 0; i < o->nr_memory; i++)
		free(o->memory[i].host);
	for (size_t i = 0; i < o->nr_groupings; i++) {
		free(o->groupings[i].host);
		free(o->groupings[i].cgroup);
		group_list__free(&o->groupings[i].list);
	}
	free(o->groupings);
	hosts_csv__free(&o->hosts);
	free(o->hosts_file);
	free(o->failover);
	free(o->inputs);
	free(o->wishes);
	free(o->memory);
	free_words(&o->without);
	free_words(&o->only);
	free(o->csv);
	free(o->picture);
	free(o->config);
	*o = (struct plan_options){0};
}

/* --- values --- */

/* "HOST=REST": where the rest begins, and the length of the host's name. A path that has a "=" of
 * its own begins with a folder. */
static const char *after_host(const char *text, size_t *len)
{
	const char *is = strchr(text, '=');

	*len = is ? is - text : 0;
	if (!*len || memchr(text, '/', *len)) {
		*len = 0;
		return text;
	}
	return is + 1;
}

int plan_options__take_input(struct plan_options *o, struct plan_input *in, char *why, size_t size)
{
	struct plan_input *new;

	if (!in->path || !in->path[0]) {
		snprintf(why, size, "a path is empty: name a file, a folder or a socket");
		return -EINVAL;
	}
	new = grow(&o->inputs, &o->nr_inputs, sizeof(*new));
	if (!new)
		return no_memory(why, size);
	*new = *in;
	*in = (struct plan_input){0};
	return 0;
}

int plan_options__add_input(struct plan_options *o, const char *text, bool socket, char *why,
			    size_t size)
{
	struct plan_input in = {.socket = socket};
	size_t len;
	const char *path = after_host(text, &len);
	int err;

	in.path = strdup(path);
	in.host = len ? strndup(text, len) : NULL;
	if (!in.path || (len && !in.host))
		err = no_memory(why, size);
	else
		err = plan_options__take_input(o, &in, why, size);
	plan_input__free(&in);
	return err;
}

int plan_options__put_pages(struct plan_options *o, const char *host, __u64 pages)
{
	struct plan_memory *m = grow(&o->memory, &o->nr_memory, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->pages = pages;
	m->host = host ? strdup(host) : NULL;
	return host && !m->host ? -ENOMEM : 0;
}

int plan_options__put_memory(struct plan_options *o, const char *host, const char *text, char *why,
			     size_t size)
{
	__u64 pages;

	if (size__parse(text, &pages)) {
		snprintf(why, size, "memory '%s' is not a size such as 64GiB", text);
		return -EINVAL;
	}
	return plan_options__put_pages(o, host, pages) ? no_memory(why, size) : 0;
}

int plan_options__add_memory(struct plan_options *o, const char *text, char *why, size_t size)
{
	size_t len;
	const char *rest = after_host(text, &len);
	char *host = len ? strndup(text, len) : NULL;
	int err = len && !host ? no_memory(why, size) : 0;

	if (!err)
		err = plan_options__put_memory(o, host, rest, why, size);
	free(host);
	return err;
}

int plan_options__add_wish(struct plan_options *o, const char *name, const struct plan_facts *facts,
			   char *why, size_t size)
{
	struct plan_wish *w = grow(&o->wishes, &o->nr_wishes, sizeof(*w));

	if (w) {
		w->facts = *facts;
		w->name = strdup(name);
	}
	return w && w->name ? 0 : no_memory(why, size);
}

int plan_options__set_granule(struct plan_options *o, const char *text, char *why, size_t size)
{
	if (!size__parse(text, &o->granule) && o->granule)
		return 0;
	snprintf(why, size, "granule '%s' is not a size such as 16MiB", text);
	return -EINVAL;
}

/* --- groups --- */

static int add_grouping(struct plan_options *o, const struct plan_grouping *new, char *why,
			size_t size)
{
	struct plan_grouping *g = grow(&o->groupings, &o->nr_groupings, sizeof(*g));

	if (!g)
		return no_memory(why, size);
	*g = *new;
	return 0;
}

int plan_options__add_groups(struct plan_options *o, const char *host, struct group_list *list,
			     char *why, size_t size)
{
	struct plan_grouping new = {.host = host ? strdup(host) : NULL, .list = *list};
	int err = host && !new.host ? no_memory(why, size) : add_grouping(o, &new, why, size);

	if (err)
		free(new.host);
	else
		*list = (struct group_list){0};
	return err;
}

static int add_cgroup(struct plan_options *o, const char *text, char *why, size_t size)
{
	size_t len;
	const char *path = after_host(text, &len);
	struct plan_grouping new = {.host = len ? strndup(text, len) : NULL,
				    .cgroup = strdup(path)};
	int err = (len && !new.host) || !new.cgroup ? no_memory(why, size)
						    : add_grouping(o, &new, why, size);

	if (!err)
		return 0;
	free(new.host);
	free(new.cgroup);
	return err;
}

int plan_options__set_tax(struct plan_options *o, const char *text, char *why, size_t size)
{
	size_t len = strspn(text, "0123456789");
	unsigned long tax = strtoul(text, NULL, 10);

	if (!len || len > 2 || (text[len] && strcmp(text + len, "%"))) {
		snprintf(why, size, "tax '%s' is not a percentage from 0 to 99", text);
		return -EINVAL;
	}
	if (!o->has_tax)
		o->tax = tax;
	o->has_tax = true;
	return 0;
}

/* --- NAME,FACT=VALUE,... --- */

static int take_text(char **out, const char *text, char *why, size_t size)
{
	free(*out);
	*out = strdup(text);
	return *out ? 0 : no_memory(why, size);
}

static int take_default(void *ctx, const char *name, const char *value, char *why, size_t size)
{
	return plan_facts__set(ctx, name, value, why, size);
}

static int take_vm_part(void *ctx, const char *name, const char *value, char *why, size_t size)
{
	struct plan_input *in = ctx;

	if (strcmp(name, "name"))
		return plan_facts__set(&in->facts, name, value, why, size);
	return take_text(&in->name, value, why, size);
}

/* The first part is what it comes from. */
static int take_new_part(void *ctx, const char *name, const char *value, char *why, size_t size)
{
	struct plan_input *in = ctx;

	if (!in->path)
		return take_text(&in->path, value, why, size);
	if (!strcmp(name, "host"))
		return take_text(&in->host, value, why, size);
	return take_vm_part(ctx, name, value, why, size);
}

int plan_options__add_vm(struct plan_options *o, const char *text, char *why, size_t size)
{
	struct plan_input in = {0};
	int err = disk_spec__split(text, take_vm_part, &in, why, size);

	if (!err && (!in.name || !in.name[0])) {
		snprintf(why, size, "'%s' begins with no name: it is NAME,FACT=VALUE,...", text);
		err = -EINVAL;
	}
	if (!err)
		err = plan_options__add_wish(o, in.name, &in.facts, why, size);
	plan_input__free(&in);
	return err;
}

int plan_options__add_new(struct plan_options *o, const char *text, char *why, size_t size)
{
	struct plan_input in = {.fresh = true};
	int err = disk_spec__split(text, take_new_part, &in, why, size);

	if (!err)
		err = plan_options__take_input(o, &in, why, size);
	plan_input__free(&in);
	return err;
}

/* --- options --- */

static int take_space(struct plan_options *o, const char *text, char *why, size_t size)
{
	o->one_space = true;
	o->space = strcmp(text, "mem") ? SPACE_DISK : SPACE_MEM;
	if (!strcmp(text, "mem") || !strcmp(text, "disk"))
		return 0;
	snprintf(why, size, "space '%s' is neither disk nor mem", text);
	return -EINVAL;
}

static int take_picture(struct plan_options *o, const char *text, char *why, size_t size)
{
	if (picture__can_be(text))
		return take_text(&o->picture, text, why, size);
	snprintf(why, size, "picture '%s' is neither a .svg or .png file nor '-'", text);
	return -EINVAL;
}

/* One file of hosts, whatever is to be done with them. */
static int take_hosts(struct plan_options *o, const char *text, bool pack, char *why, size_t size)
{
	if (o->hosts_file) {
		snprintf(why, size, "--pack and --hosts name one file of hosts, once");
		return -EINVAL;
	}
	o->pack = pack;
	return take_text(&o->hosts_file, text, why, size);
}

static int take_pack_time(struct plan_options *o, const char *text, char *why, size_t size)
{
	if (cli__parse_seconds(text, &o->pack_time))
		return 0;
	snprintf(why, size, "pack-time '%s' is not a number of seconds above 0", text);
	return -EINVAL;
}

static int take_valued(struct plan_options *o, int opt, char *why, size_t size)
{
	switch (opt) {
	case 'm':
		return plan_options__add_memory(o, optarg, why, size);
	case OPT_CONTROL:
		return plan_options__add_input(o, optarg, true, why, size);
	case OPT_CONFIG:
		return take_text(&o->config, optarg, why, size);
	case OPT_VM:
		return plan_options__add_vm(o, optarg, why, size);
	case OPT_DEFAULT:
		return disk_spec__split(optarg, take_default, &o->defaults, why, size);
	case OPT_ONLY:
		return add_word(&o->only, optarg) ? no_memory(why, size) : 0;
	case OPT_ADD_VM:
		return plan_options__add_new(o, optarg, why, size);
	case OPT_WITHOUT:
		return add_word(&o->without, optarg) ? no_memory(why, size) : 0;
	case OPT_GRANULE:
		return plan_options__set_granule(o, optarg, why, size);
	case OPT_SPACE:
		return take_space(o, optarg, why, size);
	case OPT_HOSTS:
	case OPT_PACK:
		return take_hosts(o, optarg, opt == OPT_PACK, why, size);
	case OPT_FAILOVER:
		return take_text(&o->failover, optarg, why, size);
	case OPT_PACK_TIME:
		return take_pack_time(o, optarg, why, size);
	case OPT_CGROUP:
		return add_cgroup(o, optarg, why, size);
	case OPT_TAX:
		return plan_options__set_tax(o, optarg, why, size);
	case OPT_CSV:
		return take_text(&o->csv, optarg, why, size);
	case OPT_PICTURE:
		return take_picture(o, optarg, why, size);
	}
	return -ENOENT;
}

static bool take_flag(struct plan_options *o, int opt)
{
	switch (opt) {
	case OPT_GREEDY:
		o->greedy = true;
		return true;
	case OPT_GUESS:
		o->guess = true;
		return true;
	case OPT_JSON:
		o->json = true;
		return true;
	case 'q':
		o->quiet = true;
		return true;
	}
	return false;
}

static int take(struct plan_options *o, int opt, char **argv)
{
	char why[PLAN_WHY] = "";
	int err;

	if (take_flag(o, opt))
		return 0;
	err = take_valued(o, opt, why, sizeof(why));
	if (err == -ENOENT && !why[0])
		return cli__bad_option(opt, argv);
	if (err == -ENOMEM)
		return cli__failed("%s", why);
	return err ? cli__usage("%s", why) : 0;
}

static int take_options(struct plan_options *o, int argc, char **argv)
{
	char why[PLAN_WHY] = "";
	int opt, err = 0;

	while ((opt = getopt_long(argc, argv, ":m:qh", long_options, NULL)) >= 0) {
		if (opt == 'h') {
			fputs(help, stdout);
			return -1;
		}
		err = take(o, opt, argv);
		if (err)
			return err;
	}
	for (; optind < argc && !err; optind++)
		err = plan_options__add_input(o, argv[optind], false, why, sizeof(why));
	return err ? cli__usage("%s", why) : 0;
}

static int check(const struct plan_options *o)
{
	bool csv_out = o->csv && !strcmp(o->csv, "-");
	bool picture_out = o->picture && !strcmp(o->picture, "-");

	if (o->pack && o->failover)
		return cli__usage("--pack and --failover are two questions: ask one");
	if (!o->nr_inputs)
		return cli__usage(
			"INPUT is missing: a folder of 'hvtrace live --csv', a curve.csv, "
			"or --control SOCK");
	if (csv_out + picture_out + o->json > 1)
		return cli__usage("only one of --json, --csv - and --picture - can have standard "
				  "output");
	return 0;
}

int plan_options__parse(struct plan_options *o, int argc, char **argv)
{
	char why[PLAN_WHY] = "";
	int status = take_options(o, argc, argv);

	if (status)
		return status;
	if (o->config && plan_config__read(o, o->config, why, sizeof(why)))
		return cli__failed("%s", why);
	if (o->hosts_file && plan_hosts__read(o))
		return CLI_FAILED;
	return check(o);
}
