// SPDX-License-Identifier: GPL-2.0
/* hvtrace plot: curves of curve.csv files on one picture. */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/curve_csv.h"
#include "../analysis/gnuplot.h"
#include "cli.h"
#include "picture.h"
#include "text_file.h"

/* One input. */
struct plot_file {
	const char *path;
	struct curve_csv csv;
};

struct plot {
	struct plot_opts opts;
	const char *output;
	const char **vms; /* to draw; none: all */
	size_t nr_vms;
	struct plot_file *files;
	size_t nr_files;
	struct plot_curve *curves; /* their names are ours */
	size_t nr_curves;
};

enum { OPT_TITLE = 256, OPT_LOG, OPT_VM };

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'}, {"title", required_argument, NULL, OPT_TITLE},
	{"log", no_argument, NULL, OPT_LOG},	  {"vm", required_argument, NULL, OPT_VM},
	{"help", no_argument, NULL, 'h'},	  {0},
};

static const char help[] =
	"Usage: hvtrace plot [OPTION]... CURVE.csv...\n"
	"Draw miss curves with their errors: curve.csv files of live and mrc ('-': standard "
	"input),\n"
	"all on one picture. Needs gnuplot.\n"
	"\n"
	"  -o, --output FILE   a .svg or .png file (default: curve.svg); '-': SVG to standard "
	"output\n"
	"      --title T       the picture's title\n"
	"      --log           sizes on a logarithmic scale\n"
	"      --vm NAME       only this VM or trace (may be repeated)\n"
	"  -h, --help\n"
	"\n"
	"Examples:\n"
	"  hvtrace plot -o today.svg out/curve.csv\n"
	"  hvtrace mrc --policy all --csv - trace.zst | hvtrace plot --log -o policies.png -\n";

/* --- reading --- */

static int read_file(struct plot_file *f)
{
	struct csv_fault fault;
	size_t len;
	char *text;
	int err = text_file__read(f->path, SIZE_MAX, &text, &len);

	if (err)
		return cli__failed("cannot read '%s': %s", f->path, strerror(-err));
	err = curve_csv__parse(&f->csv, text, len, &fault);
	free(text);
	if (err == -EINVAL)
		return cli__failed("'%s', line %llu: %s; plot reads what live and mrc write with "
				   "--csv",
				   f->path, fault.line, fault.reason);
	return err ? cli__failed("out of memory") : CLI_DONE;
}

static int read_files(struct plot *p)
{
	int status = CLI_DONE;

	for (size_t i = 0; i < p->nr_files && !status; i++)
		status = read_file(&p->files[i]);
	return status;
}

/* --- choosing --- */

static bool wanted(const struct plot *p, const char *vm)
{
	for (size_t i = 0; i < p->nr_vms; i++)
		if (!strcmp(p->vms[i], vm))
			return true;
	return !p->nr_vms;
}

static bool has_vm(const struct plot_file *f, const char *vm)
{
	for (size_t i = 0; i < f->csv.n; i++)
		if (!strcmp(f->csv.curves[i].vm, vm))
			return true;
	return false;
}

/* A VM's name, with the file's if another file has the same. */
static char *name_of(const struct plot *p, const struct plot_file *f, const char *vm)
{
	size_t files = 0;
	char *name;

	for (size_t i = 0; i < p->nr_files; i++)
		files += has_vm(&p->files[i], vm);
	if (files < 2)
		return strdup(vm);
	return asprintf(&name, "%s (%s)", vm, f->path) < 0 ? NULL : name;
}

static int choose_curve(struct plot *p, const struct plot_file *f, const struct named_curve *c)
{
	struct plot_curve *out = &p->curves[p->nr_curves];

	if (!wanted(p, c->vm))
		return 0;
	*out = (struct plot_curve){
		.name = name_of(p, f, c->vm),
		.space = c->space,
		.added = c->added,
		.points = c->points,
		.n = c->n,
	};
	if (!out->name)
		return -ENOMEM;
	p->nr_curves++;
	return 0;
}

static int choose_all(struct plot *p)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < p->nr_files; i++)
		n += p->files[i].csv.n;
	p->curves = calloc(n + 1, sizeof(*p->curves));
	if (!p->curves)
		return -ENOMEM;
	for (size_t i = 0; i < p->nr_files; i++)
		for (size_t k = 0; k < p->files[i].csv.n && !err; k++)
			err = choose_curve(p, &p->files[i], &p->files[i].csv.curves[k]);
	return err;
}

/* A name that is nowhere is a slip of the pen. */
static int check_vms(const struct plot *p)
{
	for (size_t v = 0; v < p->nr_vms; v++) {
		bool found = false;

		for (size_t i = 0; i < p->nr_files; i++)
			found |= has_vm(&p->files[i], p->vms[v]);
		if (!found)
			return cli__failed("no curve of '%s'; the first column has the names",
					   p->vms[v]);
	}
	return CLI_DONE;
}

static int choose(struct plot *p)
{
	int status = check_vms(p);

	if (status)
		return status;
	if (choose_all(p))
		return cli__failed("out of memory");
	if (!p->nr_curves)
		return cli__failed("there is no curve in '%s', only a heading: nothing was seen",
				   p->files[0].path);
	return CLI_DONE;
}

/* --- drawing --- */

static void write_script(FILE *script, void *ctx)
{
	const struct plot *p = ctx;

	gnuplot__write(script, &p->opts, p->curves, p->nr_curves);
}

static int draw(struct plot *p)
{
	return picture__draw(p->output, write_script, p);
}

/* --- the whole --- */

static int take(struct plot *p, int opt, char **argv)
{
	switch (opt) {
	case 'o':
		p->output = optarg;
		p->opts.png = picture__is_png(optarg);
		if (!picture__can_be(optarg))
			return cli__usage("-o '%s' is neither a .svg or .png file nor '-'", optarg);
		return 0;
	case OPT_TITLE:
		p->opts.title = optarg;
		return 0;
	case OPT_LOG:
		p->opts.log = true;
		return 0;
	case OPT_VM:
		p->vms[p->nr_vms++] = optarg;
		return 0;
	}
	return cli__bad_option(opt, argv);
}

static int parse(struct plot *p, int argc, char **argv)
{
	int opt, err;

	while ((opt = getopt_long(argc, argv, ":o:h", long_options, NULL)) >= 0) {
		if (opt == 'h') {
			fputs(help, stdout);
			return -1;
		}
		err = take(p, opt, argv);
		if (err)
			return err;
	}
	if (optind == argc)
		return cli__usage("CURVE.csv is missing: a file of 'hvtrace mrc --csv', or '-'");
	for (; optind < argc; optind++)
		p->files[p->nr_files++].path = argv[optind];
	return 0;
}

static int run(struct plot *p)
{
	return read_files(p) ?: choose(p) ?: draw(p);
}

int cmd_plot(int argc, char **argv)
{
	struct plot p = {.output = "curve.svg"};
	int status;

	p.vms = calloc(argc, sizeof(*p.vms));
	p.files = calloc(argc, sizeof(*p.files));
	if (p.vms && p.files)
		status = parse(&p, argc, argv);
	else
		status = cli__failed("out of memory");
	if (!status)
		status = run(&p);
	else if (status < 0)
		status = cli__flush();
	for (size_t i = 0; i < p.nr_curves; i++)
		free((char *)p.curves[i].name);
	for (size_t i = 0; i < p.nr_files; i++)
		curve_csv__free(&p.files[i].csv);
	free(p.curves);
	free(p.files);
	free(p.vms);
	return status;
}
