// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "size.h"

/* So that bytes fit 64 bits. */
#define MAX_PAGES (SIZE_MAX_PAGES - 1)
/* Digits after the point that are looked at: 10^15 fits beside the largest unit. */
#define MAX_FRACTION 15

static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
#define NR_UNITS (sizeof(units) / sizeof(units[0]))

/* A decimal number as whole + fraction / scale. Returns what follows it; NULL: none. */
static const char *parse_number(const char *s, __u64 *whole, __u64 *fraction, __u64 *scale)
{
	const char *start = s;

	*whole = *fraction = 0;
	*scale = 1;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (*whole > (~0ULL - 9) / 10)
			return NULL;
		*whole = *whole * 10 + (*s - '0');
	}
	if (s == start || *s != '.')
		return s == start ? NULL : s;
	for (start = ++s; *s >= '0' && *s <= '9'; s++) {
		if (s - start >= MAX_FRACTION)
			return NULL;
		*fraction = *fraction * 10 + (*s - '0');
		*scale *= 10;
	}
	return s == start ? NULL : s;
}

static int bytes_to_pages(__u64 whole, __u64 fraction, __u64 scale, int unit, __u64 *pages)
{
	unsigned __int128 bytes = (unsigned __int128)whole << 10 * unit;
	unsigned __int128 part = (unsigned __int128)fraction << 10 * unit;

	if (part % scale)
		return -EINVAL;
	bytes += part / scale;
	if (bytes >> PAGE_SHIFT_4K > MAX_PAGES)
		return -ERANGE;
	if (bytes % PAGE_BYTES)
		return -EINVAL;
	*pages = bytes >> PAGE_SHIFT_4K;
	return 0;
}

int size__parse(const char *text, __u64 *pages)
{
	__u64 whole, fraction, scale;
	const char *s = parse_number(text, &whole, &fraction, &scale);

	if (!s)
		return -EINVAL;
	if (!strcmp(s, "p") && scale == 1) {
		if (whole > MAX_PAGES)
			return -ERANGE;
		*pages = whole;
		return 0;
	}
	for (size_t u = 0; u < NR_UNITS; u++)
		if (!strcmp(s, units[u]))
			return bytes_to_pages(whole, fraction, scale, u, pages);
	if (*s || whole || fraction)
		return -EINVAL;
	*pages = 0;
	return 0;
}

static int compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return (x > y) - (x < y);
}

/* Ascending, each once; returns how many are left. */
static size_t sort_unique(__u64 *v, size_t n)
{
	size_t out = 0;

	qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n; i++)
		if (!i || v[i] != v[i - 1])
			v[out++] = v[i];
	return out;
}

int size__parse_list(const char *text, __u64 **sizes, size_t *n)
{
	size_t count = 1, i = 0;
	char *copy, *rest, *item;
	__u64 *v;
	int err = -ENOMEM;

	for (const char *s = text; *s; s++)
		count += *s == ',';
	copy = rest = strdup(text);
	v = calloc(count, sizeof(*v));
	if (!copy || !v)
		goto cleanup;
	while ((item = strsep(&rest, ","))) {
		err = size__parse(item, &v[i++]);
		if (err)
			goto cleanup;
	}
	*n = sort_unique(v, i);
	*sizes = v;
	v = NULL;
cleanup:
	free(v);
	free(copy);
	return err;
}

const char *size__format(__u64 pages, char buf[SIZE_TEXT])
{
	double v = (double)pages * 4;
	size_t unit = 1;

	if (!pages)
		return strcpy(buf, "0");
	/* 1023.5 would print as 1024: it belongs to the next unit already. */
	while (v >= 1023.5 && unit + 1 < NR_UNITS) {
		v /= 1024;
		unit++;
	}
	if (v >= 100 || v == floor(v))
		snprintf(buf, SIZE_TEXT, "%.0f%s", floor(v + 0.5), units[unit]);
	else
		snprintf(buf, SIZE_TEXT, "%.*f%s", v >= 10 ? 1 : 2, v, units[unit]);
	return buf;
}

/* Multiples of a power of two: at most `room` of them up to max. */
static size_t even_sizes(__u64 max, __u64 *out, size_t room)
{
	__u64 step = 1;
	size_t n = 0;

	if (!room)
		return 0;
	while (max / step > room)
		step *= 2;
	for (__u64 x = step; n < room && x <= max; x += step)
		out[n++] = x;
	return n;
}

/* So many to each power of two, itself among them: at most `room` of them up to max. */
static size_t log_sizes(__u64 max, __u64 *out, size_t room)
{
	size_t octaves = 64 - __builtin_clzll(max), parts = 1, n = 0;

	while (parts * 2 * octaves <= room)
		parts *= 2;
	for (size_t octave = 0; octave < octaves; octave++) {
		for (size_t i = 0; i < parts; i++) {
			__u64 x = (1ULL << octave) + ((1ULL << octave) * i) / parts;

			if (n < room && x <= max)
				out[n++] = x;
		}
	}
	return n;
}

size_t size__defaults(__u64 max, __u64 *out, size_t room)
{
	size_t n = 0;

	if (max < room) {
		for (__u64 x = 0; x <= max; x++)
			out[n++] = x;
		return n;
	}
	out[n++] = 0;
	out[n++] = max;
	n += even_sizes(max, out + n, (room - 2) / 2);
	n += log_sizes(max, out + n, room - n);
	return sort_unique(out, n);
}

size_t size__spaced(__u64 max, size_t n, bool log, __u64 *out)
{
	for (size_t i = 0; i + 1 < n; i++) {
		double share = (double)i / (n - 1);
		double x = log ? pow(max, share) : max * share;

		out[i] = x < max ? floor(x + 0.5) : max;
	}
	if (n)
		out[n - 1] = max;
	return sort_unique(out, n);
}

size_t size__grid(unsigned int parts, unsigned int octaves, __u64 *out)
{
	size_t n = 0;

	out[n++] = 0;
	for (unsigned int octave = 0; octave < octaves; octave++) {
		__u64 low = 1ULL << octave, step = low > parts ? low / parts : 1;

		for (__u64 x = low; x < 2 * low; x += step)
			out[n++] = x;
	}
	out[n++] = 1ULL << octaves;
	return n;
}

size_t size__powers(__u64 max, __u64 *out, size_t room)
{
	int octaves = max ? 64 - __builtin_clzll(max) : 1, step = 1;
	size_t n = 0;

	while ((octaves + step - 1) / step + 1 > (int)room)
		step++;
	/* From the highest power down, so that the large sizes, which cost most, are round. */
	for (int k = (octaves - 1) % step; k < octaves; k += step)
		out[n++] = 1ULL << k;
	if (max > out[n - 1])
		out[n++] = max;
	return n;
}
