// SPDX-License-Identifier: GPL-2.0
/* hvtrace balance: memory moves between running VMs, from where it saves least to where most. */
#include <stdio.h>
#include <string.h>

#include "balance.h"
#include "cli.h"

static const char help[] =
	"Usage: hvtrace balance [OPTION]... VM...\n"
	"       hvtrace balance --restore [--journal FILE]\n"
	"Move memory between running VMs, step by step, to where it saves the most waiting. "
	"Without\n"
	"--apply nothing is changed: it says what it would do.\n"
	"\n"
	"A VM is NAME and what moves its memory:\n"
	"  NAME,qmp=SOCKET       its balloon, through a QMP socket of QEMU\n"
	"  NAME,cgroup=FOLDER    its memory cgroup: memory.high, or the soft limit of v1\n"
	"  NAME,serve=SOCKET[,disk=DISK]\n"
	"                        its part of the cache of 'hvtrace serve --control SOCKET'; with "
	"qmp=\n"
	"                        as well that is where its misses are seen, and stays as it is\n"
	"and, each with a comma ahead,\n"
	"  min=SIZE, max=SIZE    bounds of its memory (default: half of what it has; all of it)\n"
	"  loss=MS               it may lose so many ms a second more than at first\n"
	"  weight=N              its losses count N times\n"
	"  pid=PID               its process, where that is not known from the socket\n"
	"\n"
	"      --config FILE     all this from a YAML file\n"
	"      --apply           act\n"
	"      --on-exit restore|keep\n"
	"                        at the end, or if it dies, put memory back as it was (default), "
	"or\n"
	"                        leave it as it is\n"
	"      --memory SIZE     for all VMs together (default: what they have)\n"
	"      --step SIZE       at once (default: a 16th of what a VM has)\n"
	"  -i, --interval TIME   between plans (default 5s)\n"
	"      --settle TIME     between two steps down of a VM (default: the interval)\n"
	"      --half-life TIME  curves and rates are of the recent past (default 10s)\n"
	"      --margin SHARE    a plan has to save that much of what is lost (default 5%)\n"
	"      --gain MS         ... and so many ms a second (default 1)\n"
	"      --trial MS        what a step below the known is taken to cost, ms a second "
	"(default 5)\n"
	"      --slack SHARE     misses above a promise that are no matter (default 50%)\n"
	"      --remember TIME   what was seen holds so long (default 30s)\n"
	"      --patience TIME   a guest that comes no nearer does not follow (default 10s)\n"
	"      --freeze TIME     it is let alone then (default 60s)\n"
	"      --probe VM=SIZE   move so much of its memory to its cache, to see its curve below\n"
	"                        today's size, and back\n"
	"      --csv FILE        with --probe: that curve\n"
	"      --journal FILE    where what was is written down (" BALANCE_JOURNAL ")\n"
	"      --restore         put back what a balance left behind that was killed\n"
	"      --log FILE        append every decision and its reason, as JSON lines\n"
	"      --json            the same on stdout, instead of tables\n"
	"      --sample 1/N      follow one page in N ('auto': as is fitting)\n"
	"  -d, --duration TIME   end after that (default: Ctrl-C or SIGTERM)\n"
	"  -q, --quiet           no notes on stderr, errors only\n"
	"  -h, --help\n"
	"\n"
	"Examples:\n"
	"  hvtrace balance web01,qmp=/run/web01.qmp,min=1GiB db01,qmp=/run/db01.qmp,loss=20\n"
	"  hvtrace balance --apply --config /etc/hvtrace/balance.yaml --log "
	"/var/log/balance.json\n";

enum { OPT_CONFIG = 256, OPT_JSON, OPT_RESTORE, OPT_APPLY, OPT_SETTING };

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"json", no_argument, NULL, OPT_JSON},
	{"restore", no_argument, NULL, OPT_RESTORE},
	{"apply", no_argument, NULL, OPT_APPLY},
	{"interval", required_argument, NULL, 'i'},
	{"duration", required_argument, NULL, 'd'},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{"on-exit", required_argument, NULL, OPT_SETTING},
	{"memory", required_argument, NULL, OPT_SETTING},
	{"step", required_argument, NULL, OPT_SETTING},
	{"settle", required_argument, NULL, OPT_SETTING},
	{"half-life", required_argument, NULL, OPT_SETTING},
	{"margin", required_argument, NULL, OPT_SETTING},
	{"gain", required_argument, NULL, OPT_SETTING},
	{"trial", required_argument, NULL, OPT_SETTING},
	{"slack", required_argument, NULL, OPT_SETTING},
	{"remember", required_argument, NULL, OPT_SETTING},
	{"patience", required_argument, NULL, OPT_SETTING},
	{"freeze", required_argument, NULL, OPT_SETTING},
	{"probe", required_argument, NULL, OPT_SETTING},
	{"csv", required_argument, NULL, OPT_SETTING},
	{"journal", required_argument, NULL, OPT_SETTING},
	{"log", required_argument, NULL, OPT_SETTING},
	{"sample", required_argument, NULL, OPT_SETTING},
	{0},
};

static int take_config(struct balance_options *o)
{
	char why[BALANCE_WHY] = "";

	return balance_config__read(o, optarg, why, sizeof(why)) ? cli__usage("%s", why) : CLI_DONE;
}

static int take_setting(struct balance_options *o, const char *name)
{
	char why[BALANCE_WHY] = "";

	return balance_options__set(o, name, optarg, why, sizeof(why)) ? cli__usage("--%s", why)
								       : CLI_DONE;
}

static int take(struct balance_options *o, int opt, int index, char **argv)
{
	switch (opt) {
	case OPT_CONFIG:
		return take_config(o);
	case OPT_JSON:
		o->json = true;
		return CLI_DONE;
	case OPT_RESTORE:
		o->restore = true;
		return CLI_DONE;
	case OPT_APPLY:
		o->apply = true;
		return CLI_DONE;
	case 'i':
		return take_setting(o, "interval");
	case 'd':
		return take_setting(o, "duration");
	case 'q':
		o->quiet = true;
		return CLI_DONE;
	case OPT_SETTING:
		return take_setting(o, long_options[index].name);
	}
	return cli__bad_option(opt, argv);
}

/* 0, -1 to end well (help), or an exit status. */
static int parse(struct balance_options *o, int argc, char **argv)
{
	char why[BALANCE_WHY] = "";
	int opt, index = 0, err = 0;

	while (!err && (opt = getopt_long(argc, argv, ":i:d:qh", long_options, &index)) >= 0) {
		if (opt == 'h') {
			fputs(help, stdout);
			return -1;
		}
		err = take(o, opt, index, argv);
	}
	for (int i = optind; i < argc && !err; i++)
		if (balance_options__add(o, argv[i], why, sizeof(why)))
			err = cli__usage("'%s': %s", argv[i], why);
	if (!err && balance_options__check(o, why, sizeof(why)))
		err = cli__usage("%s", why);
	return err;
}

int cmd_balance(int argc, char **argv)
{
	struct balance_options o;
	int status;

	balance_options__init(&o);
	status = parse(&o, argc, argv);
	if (status < 0)
		status = cli__flush();
	else if (!status)
		status = o.restore ? balance__restore(&o) : balance__run(&o);
	balance_options__free(&o);
	return status;
}
