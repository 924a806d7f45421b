// SPDX-License-Identifier: GPL-2.0
/* What a running server can be asked and told, over its control socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/size.h"
#include "curve_json.h"
#include "serve.h"

/* A disk that is added while others are served waits no longer than this for its image: all of
 * the control loop waits. */
#define WAIT_RUNNING 0.5

/* --- arguments --- */

/* A member that is a text, or NULL after an answer that says what is wrong. */
static const char *text_of(struct control_call *call, const json_t *request, const char *key)
{
	const char *text = json_string_value(json_object_get(request, key));

	if (!text)
		control_call__fail(call, "\"%s\" is missing or no string", key);
	return text;
}

/* The same, but it need not be there: *out is NULL then. false: answered with what is wrong. */
static bool take_text(struct control_call *call, const json_t *request, const char *key,
		      const char **out)
{
	const json_t *value = json_object_get(request, key);

	*out = json_string_value(value);
	if (!value || *out)
		return true;
	control_call__fail(call, "\"%s\" is no string", key);
	return false;
}

/* A value as the command line would have it. buf is for numbers. */
static const char *to_text(const json_t *value, char buf[32])
{
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (!json_is_integer(value))
		return json_string_value(value);
	snprintf(buf, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return buf;
}

static bool take_member(struct control_call *call, struct disk_spec *d, const char *key,
			const json_t *value)
{
	char why[SERVE_WHY] = "", buf[32];
	const char *text = to_text(value, buf);

	if (!text)
		control_call__fail(call, "\"%s\" is neither a string, a number nor a boolean", key);
	else if (disk_spec__set(d, key, text, why, sizeof(why)))
		control_call__fail(call, "%s", why);
	else
		return true;
	return false;
}

/* All but the command are the disk's. false: answered with what is wrong. */
static bool take_disk(struct control_call *call, const json_t *request, struct disk_spec *d)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)request, key, value)
	{
		if (strcmp(key, "cmd") && !take_member(call, d, key, value))
			return false;
	}
	return true;
}

static void done(struct control_call *call)
{
	control_call__answer(call, json_pack("{s:b}", "ok", 1));
}

/* --- questions --- */

static void on_stats(void *ctx, struct control_call *call, const json_t *request)
{
	serve__account(ctx);
	control_call__answer(call, serve__stats(ctx));
}

static void on_vms(void *ctx, struct control_call *call, const json_t *request)
{
	serve__account(ctx);
	control_call__answer(call, serve__vms(ctx));
}

static void on_version(void *ctx, struct control_call *call, const json_t *request)
{
	control_call__answer(call, json_pack("{s:s}", "version", HVTRACE_VERSION));
}

/* --- curves --- */

static json_t *curve_json(const struct serve *s, const struct served *d, const __u64 *sizes,
			  size_t n)
{
	struct vm_report *r = vm_report__new(s->engine, d->now.id, d->name, NULL, sizes, n);
	json_t *o = NULL;

	if (r)
		o = curve_json__new(d->name, SPACE_DISK, &r->space[SPACE_DISK],
				    served__accesses(d, r));
	vm_report__free(r);
	return o;
}

static json_t *curves_json(const struct serve *s, const char *name, const __u64 *sizes, size_t n)
{
	json_t *curves = json_array();

	for (size_t i = 0; i < s->disks.nr; i++) {
		const struct served *d = s->disks.disks[i];

		if (d->ended || (name && strcmp(name, d->name)))
			continue;
		if (!json_array_append_new(curves, curve_json(s, d, sizes, n)))
			continue;
		json_decref(curves);
		return NULL;
	}
	return json_pack("{s:o}", "curves", curves);
}

static void on_curve(void *ctx, struct control_call *call, const json_t *request)
{
	const char *name, *text;
	__u64 *sizes = NULL;
	size_t n = 0;

	if (!take_text(call, request, "vm", &name) || !take_text(call, request, "sizes", &text))
		return;
	serve__account(ctx);
	if (name && !served_list__find(&((struct serve *)ctx)->disks, name))
		control_call__fail(call, "there is no disk '%s'", name);
	else if (text && size__parse_list(text, &sizes, &n))
		control_call__fail(call, "\"sizes\" is not a list of sizes such as "
					 "\"64MiB,1GiB\"");
	else
		control_call__answer(call, curves_json(ctx, name, sizes, n));
	free(sizes);
}

/* --- pages: which ones are cached --- */

struct pages_call {
	struct control_call *call;
	char name[DISK_NAME_MAX + 1];
};

/* [[first, count], ...] of n pages, ascending. */
static json_t *ranges_json(const __u64 *pages, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0, begin = 0; i < n; i++) {
		if (i + 1 < n && pages[i + 1] == pages[i] + 1)
			continue;
		json_array_append_new(a, json_pack("[I,I]", (json_int_t)pages[begin],
						   (json_int_t)(i + 1 - begin)));
		begin = i + 1;
	}
	return a;
}

