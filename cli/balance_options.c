// SPDX-License-Identifier: GPL-2.0
#include "balance_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/size.h"
#include "../analysis/span.h"
#include "../analysis/utf8.h"
#include "cli.h"
#include "disk_spec.h"

/* --- values: false: not one --- */

static bool take_size(void *to, const char *text)
{
	return !size__parse(text, to) && *(__u64 *)to;
}

static bool take_span(void *to, const char *text)
{
	struct span s;

	if (span__parse(text, &s) || s.refs)
		return false;
	*(double *)to = s.n / 1e9;
	return true;
}

static bool take_number(void *to, const char *text)
{
	char *end;
	double v;

	if (!text[0] || text[strspn(text, "0123456789.")])
		return false;
	v = strtod(text, &end);
	if (*end || v > 1e9)
		return false;
	*(double *)to = v;
	return true;
}

static bool take_weight(void *to, const char *text)
{
	return cli__parse_seconds(text, to);
}

static bool take_share(void *to, const char *text)
{
	size_t n = strlen(text);
	char number[32];

	if (!n || text[n - 1] != '%' || n >= sizeof(number))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)n - 1, text);
	if (!take_number(to, number))
		return false;
	*(double *)to /= 100;
	return true;
}

/* It goes to logs and terminals, and into JSON. */
static bool take_text(void *to, const char *text)
{
	if (!text[0] || !utf8__is_line(text))
		return false;
	free(*(char **)to);
	*(char **)to = strdup(text);
	return *(char **)to;
}

static bool take_pid(void *to, const char *text)
{
	__u64 pid;

	if (!cli__parse_count(text, 1, 1 << 22, &pid))
		return false;
	*(pid_t *)to = pid;
	return true;
}

static bool take_sample(void *to, const char *text)
{
	return cli__parse_sample(text, to);
}

static bool take_flag(void *to, const char *text)
{
	return disk_spec__parse_bool(text, to);
}

static bool take_exit(void *to, const char *text)
{
	if (strcmp(text, "restore") && strcmp(text, "keep"))
		return false;
	*(enum balance_exit *)to = strcmp(text, "keep") ? EXIT_RESTORE : EXIT_KEEP;
	return true;
}

struct value {
	const char *name;
	size_t offset;
	bool (*take)(void *to, const char *text);
	const char *what;
};

static const char a_size[] = "a size such as 64MiB, above 0";
static const char a_span[] = "a time such as 10s or 5m";
static const char a_share[] = "a share such as 10%";
static const char a_path[] = "a path";

#define OPTION(name, field, take, what)                                                            \
	{                                                                                          \
		name, offsetof(struct balance_options, field), take, what                          \
	}
static const struct value options[] = {
	OPTION("apply", apply, take_flag, "yes or no"),
	OPTION("memory", memory, take_size, a_size),
	OPTION("step", step, take_size, a_size),
	OPTION("interval", interval, take_span, a_span),
	OPTION("duration", duration, take_span, a_span),
	OPTION("settle", settle, take_span, a_span),
	OPTION("half-life", half_life, take_span, a_span),
	OPTION("remember", remember, take_span, a_span),
	OPTION("patience", patience, take_span, a_span),
	OPTION("freeze", freeze, take_span, a_span),
	OPTION("trial", trial, take_number, "a number of milliseconds a second"),
	OPTION("gain", gain, take_number, "a number of milliseconds a second"),
	OPTION("margin", margin, take_share, a_share),
	OPTION("slack", slack, take_share, a_share),
	OPTION("on-exit", on_exit, take_exit, "'restore' or 'keep'"),
	OPTION("sample", sample, take_sample, "1/N or 'auto'"),
	OPTION("journal", journal, take_text, a_path),
	OPTION("log", log, take_text, a_path),
	OPTION("csv", csv, take_text, a_path),
};

#define SPEC(name, field, take, what)                                                              \
	{                                                                                          \
		name, offsetof(struct balance_spec, field), take, what                             \
	}
