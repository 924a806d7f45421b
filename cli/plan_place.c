// SPDX-License-Identifier: GPL-2.0
#include "plan_place.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/export.h"
#include "../analysis/plan/pack.h"
#include "../analysis/size.h"
#include "cli.h"
#include "plan_groups.h"

/* The VMs that are to go somewhere, and where they may. */
struct places {
	struct plan_vms *v;
	__u64 *need; /* pages, of each VM below */
	size_t *vm;  /* index in v */
	size_t nr_vms;
	__u64 *room;  /* pages, of each host below */
	size_t *host; /* index in v */
	size_t nr_hosts;
	int *to;       /* index of a host above, of each VM; -1: nowhere */
	__u64 nowhere; /* pages of these */
	bool none;     /* ... and it is proven that there is no way */
};

static int places__init(struct places *p, struct plan_vms *v)
{
	*p = (struct places){
		.v = v,
		.need = calloc(v->nr + 1, sizeof(*p->need)),
		.vm = calloc(v->nr + 1, sizeof(*p->vm)),
		.room = calloc(v->nr_hosts + 1, sizeof(*p->room)),
		.host = calloc(v->nr_hosts + 1, sizeof(*p->host)),
		.to = calloc(v->nr + 1, sizeof(*p->to)),
	};
	return p->need && p->vm && p->room && p->host && p->to ? 0 : -ENOMEM;
}

static void places__free(struct places *p)
{
	free(p->need);
	free(p->vm);
	free(p->room);
	free(p->host);
	free(p->to);
}

static int no_memory(void)
{
	return cli__failed("out of memory");
}

static int not_packed(int err)
{
	if (err == -ENOMEM)
		return no_memory();
	return cli__failed(
		"more than %u VMs or %u hosts are too many to place at once: leave some out",
		PACK_MAX_VMS, PACK_MAX_HOSTS);
}

/* What is assured, or its min; who may have nothing at all takes a page. */
static void add_vm(struct places *p, const struct plan_seat *s)
{
	p->vm[p->nr_vms] = s->vm - p->v->vms;
	p->need[p->nr_vms++] = s->least ?: 1;
}

static void add_host(struct places *p, size_t host, __u64 room)
{
	p->host[p->nr_hosts] = host;
	p->room[p->nr_hosts++] = room;
}

static struct pack_opts pack_opts_of(const struct places *p, double seconds)
{
	return (struct pack_opts){
		.sz = sizeof(struct pack_opts),
		.vms = p->need,
		.nr_vms = p->nr_vms,
		.hosts = p->room,
		.nr_hosts = p->nr_hosts,
		.seconds = seconds,
	};
}

/* --- who finds no place --- */

static __u64 sum(const __u64 *v, size_t n)
{
	__u64 s = 0;

	for (size_t i = 0; i < n; i++)
		s += v[i];
	return s;
}

/* A few names. */
static void name_unplaced(const struct places *p, char *text, size_t size)
{
	size_t n = 0, len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < p->nr_vms; i++) {
		char need[SIZE_TEXT];

		if (p->to[i] >= 0 || ++n > 4 || len >= size)
			continue;
		len += snprintf(text + len, size - len, "%s'%.64s' (%s)", n > 1 ? ", " : "",
				p->v->vms[p->vm[i]].name, size__format(p->need[i], need));
	}
	if (n > 4 && len < size)
		snprintf(text + len, size - len, " and %zu more", n - 4);
}

static int no_place(const struct places *p, const char *lead)
{
	__u64 need = sum(p->need, p->nr_vms), room = sum(p->room, p->nr_hosts);
	char names[512], left[SIZE_TEXT], lacking[SIZE_TEXT];

	name_unplaced(p, names, sizeof(names));
	size__format(p->nowhere, left);
	if (need > room)
		return cli__failed(
			"%sthere is no room for %s of VMs: %s; %s (%llu bytes) are lacking "
			"in all",
			lead, left, names, size__format(need - room, lacking),
			(need - room) * PAGE_BYTES);
	return cli__failed("%sthere is no room in one piece for %s of VMs: %s; %s", lead, left,
			   names,
			   p->none ? "it is proven that there is no other way to place them"
				   : "a longer --pack-time may find a way");
}

/* --- moving --- */

/* Hosts keep what they have, now that VMs come and go. */
static void settle_memory(struct plan_vms *v)
{
	for (size_t i = 0; i < v->nr_hosts; i++) {
		v->hosts[i].memory = plan_vms__memory(v, i);
		v->hosts[i].unused = 0;
	}
	for (size_t i = 0; i < v->nr_hosts; i++)
		v->hosts[i].given = true;
}

