// SPDX-License-Identifier: GPL-2.0
/*
 * Made-up page references, as little-endian 64-bit page numbers on stdout (format u64): the same
 * on every machine for the same arguments.
 *
 *   trace KIND PAGES REFS SEED > FILE
 *
 * zipf     Zipf's law with exponent 0.9, hot pages anywhere among the page numbers
 * uniform  every page alike
 * loop     one page after the other, over and over
 * phases   evenly over a quarter of the pages, which moves on by half of itself 16 times
 * mixed    bursts of 64: three of four from a Zipf law over one half of the pages, the fourth
 *          scans the other half
 * cold     never the same page twice; PAGES is not used
 */
#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

#define ZIPF_EXPONENT 0.9
#define PHASES 16
#define BURST 64

/* The alias method (Walker, Electronics Letters 10(8), 1974): a draw is one of as many columns
 * as there are pages, then one of the column's two pages. */
struct column {
	__u64 threshold; /* share of page in the column, of 2^64 */
	__u32 page, alias;
};

struct generator {
	__u64 pages, refs, random, at, scanned;
	struct column *zipf;
};

/* splitmix64 (Steele et al., OOPSLA '14). */
static __u64 next_random(struct generator *g)
{
	__u64 z = g->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static __u64 below(struct generator *g, __u64 n)
{
	return (unsigned __int128)next_random(g) * n >> 64;
}

static void die(const char *why)
{
	fprintf(stderr, "trace: %s\n", why);
	exit(1);
}

/* Weights with mean 1, in page numbers shuffled (Fisher-Yates). */
static double *zipf_weights(struct generator *g, __u64 n)
{
	double *weight = malloc(n * sizeof(*weight)), sum = 0;

	if (!weight)
		die("no memory for so many pages");
	for (__u64 i = 0; i < n; i++)
		sum += weight[i] = pow(i + 1, -ZIPF_EXPONENT);
	for (__u64 i = 0; i < n; i++)
		weight[i] *= n / sum;
	for (__u64 i = n - 1; i > 0; i--) {
		__u64 other = below(g, i + 1);
		double w = weight[i];

		weight[i] = weight[other];
		weight[other] = w;
	}
	return weight;
}

static __u64 share(double weight)
{
	return weight >= 1 ? ~0ULL : weight * 0x1p64;
}

/* Vose, IEEE Trans. Software Eng. 17(9), 1991: `small` pages leave room in their column, which
 * a `large` page fills. */
static void fill_columns(struct column *columns, double *weight, __u32 *stack, __u64 n)
{
	__u64 small = 0, large = n;

	for (__u64 i = 0; i < n; i++) {
		columns[i] = (struct column){.threshold = ~0ULL, .page = i, .alias = i};
		stack[weight[i] < 1 ? small++ : --large] = i;
	}
	while (small > 0 && large < n) {
		__u32 less = stack[--small], more = stack[large];

		columns[less].threshold = share(weight[less]);
		columns[less].alias = more;
		weight[more] -= 1 - weight[less];
		if (weight[more] < 1) {
			stack[small++] = more;
			large++;
		}
	}
}

static struct column *zipf_columns(struct generator *g, __u64 n)
{
	struct column *columns = malloc(n * sizeof(*columns));
	__u32 *stack = malloc(n * sizeof(*stack));
	double *weight = zipf_weights(g, n);

	if (!columns || !stack)
		die("no memory for so many pages");
	fill_columns(columns, weight, stack, n);
	free(weight);
	free(stack);
	return columns;
}

static __u64 draw_zipf(struct generator *g, __u64 n)
{
	unsigned __int128 x = (unsigned __int128)next_random(g) * n;
	const struct column *column = &g->zipf[(__u64)(x >> 64)];

	return (__u64)x < column->threshold ? column->page : column->alias;
}

static __u64 next_zipf(struct generator *g)
{
	return draw_zipf(g, g->pages);
}

static __u64 next_uniform(struct generator *g)
{
	return below(g, g->pages);
}

static __u64 next_loop(struct generator *g)
{
	return g->at % g->pages;
}

static __u64 next_phases(struct generator *g)
{
	__u64 set = (g->pages + 3) / 4, phase = g->at / (g->refs / PHASES + 1);

	return (phase * (set / 2) + below(g, set)) % g->pages;
}

static __u64 next_mixed(struct generator *g)
{
	__u64 half = g->pages / 2;

	if (g->at / BURST % 4 == 3)
		return half + g->scanned++ % (g->pages - half);
	return draw_zipf(g, half);
}

static __u64 next_cold(struct generator *g)
{
	return g->at;
}

static const struct kind {
	const char *name;
	__u64 (*next)(struct generator *g);
	int zipf_share; /* of so many pages one follows Zipf's law; 0: none */
} kinds[] = {
	{"zipf", next_zipf, 1},	    {"uniform", next_uniform, 0}, {"loop", next_loop, 0},
	{"phases", next_phases, 0}, {"mixed", next_mixed, 2},	  {"cold", next_cold, 0},
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	die("KIND must be zipf, uniform, loop, phases, mixed or cold");
	return NULL;
}

/* 4 MiB at once, as files are copied: the page cache then holds them in large folios, which are
 * quicker to map. */
#define WRITTEN (1 << 19)

static void write_all(struct generator *g, const struct kind *kind)
{
	static __u64 buffer[WRITTEN];

	while (g->at < g->refs) {
		size_t n = 0;

		for (; n < WRITTEN && g->at < g->refs; n++, g->at++)
			buffer[n] = htole64(kind->next(g));
		if (fwrite(buffer, sizeof(*buffer), n, stdout) != n)
			die("cannot write to stdout");
	}
	if (fflush(stdout))
		die("cannot write to stdout");
}

int main(int argc, char **argv)
{
	struct generator g = {0};
	const struct kind *kind;

	if (argc != 5)
		die("usage: trace KIND PAGES REFS SEED > FILE");
	kind = find_kind(argv[1]);
	g.pages = strtoull(argv[2], NULL, 0);
	g.refs = strtoull(argv[3], NULL, 0);
	g.random = strtoull(argv[4], NULL, 0);
	if (g.pages < 2 || g.pages > 1ULL << 32)
		die("PAGES must be 2 to 2^32");
	if (kind->zipf_share)
		g.zipf = zipf_columns(&g, g.pages / kind->zipf_share);
	write_all(&g, kind);
	free(g.zipf);
	return 0;
}