static const struct value specs[] = {
	SPEC("name", name, take_text, "a name"),
	SPEC("qmp", qmp, take_text, a_path),
	SPEC("cgroup", cgroup, take_text, a_path),
	SPEC("serve", serve, take_text, a_path),
	SPEC("disk", disk, take_text, "a disk's name"),
	SPEC("pid", pid, take_pid, "a process id"),
	SPEC("min", min, take_size, a_size),
	SPEC("max", max, take_size, a_size),
	SPEC("weight", weight, take_weight, "a number above 0"),
	SPEC("loss", loss, take_number, "a number of milliseconds a second"),
};

#define NR(table) (sizeof(table) / sizeof((table)[0]))

static const struct value *find(const struct value *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

static int take(const struct value *v, void *object, const char *text, char *why, size_t size)
{
	if (v->take((char *)object + v->offset, text))
		return 0;
	snprintf(why, size, "%s '%s' is not %s", v->name, text, v->what);
	return -EINVAL;
}

/* --- a VM --- */

int balance_spec__set(struct balance_spec *v, const char *name, const char *value, char *why,
		      size_t size)
{
	const struct value *known = find(specs, NR(specs), name);

	if (!known) {
		snprintf(why, size,
			 "a VM has no '%s'; it has name, qmp, cgroup, serve, disk, pid, min, max, "
			 "weight and loss",
			 name);
		return -ENOENT;
	}
	if (v->given & 1U << (known - specs)) {
		snprintf(why, size, "'%s' is given twice", name);
		return -EEXIST;
	}
	v->given |= 1U << (known - specs);
	return take(known, v, value, why, size);
}

/* What is wrong with it, or NULL. */
static const char *fault_of(const struct balance_spec *v)
{
	if (v->qmp && v->cgroup)
		return "has both qmp and cgroup: one of them moves its memory";
	if (!v->qmp && !v->cgroup && !v->serve)
		return "has nothing that moves its memory: give qmp=SOCKET, cgroup=FOLDER or "
		       "serve=SOCKET";
	if (v->disk && !v->serve)
		return "has a disk, but no serve=SOCKET";
	if (v->max && v->min > v->max)
		return "has a min above its max";
	return NULL;
}

int balance_spec__check(const struct balance_spec *v, char *why, size_t size)
{
	const char *fault = v->name ? fault_of(v) : "has no name";

	if (!fault)
		return 0;
	snprintf(why, size, "VM '%s' %s", v->name ?: "", fault);
	return -EINVAL;
}

void balance_spec__free(struct balance_spec *v)
{
	free(v->name);
	free(v->qmp);
	free(v->cgroup);
	free(v->serve);
	free(v->disk);
	*v = (struct balance_spec){0};
}

static int take_part(void *ctx, const char *name, const char *value, char *why, size_t size)
{
	return balance_spec__set(ctx, name, value, why, size);
}

static bool is_given(const struct balance_spec *v, const char *name)
{
	return v->given & 1U << (find(specs, NR(specs), name) - specs);
}

static int append(struct balance_options *o, struct balance_spec *v, char *why, size_t size)
{
	struct balance_spec *vms = realloc(o->vms, (o->nr_vms + 1) * sizeof(*vms));

	if (!vms) {
		snprintf(why, size, "out of memory");
		return -ENOMEM;
	}
	if (!is_given(v, "weight"))
		v->weight = 1;
	if (!is_given(v, "loss"))
		v->loss = -1;
	o->vms = vms;
	vms[o->nr_vms++] = *v;
	*v = (struct balance_spec){0};
	return 0;
}

int balance_options__take(struct balance_options *o, struct balance_spec *v, char *why, size_t size)
{
	int err = balance_spec__check(v, why, size);

	for (size_t i = 0; i < o->nr_vms && !err; i++)
		if (!strcmp(o->vms[i].name, v->name))
			err = -EEXIST;
	if (err == -EEXIST)
		snprintf(why, size, "VM '%s' is given twice", v->name);
	if (!err && v->serve && !v->disk) {
		v->disk = strdup(v->name);
		err = v->disk ? 0 : -ENOMEM;
	}
	return err ?: append(o, v, why, size);
}

int balance_options__add(struct balance_options *o, const char *text, char *why, size_t size)
{
	struct balance_spec v = {0};
	int err = disk_spec__split(text, take_part, &v, why, size)
			  ?: balance_options__take(o, &v, why, size);

	balance_spec__free(&v);
	return err;
}

/* --- all of them --- */

void balance_options__init(struct balance_options *o)
{
	*o = (struct balance_options){
		.interval = 5,
		.half_life = 10,
		.remember = 30,
		.patience = 10,
		.freeze = 60,
		.trial = 5,
		.gain = 1,
		.margin = 0.05,
		.slack = 0.5,
	};
}

void balance_options__free(struct balance_options *o)
{
	for (size_t i = 0; i < o->nr_vms; i++)
		balance_spec__free(&o->vms[i]);
	free(o->vms);
	free(o->journal);
	free(o->log);
	free(o->csv);
	free(o->probe_vm);
}

static int take_probe(struct balance_options *o, const char *text, char *why, size_t size)
{
	const char *equals = strrchr(text, '=');

	if (!equals || equals == text || !take_size(&o->probe, equals + 1)) {
		snprintf(why, size, "probe '%s' is not VM=SIZE, such as web01=512MiB", text);
		return -EINVAL;
	}
	free(o->probe_vm);
	o->probe_vm = strndup(text, equals - text);
	return o->probe_vm ? 0 : -ENOMEM;
}

int balance_options__set(struct balance_options *o, const char *name, const char *value, char *why,
			 size_t size)
{
	const struct value *known = find(options, NR(options), name);

	if (!strcmp(name, "probe"))
		return take_probe(o, value, why, size);
	if (known)
		return take(known, o, value, why, size);
	snprintf(why, size, "there is no setting '%s'", name);
	return -ENOENT;
}

/* A probe has two ends. */
static int check_probe(const struct balance_options *o, char *why, size_t size)
{
	const struct balance_spec *v = NULL;

	for (size_t i = 0; i < o->nr_vms; i++)
		if (!strcmp(o->vms[i].name, o->probe_vm))
			v = &o->vms[i];
	if (v && v->qmp && v->serve)
		return 0;
	snprintf(why, size,
		 v ? "a probe of '%s' needs qmp=SOCKET and serve=SOCKET of it"
		   : "there is no VM '%s' to probe: give it with its sockets",
		 o->probe_vm);
	return -EINVAL;
}

static bool is_part(const struct balance_spec *v)
{
	return !v->qmp && !v->cgroup;
}

/* Memory does not go from VMs to a cache, nor from one cache to another. */
static int check_kinds(const struct balance_options *o, char *why, size_t size)
{
	const struct balance_spec *first = &o->vms[0];

	for (size_t i = 1; i < o->nr_vms; i++) {
		const struct balance_spec *v = &o->vms[i];

		if (is_part(v) == is_part(first) &&
		    (!is_part(v) || !strcmp(v->serve, first->serve)))
			continue;
		snprintf(why, size,
			 "VMs '%s' and '%s' have no memory in common: balance parts of one cache, "
			 "or memory of VMs",
			 first->name, v->name);
		return -EINVAL;
	}
	return 0;
}

int balance_options__check(const struct balance_options *o, char *why, size_t size)
{
	if (o->restore)
		return 0;
	if (!o->nr_vms) {
		snprintf(why, size, "no VM to balance: give NAME,qmp=SOCKET, or --config");
		return -EINVAL;
	}
	return (o->probe_vm ? check_probe(o, why, size) : 0) ?: check_kinds(o, why, size);
}
