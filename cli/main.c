// SPDX-License-Identifier: GPL-2.0
/* hvtrace: one binary, subcommands in git's manner. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"live", cmd_live}, {"record", cmd_record},   {"mrc", cmd_mrc},
	{"plot", cmd_plot}, {"plan", cmd_plan},	      {"serve", cmd_serve},
	{"ctl", cmd_ctl},   {"balance", cmd_balance}, {"doctor", cmd_doctor},
};

static const char help[] =
	"Usage: hvtrace [live] [OPTION]...   watch the VMs of this host, page by page\n"
	"       hvtrace record -o FILE ...   write their page events to a file\n"
	"       hvtrace mrc [OPTION]... FILE miss curves of such files and of traces; no root\n"
	"       hvtrace plot ... CURVE.csv   draw miss curves\n"
	"       hvtrace plan ... INPUT       from miss curves to the memory of each VM; no root\n"
	"       hvtrace serve ...            serve VMs' disks through an exclusive cache\n"
	"       hvtrace ctl ...              ask a running server, and tell it\n"
	"       hvtrace balance ...          move memory between VMs, to where it saves most\n"
	"       hvtrace doctor               what this host offers, and what is missing\n"
	"       hvtrace COMMAND --help       the options of a command\n"
	"       hvtrace --version\n"
	"\n"
	"Examples:\n"
	"  hvtrace                          a table each second, miss curves on Ctrl-C\n"
	"  hvtrace live -d 60 --csv out     a minute, histograms and curves as CSV in out/\n"
	"  hvtrace live -p $(pidof qemu-system-x86_64)\n"
	"                                   a VM that does not use KVM, too\n"
	"  hvtrace record -o vm.hvt -d 600  ten minutes of page events\n"
	"  hvtrace mrc --sizes 1GiB,2GiB vm.hvt\n"
	"                                   how many misses 1 GiB or 2 GiB more would leave\n"
	"  hvtrace mrc --shards 0.01 --csv curve.csv trace.oracleGeneral.zst\n"
	"  hvtrace plot -o curve.svg curve.csv\n"
	"                                   the miss curve of a foreign trace, and its picture\n"
	"  hvtrace plan --memory 64GiB out  how to divide 64 GiB among the VMs of out/\n"
	"  hvtrace serve --cache 1GiB --disk web01,path=web01.img,socket=/run/hvtrace/web01.sock\n"
	"                                   what the guest evicts comes back without an I/O\n";

static int run_command(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		cli__set_command(commands[i].name);
		return commands[i].run(argc, argv);
	}
	return cli__usage("unknown command '%s'", argv[0]);
}

int main(int argc, char **argv)
{
	/* A reader that went away is an error of write(), not a reason to die attached. */
	signal(SIGPIPE, SIG_IGN);
	/* Characters as the terminal has them; numbers stay as programs read them. */
	setlocale(LC_CTYPE, "");
	opterr = 0;
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(help, stdout);
		return cli__flush();
	}
	if (argc > 1 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
		puts("hvtrace " HVTRACE_VERSION);
		return cli__flush();
	}
	if (argc > 1 && argv[1][0] != '-')
		return run_command(argc - 1, argv + 1);
	argv[0] = "live";
	return run_command(argc, argv);
}
