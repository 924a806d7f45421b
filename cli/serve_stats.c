// SPDX-License-Identifier: GPL-2.0
/* What a server knows, as JSON for the control socket. */
#include <stdlib.h>

#include "cli.h"
#include "curve_json.h"
#include "serve.h"

/* json_object_set_new() fails for a NULL value, and takes it over in any case. */
static int put(json_t *to, const char *key, json_t *value)
{
	return json_object_set_new(to, key, value);
}

static int put_number(json_t *to, const char *key, __u64 n)
{
	return put(to, key, json_integer(n));
}

/* Paths may hold any bytes: what is not UTF-8 is left out. */
static int put_text(json_t *to, const char *key, const char *text)
{
	return put(to, key, json_string(text) ?: json_null());
}

/* The object, or NULL: out of memory somewhere. */
static json_t *whole(json_t *object, int failed)
{
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *cache_json(const struct server_cache *c)
{
	json_t *o = json_object();
	int failed = !o;

	failed |= put_text(o, "policy", c->policy);
	failed |= put_text(o, "backing", c->backing);
	failed |= put_number(o, "capacity_bytes", c->capacity);
	failed |= put_number(o, "taken_bytes", c->taken);
	failed |= put_number(o, "excess_bytes", c->excess);
	failed |= put_number(o, "hugetlb_bytes", c->backed[BACKING_HUGETLB]);
	failed |= put_number(o, "thp_bytes", c->backed[BACKING_THP]);
	failed |= put_number(o, "small_page_bytes", c->backed[BACKING_4K]);
	failed |= put_number(o, "metadata_bytes", c->metadata);
	return whole(o, failed);
}

/* What a disk is, and is set to. */
static int put_settings(json_t *o, const struct served *d)
{
	const struct server_disk *n = &d->now;
	int failed = 0;

	failed |= put_text(o, "vm", d->name);
	failed |= put_text(o, "path", n->path);
	failed |= put_text(o, "socket", n->socket);
	failed |= put(o, "connected", json_boolean(n->connected));
	failed |= put_number(o, "pid", n->vmm);
	failed |= put(o, "read_only", json_boolean(n->read_only));
	failed |= put(o, "direct", json_boolean(n->direct));
	failed |= put(o, "locked", json_boolean(n->locked));
	failed |= put_text(o, "engine", n->engine);
	failed |= put_number(o, "queues", n->queues);
	failed |= put_number(o, "running_queues", n->running);
	failed |= put_number(o, "bytes", n->bytes);
	failed |= put_number(o, "memory_bytes", n->memory_pages * PAGE_BYTES);
	failed |= put_number(o, "min_bytes", n->min);
	failed |= put_number(o, "max_bytes", n->max);
	failed |= put_number(o, "share", n->share);
	failed |= put_number(o, "target_bytes", n->target_slots * PAGE_BYTES);
	failed |= put_number(o, "cached_bytes", n->cache.cached * PAGE_BYTES);
	return failed;
}

static json_t *reasons_json(const struct served_counts *c)
{
	json_t *o = json_object();
	int failed = !o;

	for (unsigned i = 0; i < SERVED_REASONS; i++)
		failed |= put_number(o, served_reasons[i], served__not_captured(c, i));
	return whole(o, failed);
}

static int put_counts(json_t *o, const struct served_counts *c)
{
	int failed = 0;

	for (size_t i = 0; i < nr_served_counts; i++)
		failed |= put_number(o, served_counts_table[i].key, served_count__of(c, i));
	failed |= put_number(o, "captured", c->capture[CAPTURED]);
	failed |= put(o, "not_captured", reasons_json(c));
	failed |= put_number(o, "saved_bytes", served__saved(c));
	return failed;
}

static int put_pages(json_t *o, const struct exclusive_cache_counts *c)
{
	int failed = 0;

	failed |= put_number(o, "cached_pages", c->cached);
	failed |= put_number(o, "resident_pages", c->resident);
	failed |= put_number(o, "ghost_pages", c->ghosts);
	failed |= put_number(o, "slots", c->slots);
	failed |= put_number(o, "free_slots", c->free_slots);
	failed |= put_number(o, "ghost_hits", c->ghost_hits);
	failed |= put_number(o, "metadata_bytes", c->bytes);
	return failed;
}

/* [[from, below, count], ...] of the buckets that counted something. */
static json_t *latency_json(const struct served_latency *l)
{
	json_t *a = json_array();
	int failed = !a;

	for (__u32 b = 0; b < PE_LATENCY_BUCKETS; b++)
		if (l->bucket[b])
			failed |= json_array_append_new(
				a, json_pack("[I,I,I]", (json_int_t)pe_latency_low(b),
					     (json_int_t)pe_latency_low(b + 1),
					     (json_int_t)l->bucket[b]));
	return whole(a, failed);
}

/* A list of sentences. */
static json_t *findings_json(const struct served *d)
{
	char text[SERVED_FINDING];

	return served__finding(d, text) ? json_pack("[s]", text) : json_array();
}

static json_t *disk_json(const struct served *d, bool all)
{
	json_t *o = json_object();
	int failed = !o || put_settings(o, d);

	if (all && !failed) {
		failed |= put_counts(o, &d->now.counts);
		failed |= put_pages(o, &d->now.cache);
		failed |= put_number(o, "hit_mean_ns", served_latency__mean(&d->now.hit));
		failed |= put_number(o, "miss_mean_ns", served_latency__mean(&d->now.miss));
		failed |= put(o, "hit_latency_ns", latency_json(&d->now.hit));
		failed |= put(o, "miss_latency_ns", latency_json(&d->now.miss));
		failed |= put(o, "miss_page_ns", curve_json__figure(served__miss_page(d)));
		failed |= put(o, "seconds", json_real(d->seconds));
		failed |= put(o, "findings", findings_json(d));
	}
	return whole(o, failed);
}

static json_t *disks_json(const struct serve *s, bool all)
{
	json_t *a = json_array();
	int failed = !a;

	for (size_t i = 0; i < s->disks.nr; i++)
		if (!s->disks.disks[i]->ended)
			failed |= json_array_append_new(a, disk_json(s->disks.disks[i], all));
	return whole(a, failed);
}

json_t *serve__vms(const struct serve *s)
{
	json_t *o = json_object();
	int failed = !o;

	failed |= put(o, "vms", disks_json(s, false));
	return whole(o, failed);
}

json_t *serve__stats(const struct serve *s)
{
	json_t *o = json_object();
	int failed = !o;

	failed |= put_text(o, "version", HVTRACE_VERSION);
	failed |= put(o, "uptime_s", json_real(cli__now() - s->started));
	failed |= put_number(o, "lost_events", s->refused_events);
	failed |= put_number(o, "missed_unmaps", s->missed_unmaps);
	failed |= put(o, "foreign_writes_seen", json_boolean(s->foreign != NULL));
	failed |= put(o, "cache", cache_json(&s->cache));
	failed |= put(o, "vms", disks_json(s, true));
	return whole(o, failed);
}