static void leave(struct plan_host *h)
{
	h->gone = true;
	h->memory = 0;
	if (h->groups)
		group_list__free(h->groups);
}

static void move_all(struct places *p)
{
	for (size_t i = 0; i < p->nr_vms; i++) {
		struct plan_vm *vm = &p->v->vms[p->vm[i]];
		size_t to = p->host[p->to[i]];

		vm->moved = vm->host != to;
		vm->from = vm->host;
		vm->host = to;
	}
}

/* Two VMs of one name on one host could not be told apart. */
static int check_names(const struct plan_vms *v)
{
	for (size_t i = 0; i < v->nr; i++)
		for (size_t k = 0; k < i; k++) {
			const struct plan_vm *a = &v->vms[i], *b = &v->vms[k];

			if (a->gone || b->gone || a->host != b->host || strcmp(a->name, b->name))
				continue;
			return cli__failed(
				"two VMs '%s' would be on '%s': give one of them another "
				"name",
				a->name, v->hosts[a->host].name);
		}
	return CLI_DONE;
}

/* --- failover --- */

/* What is not reserved there. */
static __u64 room_on(const struct plan_case *c, size_t host)
{
	__u64 memory = plan_vms__memory(c->vms, host), reserved = 0;

	if (c->groups[host].plan.groups)
		reserved = groups__reserved(c->groups[host].plan.groups, 0);
	for (size_t i = 0; i < c->nr && !c->groups[host].plan.groups; i++)
		if (c->seats[i].vm->host == host)
			reserved += c->seats[i].least;
	return memory > reserved ? memory - reserved : 0;
}

static void list_failover(struct places *p, const struct plan_case *c, size_t failed)
{
	for (size_t i = 0; i < c->nr; i++)
		if (c->seats[i].vm->host == failed)
			add_vm(p, &c->seats[i]);
	for (size_t h = 0; h < p->v->nr_hosts; h++)
		if (h != failed)
			add_host(p, h, room_on(c, h));
}

static void take_packing(struct places *p, const struct pack *packed)
{
	memcpy(p->to, packed->host, p->nr_vms * sizeof(*p->to));
	p->nowhere = packed->left;
	p->none = packed->bound > p->nr_hosts;
}

/* Spread out, so that all hosts keep some room; packed only if that does not do. */
static int find_places(struct places *p, double seconds)
{
	const struct pack_opts o = pack_opts_of(p, seconds);
	__u64 *left = calloc(p->nr_hosts + 1, sizeof(*left));
	struct pack *packed;
	int err;

	if (!left)
		return -ENOMEM;
	p->nowhere = pack__spread(p->to, left, &o);
	free(left);
	if (!p->nowhere)
		return 0;
	err = pack__solve(&packed, &o);
	if (err)
		return err;
	take_packing(p, packed);
	pack__free(packed);
	return 0;
}

static int fail_over(struct places *p, struct plan_case *c, size_t failed, double seconds)
{
	struct plan_host *host = &p->v->hosts[failed];
	char lead[128];
	int err;

	list_failover(p, c, failed);
	err = find_places(p, seconds);
	if (err)
		return not_packed(err);
	snprintf(lead, sizeof(lead), "if '%.64s' fails, ", host->name);
	if (p->nowhere)
		return no_place(p, lead);
	settle_memory(p->v);
	move_all(p);
	leave(host);
	return check_names(p->v);
}

int plan_place__failover(struct plan_placing *out, struct plan_vms *v, const char *host,
			 const struct plan_case_opts *o, double seconds)
{
	char why[PLAN_WHY];
	struct plan_case c;
	struct places p;
	size_t failed = plan_vms__find_host(v, host);
	int status;

	if (failed == v->nr_hosts)
		return cli__failed("--failover '%s': there is no such host; the first one is '%s'",
				   host, failed ? v->hosts[0].name : "");
	if (plan_case__make(&c, v, o, why, sizeof(why)))
		return cli__failed("%s", why);
	*out = (struct plan_placing){.placed = true, .failed = v->hosts[failed].name};
	out->as_is = c.plan->nr_clashes || c.refusal[0] ? NAN : c.plan->cost;
	status = places__init(&p, v) ? no_memory() : fail_over(&p, &c, failed, seconds);
	places__free(&p);
	plan_case__free(&c);
	return status;
}

/* --- packing --- */

