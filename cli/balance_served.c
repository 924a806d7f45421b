// SPDX-License-Identifier: GPL-2.0
/*
 * A VM as `hvtrace serve` sees it. The server's curve is of all that was since it began; at each
 * size the misses only grow, so what came since the last question is a difference. Differences
 * fade.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../analysis/recent.h"
#include "../analysis/size.h"
#include "balance_sight.h"
#include "control_client.h"

/* Sizes: up to 256 GiB in steps of an eighth. */
#define PARTS 8
#define OCTAVES 26
#define NR_SIZES (2 + PARTS * OCTAVES)

struct balance_served {
	char *socket, *disk, *sizes_text;
	double half_life;
	__u64 sizes[NR_SIZES], cached;
	size_t nr_sizes;
	bool begun;
	double asked;
	double total[NR_SIZES], total_accesses; /* as of the last answer */
	double recent[NR_SIZES], accesses, error[NR_SIZES];
};

static char *list_of(const __u64 *sizes, size_t n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; i < n && f; i++)
		fprintf(f, "%s%llup", i ? "," : "", sizes[i]);
	if (f)
		fclose(f);
	return text;
}

struct balance_served *balance_served__new(const char *socket, const char *disk, double half_life)
{
	struct balance_served *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->half_life = half_life;
	s->nr_sizes = size__grid(PARTS, OCTAVES, s->sizes);
	s->socket = strdup(socket);
	s->disk = strdup(disk);
	s->sizes_text = list_of(s->sizes, s->nr_sizes);
	if (s->socket && s->disk && s->sizes_text)
		return s;
	balance_served__free(s);
	return NULL;
}

void balance_served__free(struct balance_served *s)
{
	if (!s)
		return;
	free(s->socket);
	free(s->disk);
	free(s->sizes_text);
	free(s);
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* Sum of a histogram [[from, below, count], ...], each in the middle of its bucket. */
static double time_in(const json_t *buckets)
{
	double ns = 0;

	for (size_t i = 0; i < json_array_size(buckets); i++) {
		const json_t *b = json_array_get(buckets, i);

		ns += json_number_value(json_array_get(b, 2)) *
		      (json_number_value(json_array_get(b, 0)) +
		       json_number_value(json_array_get(b, 1))) /
		      2;
	}
	return ns;
}

int balance_served__counts(struct balance_served *s, struct sight_counts *out, char *why,
			   size_t size)
{
	json_t *answer;
	const json_t *disk;
	int err = control_client__stats(s->socket, s->disk, BALANCE_PATIENCE, &answer, &disk, why,
					size);

	if (err)
		return err;
	out->misses = number(disk, "misses");
	out->accesses = number(disk, "hits") + out->misses;
	out->ns = time_in(json_object_get(disk, "miss_latency_ns"));
	s->cached = number(disk, "cached_pages");
	json_decref(answer);
	return 0;
}

__u64 balance_served__cached(const struct balance_served *s)
{
	return s->cached;
}

/* --- curves --- */

/* A server that was started again counts anew. */
static void fade(struct balance_served *s, double time, double accesses)
{
	double kept = s->begun ? exp2(-(time - s->asked) / s->half_life) : 0;

	if (accesses < s->total_accesses) {
		memset(s->total, 0, sizeof(s->total));
		s->total_accesses = kept = 0;
	}
	for (size_t i = 0; i < s->nr_sizes; i++)
		s->recent[i] *= kept;
	s->accesses *= kept;
	s->asked = time;
}

static int take_points(struct balance_served *s, const json_t *points, double time)
{
	double accesses = json_number_value(json_array_get(json_array_get(points, 0), 2));

	if (json_array_size(points) != s->nr_sizes)
		return -EPROTO;
	fade(s, time, accesses);
	for (size_t i = 0; i < s->nr_sizes; i++) {
		const json_t *p = json_array_get(points, i);
		double misses = json_number_value(json_array_get(p, 1));

		if (s->begun && misses > s->total[i])
			s->recent[i] += misses - s->total[i];
		s->total[i] = misses;
		s->error[i] = json_number_value(json_array_get(p, 4));
	}
	if (s->begun)
		s->accesses += accesses - s->total_accesses;
	s->total_accesses = accesses;
	s->begun = true;
	return 0;
}

static const json_t *curve_in(const json_t *answer)
{
	return json_object_get(json_array_get(json_object_get(answer, "curves"), 0), "points");
}

static int ask(struct balance_served *s, double time, char *why, size_t size)
{
	json_t *answer;
	int err = control_client__ask(
		s->socket,
		json_pack("{s:s,s:s,s:s}", "cmd", "curve", "vm", s->disk, "sizes", s->sizes_text),
		BALANCE_PATIENCE, &answer, why, size);

	if (err)
		return err;
	/* Before the first read there is no curve. */
	if (json_array_size(curve_in(answer)))
		err = take_points(s, curve_in(answer), time);
	if (err)
		snprintf(why, size, "'%s' answers with other sizes than those asked for",
			 s->socket);
	json_decref(answer);
	return err;
}

int balance_served__curve(struct balance_served *s, double time, struct curve_point **points,
			  size_t *n, char *why, size_t size)
{
	int err = ask(s, time, why, size);

	*points = NULL;
	*n = 0;
	if (err)
		return err;
	if (!(s->accesses > 0))
		return -ENOENT;
	*points = calloc(s->nr_sizes, sizeof(**points));
	if (!*points)
		return -ENOMEM;
	for (size_t i = 0; i < s->nr_sizes; i++)
		(*points)[i] =
			(struct curve_point){s->sizes[i], s->recent[i], s->accesses, s->error[i]};
	*n = recent__until_flat(*points, s->nr_sizes);
	return 0;
}
