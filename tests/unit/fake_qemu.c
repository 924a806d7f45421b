// SPDX-License-Identifier: GPL-2.0
#include "fake_qemu.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long number_in(const json_t *request)
{
	return json_integer_value(json_object_get(json_object_get(request, "arguments"), "value"));
}

static void follow(struct fake_qemu *q)
{
	long off = q->told - q->actual;

	if (q->pace && labs(off) > q->pace)
		off = off < 0 ? -q->pace : q->pace;
	q->actual += off;
}

static void tell(struct fake_qemu *q, long bytes)
{
	q->told = bytes;
	if (q->other && bytes + q->other->actual > q->peak)
		q->peak = bytes + q->other->actual;
}

static json_t *answer_to(struct fake_qemu *q, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "execute"));
	const json_t *arguments = json_object_get(request, "arguments");
	const char *property = json_string_value(json_object_get(arguments, "property"));

	if (!strcmp(name, "query-memory-size-summary"))
		return json_pack("{s:I,s:i}", "base-memory", (json_int_t)FAKE_QEMU_BYTES,
				 "plugged-memory", 0);
	if (!strcmp(name, "query-balloon")) {
		follow(q);
		return q->no_balloon ? NULL : json_pack("{s:I}", "actual", (json_int_t)q->actual);
	}
	if (!strcmp(name, "qom-list"))
		return json_pack("[{s:s,s:s},{s:s,s:s}]", "name", "type", "type", "string", "name",
				 "b0", "type", "child<virtio-balloon-pci>");
	if (!strcmp(name, "qom-set"))
		q->polling = number_in(request);
	else if (!strcmp(name, "qom-get") && !strcmp(property, "guest-stats"))
		return json_pack("{s:i,s:{s:I}}", "last-update", !q->stale, "stats",
				 "stat-available-memory", (json_int_t)q->available);
	else if (!strcmp(name, "qom-get"))
		return json_integer(q->polling);
	else if (!strcmp(name, "balloon") && !q->refuses)
		tell(q, number_in(request));
	else if (q->refuses)
		return NULL;
	return json_object();
}

static const char *reply(void *ctx, const char *line)
{
	struct fake_qemu *q = ctx;
	json_t *request = json_loads(line, 0, NULL), *answer = answer_to(q, request), *all;
	const char *class = q->no_balloon ? "DeviceNotActive" : "GenericError";
	char *text;

	if (answer)
		all = json_pack("{s:o,s:O}", "return", answer, "id",
				json_object_get(request, "id"));
	else
		all = json_pack("{s:{s:s,s:s},s:O}", "error", "class", class, "desc", "no", "id",
				json_object_get(request, "id"));
	text = json_dumps(all, JSON_COMPACT);
	snprintf(q->line, sizeof(q->line), "%s\n", text);
	free(text);
	json_decref(all);
	json_decref(request);
	return q->line;
}

void fake_qemu__start(struct fake_qemu *q)
{
	q->told = q->actual;
	q->server = (struct line_server){.greeting = "{\"QMP\":{}}\n", .reply = reply, .ctx = q};
	line_server__start(&q->server);
}

void fake_qemu__stop(struct fake_qemu *q)
{
	line_server__stop(&q->server);
}