static int check_hosts(const struct plan_vms *v)
{
	for (size_t i = 0; i < v->nr_hosts; i++)
		if (v->hosts[i].groups)
			return cli__failed(
				"groups are those of one host, and packing takes VMs away "
				"from theirs: say what VMs need with min and max");
	return CLI_DONE;
}

static void list_packing(struct places *p, const struct plan_case *c)
{
	for (size_t i = 0; i < c->nr; i++)
		add_vm(p, &c->seats[i]);
	for (size_t h = 0; h < p->v->nr_hosts; h++)
		if (p->v->hosts[h].given)
			add_host(p, h, p->v->hosts[h].memory);
}

/* Nobody said what these need, so they are packed like paper. */
static void note_unbound(const struct plan_case *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nr; i++)
		n += !c->seats[i].least;
	if (n)
		cli__note(
			"%zu VM%s neither a min nor an assurance (slower-ratio, slower-time), and "
			"%s packed as if %s needed nothing",
			n, n == 1 ? " has" : "s have", n == 1 ? "is" : "are",
			n == 1 ? "it" : "they");
}

/* How often the part of each host that may be filled is halved in. */
#define LEVEL_STEPS 7

/* Into no more than a part of each host that is used. */
static bool pack_level(struct places *p, const __u64 *used, double part, double seconds)
{
	__u64 *room = calloc(p->nr_hosts + 1, sizeof(*room));
	struct pack_opts o = pack_opts_of(p, seconds);
	struct pack *packed = NULL;
	bool fits;

	for (size_t h = 0; h < p->nr_hosts && room; h++)
		room[h] = used[h] * part;
	o.hosts = room;
	fits = room && !pack__solve(&packed, &o) && !packed->left;
	if (fits)
		memcpy(p->to, packed->host, p->nr_vms * sizeof(*p->to));
	pack__free(packed);
	free(room);
	return fits;
}

/* Filling hosts one after the other leaves all that is left to the last one. On as many hosts, all
 * of them equally full, each has something to divide. */
static void level(struct places *p, double seconds)
{
	__u64 *used = calloc(p->nr_hosts + 1, sizeof(*used));
	double low, high = 1;

	if (!used)
		return;
	for (size_t i = 0; i < p->nr_vms; i++)
		used[p->to[i]] = p->room[p->to[i]];
	low = (double)sum(p->need, p->nr_vms) / sum(used, p->nr_hosts);
	for (int step = 0; step < LEVEL_STEPS; step++) {
		double part = (low + high) / 2;

		if (pack_level(p, used, part, seconds / LEVEL_STEPS))
			high = part;
		else
			low = part;
	}
	free(used);
}

/* Above that the table below is too large. */
#define MAX_EXCHANGED 512

/* Pages of the VMs that are packed on one host and are on another now: a row for each of the
 * former. */
static __u64 *count_staying(const struct places *p)
{
	__u64 *stay = calloc(p->nr_hosts * p->nr_hosts + 1, sizeof(*stay));

	for (size_t i = 0; i < p->nr_vms && stay; i++)
		for (size_t h = 0; h < p->nr_hosts; h++)
			if (p->v->vms[p->vm[i]].host == p->host[h])
				stay[p->to[i] * p->nr_hosts + h] += p->need[i];
	return stay;
}

/* What is packed on a goes to b, and the other way round. Is that better? */
static bool exchange(const struct places *p, const __u64 *stay, size_t *packed, size_t a, size_t b)
{
	const __u64 *on_a = &stay[packed[a] * p->nr_hosts], *on_b = &stay[packed[b] * p->nr_hosts];
	size_t was = packed[a];

	if (p->room[a] != p->room[b] || on_a[b] + on_b[a] <= on_a[a] + on_b[b])
		return false;
	packed[a] = packed[b];
	packed[b] = was;
	return true;
}

static void exchange_all(struct places *p, const __u64 *stay, size_t *packed, int *to)
{
	bool better = true;

	for (size_t h = 0; h < p->nr_hosts; h++)
		packed[h] = h;
	while (better) {
		better = false;
		for (size_t a = 0; a < p->nr_hosts; a++)
			for (size_t b = 0; b < a; b++)
				better |= exchange(p, stay, packed, a, b);
	}
	for (size_t h = 0; h < p->nr_hosts; h++)
		to[packed[h]] = h;
	for (size_t i = 0; i < p->nr_vms; i++)
		p->to[i] = to[p->to[i]];
}