static void on_listed(void *ctx, const __u64 *pages, size_t n)
{
	struct pages_call *p = ctx;

	control_call__answer(p->call, json_pack("{s:s,s:I,s:o}", "vm", p->name, "pages",
						(json_int_t)n, "ranges", ranges_json(pages, n)));
	free(p);
}

static void on_pages(void *ctx, struct control_call *call, const json_t *request)
{
	struct serve *s = ctx;
	const char *name = text_of(call, request, "vm");
	struct pages_call *p = name ? calloc(1, sizeof(*p)) : NULL;
	int err;

	if (!name)
		return;
	if (!p) {
		control_call__answer(call, NULL);
		return;
	}
	p->call = call;
	snprintf(p->name, sizeof(p->name), "%s", name);
	err = server__pages(s->server, name, on_listed, p);
	if (!err)
		return;
	free(p);
	if (err == -ENOENT)
		control_call__fail(call, "there is no disk '%s'", name);
	else
		control_call__fail(call, "%s: %s", name, strerror(-err));
}

/* --- orders --- */

static void on_resize(void *ctx, struct control_call *call, const json_t *request)
{
	char why[SERVE_WHY] = "";
	const char *text = text_of(call, request, "size");
	__u64 pages;

	if (!text)
		return;
	if (size__parse(text, &pages) || (pages && pages * PAGE_BYTES < ARENA_CHUNK))
		control_call__fail(call, "'%s' is not a size such as 4GiB, of 2MiB or more, or 0",
				   text);
	else if (serve__resize(ctx, pages, why, sizeof(why)))
		control_call__fail(call, "%s", why);
	else
		done(call);
}

static void on_drain(void *ctx, struct control_call *call, const json_t *request)
{
	struct serve *s = ctx;
	const char *name;

	if (!take_text(call, request, "vm", &name))
		return;
	if (server__drain(s->server, name))
		control_call__fail(call, "there is no disk '%s'", name ?: "");
	else
		done(call);
}

static void on_add(void *ctx, struct control_call *call, const json_t *request)
{
	struct disk_spec d = {0};
	char why[SERVE_WHY] = "";

	if (!take_disk(call, request, &d))
		goto cleanup;
	if (disk_spec__check(&d, why, sizeof(why)) ||
	    serve__add_disk(ctx, &d, WAIT_RUNNING, why, sizeof(why)))
		control_call__fail(call, "%s", why);
	else
		done(call);
cleanup:
	disk_spec__free(&d);
}

static void on_removed(void *ctx)
{
	done(ctx);
}

static void on_remove(void *ctx, struct control_call *call, const json_t *request)
{
	const char *name = text_of(call, request, "name");

	if (name && serve__remove_disk(ctx, name, on_removed, call))
		control_call__fail(call, "there is no disk '%s'", name);
}

/* What a disk may be changed in while it is served. */
static bool may_change(struct control_call *call, const struct disk_spec *d)
{
	static const char *const fixed[] = {"path", "socket", "id", "ro", "queues"};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (!disk_spec__given(d, fixed[i]))
			continue;
		control_call__fail(call, "'%s' cannot change while it is served: remove, then add",
				   fixed[i]);
		return false;
	}
	if (!d->name)
		control_call__fail(call, "\"name\" is missing");
	else if (disk_spec__given(d, "min") || disk_spec__given(d, "max") ||
		 disk_spec__given(d, "share"))
		return true;
	else
		control_call__fail(call, "%s: nothing to change: give min, max or share", d->name);
	return false;
}

static void on_set(void *ctx, struct control_call *call, const json_t *request)
{
	struct disk_spec d = {0};
	char why[SERVE_WHY] = "";

	if (!take_disk(call, request, &d) || !may_change(call, &d))
		goto cleanup;
	if (serve__set_disk(ctx, &d, why, sizeof(why)))
		control_call__fail(call, "%s", why);
	else
		done(call);
cleanup:
	disk_spec__free(&d);
}

static const char *const no_members[] = {NULL};
static const char *const size_member[] = {"size", NULL};
static const char *const vm_member[] = {"vm", NULL};
static const char *const name_member[] = {"name", NULL};
static const char *const curve_members[] = {"vm", "sizes", NULL};

/* What a disk has, disk_spec knows. */
const struct control_command serve_commands[] = {
	{"stats", no_members, on_stats},
	{"vms", no_members, on_vms},
	{"curve", curve_members, on_curve},
	{"pages", vm_member, on_pages},
	{"resize", size_member, on_resize},
	{"drain", vm_member, on_drain},
	{"add", NULL, on_add},
	{"remove", name_member, on_remove},
	{"set", NULL, on_set},
	{"version", no_members, on_version},
};
const size_t nr_serve_commands = sizeof(serve_commands) / sizeof(serve_commands[0]);
