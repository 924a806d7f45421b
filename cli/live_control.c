// SPDX-License-Identifier: GPL-2.0
#include "live_control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/utf8.h"
#include "cli.h"
#include "control.h"
#include "curve_json.h"

/* A connection, a request and its answer take some turns; but live has other things to do. */
#define TURNS 64

struct live_control {
	struct live_control_opts opts;
	struct loop *loop;
	struct control *control;
	double started;
};

/* --- answers --- */

/* A VM's name may hold any bytes; JSON holds UTF-8 only. */
static const char *label_of(const struct watch_list *l, const struct watch *w,
			    char buf[WATCH_LABEL])
{
	watch_list__label(l, w, buf);
	for (char *s = buf; *s;) {
		int n = utf8__length((const unsigned char *)s);

		if (!n)
			*s = '?';
		s += n ?: 1;
	}
	return buf;
}

static json_t *vm_json(const struct watch_list *l, const struct watch *w)
{
	char label[WATCH_LABEL];
	json_t *o = json_pack("{s:s,s:I,s:o,s:o}", "vm", label_of(l, w, label), "pid",
			      (json_int_t)w->pid, "seconds", json_real(watch__seconds(w)),
			      "miss_page_ns", curve_json__figure(watch__miss_page(w)));

	/* That of a process without KVM is not known. */
	if (o && w->mem_pages)
		json_object_set_new(o, "memory_bytes", json_integer(w->mem_pages * PAGE_BYTES));
	return o;
}

static json_t *vms_json(const struct watch_list *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->nr && a; i++)
		if (!l->vms[i]->ended && json_array_append_new(a, vm_json(l, l->vms[i]))) {
			json_decref(a);
			return NULL;
		}
	return a;
}

static int add_curves(const struct live_control *c, const struct watch *w, const __u64 *sizes,
		      size_t n, json_t *curves)
{
	struct vm_report *r = watch__report(w, c->opts.engine, sizes, n);
	char label[WATCH_LABEL];
	int err = r ? 0 : -ENOMEM;

	label_of(c->opts.list, w, label);
	for (int space = 0; space < PAGE_SPACES && !err; space++) {
		struct vms_csv_row facts;

		if (!r->space[space].seen)
			continue;
		watch__facts(w, r, space, &facts);
		err = json_array_append_new(
			curves, curve_json__new(label, space, &r->space[space], facts.accesses));
	}
	vm_report__free(r);
	return err;
}

static json_t *curves_json(const struct live_control *c, const char *name, const __u64 *sizes,
			   size_t n)
{
	const struct watch_list *l = c->opts.list;
	json_t *curves = json_array();
	int err = curves ? 0 : -ENOMEM;

	for (size_t i = 0; i < l->nr && !err; i++) {
		char label[WATCH_LABEL];

		if (l->vms[i]->ended || (name && strcmp(name, label_of(l, l->vms[i], label))))
			continue;
		err = add_curves(c, l->vms[i], sizes, n, curves);
	}
	if (!err)
		return json_pack("{s:o}", "curves", curves);
	json_decref(curves);
	return NULL;
}

static bool has_vm(const struct watch_list *l, const char *name)
{
	char label[WATCH_LABEL];

	for (size_t i = 0; i < l->nr; i++)
		if (!l->vms[i]->ended && !strcmp(name, label_of(l, l->vms[i], label)))
			return true;
	return false;
}

/* --- questions --- */

static void on_stats(void *ctx, struct control_call *call, const json_t *request)
{
	struct live_control *c = ctx;

	c->opts.account(c->opts.ctx);
	control_call__answer(call,
			     json_pack("{s:s,s:f,s:o}", "version", HVTRACE_VERSION, "uptime_s",
				       cli__now() - c->started, "vms", vms_json(c->opts.list)));
}

static void on_curve(void *ctx, struct control_call *call, const json_t *request)
{
	struct live_control *c = ctx;
	const char *name = json_string_value(json_object_get(request, "vm"));
	__u64 *sizes = NULL;
	size_t n = 0;

	c->opts.account(c->opts.ctx);
	if (name && !has_vm(c->opts.list, name))
		control_call__fail(call, "there is no VM '%s'", name);
	else if (!curve_json__sizes(request, &sizes, &n))
		control_call__fail(call, "\"sizes\" is not a list of sizes such as "
					 "\"64MiB,1GiB\"");
	else
		control_call__answer(call, curves_json(c, name, sizes, n));
	free(sizes);
}

static void on_version(void *ctx, struct control_call *call, const json_t *request)
{
	control_call__answer(call, json_pack("{s:s}", "version", HVTRACE_VERSION));
}

static const char *const no_members[] = {NULL};
static const char *const curve_members[] = {"vm", "sizes", NULL};

static const struct control_command commands[] = {
	{"stats", no_members, on_stats},
	{"vms", no_members, on_stats},
	{"curve", curve_members, on_curve},
	{"version", no_members, on_version},
};

/* --- the socket --- */

int live_control__open(struct live_control **out, const struct live_control_opts *o, char *why,
		       size_t size)
{
	struct live_control *c = calloc(1, sizeof(*c));
	struct control_opts opts = {
		.sz = sizeof(opts),
		.path = o->path,
		.commands = commands,
		.nr_commands = sizeof(commands) / sizeof(commands[0]),
		.ctx = c,
	};
	int err = -ENOMEM;

	*out = NULL;
	if (c) {
		c->opts = *o;
		c->started = cli__now();
		c->loop = opts.loop = loop__new();
	}
	if (c && c->loop)
		err = control__new(&c->control, &opts, why, size);
	else
		snprintf(why, size, "%s", strerror(ENOMEM));
	if (err)
		live_control__close(c);
	else
		*out = c;
	return err;
}

void live_control__close(struct live_control *c)
{
	if (!c)
		return;
	control__free(c->control);
	loop__free(c->loop);
	free(c);
}

void live_control__turn(struct live_control *c)
{
	for (int i = 0; i < TURNS && loop__turn(c->loop); i++)
		;
}
