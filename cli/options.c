// SPDX-License-Identifier: GPL-2.0
#include "options.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "cli.h"

const char trace_options_help[] =
	"  -d, --duration SEC  end after so many seconds (default: Ctrl-C or SIGTERM)\n"
	"  -p, --pid PID       trace this process, too, KVM or not; may be repeated\n"
	"      --vm NAME       only the VM of this name; may be repeated\n"
	"      --sample 1/N    follow one page in N; 'auto' (default) begins with every page\n"
	"                      and follows fewer as guest memory and event rate ask for it\n"
	"      --no-block      no block layer: no fills, writebacks, latency\n"
	"      --no-kvm        no KVM: no faults, and VMs are not noticed by themselves\n"
	"      --no-paging     no guest memory paged by the host\n"
	"      --no-cache      no host page cache (buffered images)\n"
	"  -q, --quiet         no notes on stderr, errors only\n"
	"  -h, --help\n";

static int add_pid(struct trace_options *o, const char *arg)
{
	pid_t *pids;
	__u64 pid;

	if (!cli__parse_count(arg, 1, 1 << 22, &pid))
		return cli__usage("'%s' is not a process id", arg);
	if (kill(pid, 0) && errno == ESRCH)
		return cli__failed("no such process: %llu; give the id of a running one", pid);
	pids = realloc(o->pids, (o->nr_pids + 1) * sizeof(*pids));
	if (!pids)
		return cli__failed("out of memory");
	pids[o->nr_pids++] = pid;
	o->pids = pids;
	return 0;
}

static int add_name(struct trace_options *o, const char *arg)
{
	const char **names = realloc(o->names, (o->nr_names + 1) * sizeof(*names));

	if (!names)
		return cli__failed("out of memory");
	names[o->nr_names++] = arg;
	o->names = names;
	return 0;
}

int trace_options__take(struct trace_options *o, int opt, const char *arg)
{
	switch (opt) {
	case 'd':
		if (!cli__parse_seconds(arg, &o->duration))
			return cli__usage("-d '%s' is not a number of seconds above 0", arg);
		return 0;
	case 'p':
		return add_pid(o, arg);
	case 'q':
		o->quiet = true;
		return 0;
	case OPT_VM:
		return add_name(o, arg);
	case OPT_SAMPLE:
		if (!cli__parse_sample(arg, &o->sample))
			return cli__usage("--sample '%s' is neither 1/N nor 'auto'", arg);
		return 0;
	case OPT_NO_BLOCK ... OPT_NO_CACHE:
		o->off[TRACER_BLOCK + opt - OPT_NO_BLOCK] = true;
		return 0;
	}
	return -ENOENT;
}

void trace_options__free(struct trace_options *o)
{
	free(o->pids);
	free(o->names);
}
