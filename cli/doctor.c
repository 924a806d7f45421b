// SPDX-License-Identifier: GPL-2.0
/* hvtrace doctor: what this host offers and what is missing, each with the fix. */
#include <stdio.h>

#include "../analysis/export.h"
#include "../loader/probe.h"
#include "cli.h"

#define MAX_PROBES 64

static const char help[] =
	"Usage: hvtrace doctor [--json]\n"
	"What this host offers for tracing, and what is missing, each with the fix.\n"
	"Exit status 0: hvtrace live would work here.\n"
	"\n"
	"      --json  one JSON object a check\n"
	"  -h, --help\n";

static void put_text(const struct probe_result *r)
{
	static const char *const verdicts[] = {"OK", "missing", "FATAL"};

	printf("%-7s  %-28s %s\n", verdicts[r->verdict], r->name, r->found);
	if (r->fix[0])
		printf("%-7s  %-28s fix: %s\n", "", "", r->fix);
}

static void put_json(const struct probe_result *r)
{
	static const char *const verdicts[] = {"ok", "missing", "fatal"};

	fputs("{\"type\":\"probe\",\"name\":", stdout);
	export__json_string(stdout, r->name);
	printf(",\"verdict\":\"%s\",\"found\":", verdicts[r->verdict]);
	export__json_string(stdout, r->found);
	fputs(",\"fix\":", stdout);
	export__json_string(stdout, r->fix);
	puts("}");
}

static int examine(bool json)
{
	struct probe_result results[MAX_PROBES];
	size_t n = probe__run(results, MAX_PROBES);
	const struct probe_result *fatal = probe__fatal(results, n);

	for (size_t i = 0; i < n; i++) {
		if (json)
			put_json(&results[i]);
		else
			put_text(&results[i]);
	}
	if (cli__flush())
		return CLI_FAILED;
	if (fatal)
		return cli__failed("hvtrace live cannot work here: %s: %s; %s", fatal->name,
				   fatal->found, fatal->fix);
	return CLI_DONE;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return cli__flush();
		default:
			return cli__bad_option(opt, argv);
		}
	}
	if (optind < argc)
		return cli__usage("unexpected argument '%s'", argv[optind]);
	return examine(json);
}