/* Hosts of one size may be exchanged: so that more VMs stay where they are. */
static void keep_places(struct places *p)
{
	__u64 *stay = p->nr_hosts <= MAX_EXCHANGED ? count_staying(p) : NULL;
	size_t *packed = calloc(p->nr_hosts + 1, sizeof(*packed));
	int *to = calloc(p->nr_hosts + 1, sizeof(*to));

	if (stay && packed && to)
		exchange_all(p, stay, packed, to);
	free(to);
	free(packed);
	free(stay);
}

static bool is_used(const struct places *p, size_t host)
{
	for (size_t i = 0; i < p->nr_vms; i++)
		if (p->to[i] >= 0 && p->host[p->to[i]] == host)
			return true;
	return false;
}

static int carry_out(struct places *p)
{
	keep_places(p);
	settle_memory(p->v);
	move_all(p);
	for (size_t h = 0; h < p->v->nr_hosts; h++)
		if (!is_used(p, h))
			leave(&p->v->hosts[h]);
	return check_names(p->v);
}

static int pack(struct plan_placing *out, struct places *p, double seconds)
{
	const struct pack_opts o = pack_opts_of(p, seconds);
	double begin = cli__now();
	struct pack *packed;
	int err = pack__solve(&packed, &o);

	if (err)
		return not_packed(err);
	take_packing(p, packed);
	*out = (struct plan_placing){
		.placed = true,
		.hosts = packed->hosts,
		.of = p->nr_hosts,
		.bound = packed->bound,
		.word = !packed->worth && packed->bound,
		.as_is = NAN,
	};
	pack__free(packed);
	if (p->nowhere)
		return no_place(p, "");
	level(p, (seconds - (cli__now() - begin)) / 2);
	out->seconds = cli__now() - begin;
	return carry_out(p);
}

int plan_place__pack(struct plan_placing *out, struct plan_vms *v, const struct plan_case_opts *o,
		     double seconds)
{
	char why[PLAN_WHY];
	struct plan_case c;
	struct places p;
	int status = check_hosts(v);

	if (status)
		return status;
	if (plan_case__seats(&c, v, o, why, sizeof(why)))
		return cli__failed("%s", why);
	note_unbound(&c);
	if (places__init(&p, v)) {
		status = no_memory();
	} else {
		list_packing(&p, &c);
		status = pack(out, &p, seconds);
	}
	places__free(&p);
	plan_case__free(&c);
	return status;
}

/* --- telling --- */

static size_t count_moved(const struct plan_vms *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->nr; i++)
		n += v->vms[i].moved && !v->vms[i].gone;
	return n;
}

static void put_moves(FILE *out, const struct plan_vms *v)
{
	size_t n = count_moved(v);

	fprintf(out, "%zu VM%s%s\n", n, n == 1 ? " moves" : "s move", n ? ":" : "");
	for (size_t i = 0; i < v->nr; i++) {
		const struct plan_vm *vm = &v->vms[i];

		if (vm->moved && !vm->gone)
			fprintf(out, "  %s: %s -> %s\n", vm->name, v->hosts[vm->from].name,
				v->hosts[vm->host].name);
	}
}

static double gap(const struct plan_placing *p)
{
	return p->bound ? 100.0 * (p->hosts - p->bound) / p->bound : 0;
}

void plan_place__table(FILE *out, const struct plan_placing *p, const struct plan_vms *v)
{
	if (!p->placed)
		return;
	if (p->failed)
		fprintf(out,
			"'%s' failed: its VMs have room on the others, with all assurances kept\n",
			p->failed);
	else
		fprintf(out,
			"Packed on %zu of %zu hosts in %.1f s; %s fewer than %zu: a gap of %.1f "
			"%%\n",
			p->hosts, p->of, p->seconds,
			p->word ? "the solver finds none with" : "it is proven that none has",
			p->bound, gap(p));
	put_moves(out, v);
}

void plan_place__json(FILE *out, const struct plan_placing *p, const struct plan_vms *v)
{
	if (!p->placed)
		return;
	if (p->failed) {
		fputs("{\"type\":\"failover\",\"host\":", out);
		export__json_string(out, p->failed);
	} else {
		fprintf(out,
			"{\"type\":\"packing\",\"hosts\":%zu,\"of\":%zu,\"bound\":%zu,"
			"\"proven\":%s,\"gap_percent\":%.4g,\"seconds\":%.3f",
			p->hosts, p->of, p->bound, p->word ? "false" : "true", gap(p), p->seconds);
	}
	fprintf(out, ",\"moved\":%zu}\n", count_moved(v));
}
