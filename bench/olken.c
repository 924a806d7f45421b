// SPDX-License-Identifier: GPL-2.0
/*
 * The yardstick: exact reuse distances the plain way. A hash table finds the time of a page's last
 * access, an order-statistic tree of these times counts those that are later (Olken, LBL-12370,
 * 1981). The tree is a treap (Seidel and Aragon, Algorithmica 16, 1996).
 *
 *   olken FILE [SIZES [CURVE]]    a u64 trace; the sizes (64MiB,1000p,...) at which to write the
 *                                 curve, in the columns of hvtrace's curve.csv, to stdout or CURVE
 *
 * On stderr: references, distinct pages, seconds of computing.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../analysis/size.h"

#define NONE 0U /* nodes[0] is the empty tree */

struct node {
	__u64 page, time;	 /* of its last access */
	__u32 left, right, size; /* size: nodes of the subtree */
	__u32 priority;		 /* a node's is above its children's */
};

struct olken {
	struct node *nodes; /* one a page */
	__u32 nr_nodes, room, root;
	__u32 *slots; /* hash table of nodes by page */
	__u64 nr_slots;
	__u64 *distances; /* how many references had distance d, d < nr_nodes */
	__u64 refs, cold;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "olken: %s: %s\n", what, why);
	exit(1);
}

static void *resize(void *old, size_t n, size_t each)
{
	void *new = reallocarray(old, n, each);

	if (!new)
		die("no memory", "use a trace of fewer pages");
	return new;
}

static __u64 mix(__u64 z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* --- the tree, in the order of time --- */

static void set_size(struct node *n, __u32 at)
{
	n[at].size = n[n[at].left].size + n[n[at].right].size + 1;
}

static __u32 later_than(const struct olken *o, __u64 time)
{
	const struct node *n = o->nodes;
	__u32 later = 0;

	for (__u32 at = o->root; at != NONE;) {
		if (n[at].time > time) {
			later += n[n[at].right].size + 1;
			at = n[at].left;
		} else {
			at = n[at].right;
		}
	}
	return later;
}

/* All of a is before all of b. */
static __u32 join(struct node *n, __u32 a, __u32 b)
{
	if (a == NONE || b == NONE)
		return a + b;
	if (n[a].priority > n[b].priority) {
		n[a].right = join(n, n[a].right, b);
		set_size(n, a);
		return a;
	}
	n[b].left = join(n, a, n[b].left);
	set_size(n, b);
	return b;
}

static void take_out(struct olken *o, __u32 node)
{
	struct node *n = o->nodes;
	__u32 *link = &o->root;

	while (*link != node) {
		n[*link].size--;
		link = n[node].time < n[*link].time ? &n[*link].left : &n[*link].right;
	}
	*link = join(n, n[node].left, n[node].right);
}

/* As the latest of all: down the right side, as far as its priority lets it. */
static void put_last(struct olken *o, __u32 node)
{
	struct node *n = o->nodes;
	__u32 *link = &o->root;

	while (*link != NONE && n[*link].priority > n[node].priority) {
		n[*link].size++;
		link = &n[*link].right;
	}
	n[node].left = *link;
	n[node].right = NONE;
	set_size(n, node);
	*link = node;
}

/* --- pages --- */

static __u32 *slot_of(const struct olken *o, __u64 page)
{
	__u64 at = mix(page) & (o->nr_slots - 1);

	while (o->slots[at] != NONE && o->nodes[o->slots[at]].page != page)
		at = (at + 1) & (o->nr_slots - 1);
	return &o->slots[at];
}

static void grow(struct olken *o)
{
	o->room = o->room ? o->room * 2 : 1 << 10;
	o->nodes = resize(o->nodes, o->room, sizeof(*o->nodes));
	o->distances = resize(o->distances, o->room, sizeof(*o->distances));
	if (!o->nr_nodes)
		o->nodes[o->nr_nodes++] = (struct node){0};
	free(o->slots);
	o->nr_slots = 2ULL * o->room;
	o->slots = calloc(o->nr_slots, sizeof(*o->slots));
	if (!o->slots)
		die("no memory", "use a trace of fewer pages");
	for (__u32 i = 1; i < o->nr_nodes; i++)
		*slot_of(o, o->nodes[i].page) = i;
}

static __u32 add_page(struct olken *o, __u64 page)
{
	__u32 node = o->nr_nodes++;

	o->nodes[node] = (struct node){.page = page, .priority = mix(node)};
	o->distances[node - 1] = 0;
	*slot_of(o, page) = node;
	o->cold++;
	return node;
}

static void access_page(struct olken *o, __u64 page)
{
	__u32 node;

	if (o->nr_nodes == o->room)
		grow(o);
	node = *slot_of(o, page);
	if (node != NONE) {
		o->distances[later_than(o, o->nodes[node].time)]++;
		take_out(o, node);
	} else {
		node = add_page(o, page);
	}
	o->nodes[node].time = ++o->refs;
	put_last(o, node);
}

/* --- files --- */

static void read_trace(struct olken *o, const char *path)
{
	static __u64 buffer[1 << 15];
	FILE *in = fopen(path, "rb");
	size_t n;

	if (!in)
		die(path, strerror(errno));
	while ((n = fread(buffer, sizeof(*buffer), 1 << 15, in)) > 0)
		for (size_t i = 0; i < n; i++)
			access_page(o, le64toh(buffer[i]));
	if (ferror(in))
		die(path, strerror(errno));
	fclose(in);
}

static void write_curve(const struct olken *o, const char *text, FILE *out)
{
	__u64 *sizes, distance = 0, misses = o->refs;
	size_t n;

	if (size__parse_list(text, &sizes, &n))
		die(text, "not sizes; write 64MiB,1GiB or 1000p,2000p");
	fprintf(out, "vm,space,order,size_pages,size_bytes,misses,accesses,miss_ratio,error\n");
	for (size_t i = 0; i < n; i++) {
		for (; distance < sizes[i] && distance < o->cold; distance++)
			misses -= o->distances[distance];
		fprintf(out, "olken,disk,access,%llu,%llu,%llu,%llu,%.9f,0\n", sizes[i],
			sizes[i] << 12, misses, o->refs, o->refs ? (double)misses / o->refs : 0);
	}
	free(sizes);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	struct olken o = {0};
	FILE *out = stdout;
	double time;

	if (argc < 2 || argc > 4)
		die("usage", "olken FILE [SIZES [CURVE]]");
	time = now();
	read_trace(&o, argv[1]);
	time = now() - time;
	fprintf(stderr, "%llu references, %llu pages, %.4f s\n", o.refs, o.cold, time);
	if (argc > 3 && !(out = fopen(argv[3], "w")))
		die(argv[3], strerror(errno));
	if (argc > 2)
		write_curve(&o, argv[2], out);
	if (fflush(out) || (out != stdout && fclose(out)))
		die("curve", strerror(errno));
	free(o.nodes);
	free(o.slots);
	free(o.distances);
	return 0;
}
