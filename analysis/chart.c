// SPDX-License-Identifier: GPL-2.0
#include <langinfo.h>
#include <math.h>
#include <string.h>

#include "chart.h"
#include "size.h"

bool chart__utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* --- histograms --- */

#define LINE_WIDTH 78
/* Digits of a bucket's ends below 2^33, and beyond. */
#define NARROW 10
#define WIDE 20
#define COUNT_WIDTH 8

static int digits(__u64 v)
{
	int n = 1;

	while (v /= 10)
		n++;
	return n;
}

static void put_bar(FILE *out, __u64 count, __u64 max, int width)
{
	int stars = (double)count * width / max;

	fputc('|', out);
	for (int i = 0; i < width; i++)
		fputc(i < stars ? '*' : ' ', out);
	fputs("|\n", out);
}

void chart__log2(FILE *out, const char *title, const __u64 *counts, size_t n)
{
	int ends, width, count_width = COUNT_WIDTH;
	__u64 max = 0;
	size_t last = 0;

	for (size_t b = 0; b < n && b < REPORT_BUCKETS; b++) {
		if (counts[b])
			last = b;
		if (counts[b] > max)
			max = counts[b];
	}
	if (!max) {
		fprintf(out, "%*s%s: nothing counted\n", 5, "", title);
		return;
	}
	ends = last <= 32 ? NARROW : WIDE;
	if (digits(max) > count_width)
		count_width = digits(max);
	width = LINE_WIDTH - 2 * ends - count_width -
		strlen(" -> "
		       " : "
		       " ||");
	fprintf(out, "%*s%-*s : %-*s %s\n", 5, "", 2 * ends - 1, title, count_width, "count",
		width >= 10 ? "distribution" : "");
	for (size_t b = 0; b <= last; b++) {
		fprintf(out, "%*llu -> %-*llu : %-*llu ", ends, b ? 1ULL << b : 0, ends,
			b < 63 ? (2ULL << b) - 1 : ~0ULL, count_width, counts[b]);
		put_bar(out, counts[b], max, width);
	}
}

void chart__reuse(FILE *out, const struct space_report *space)
{
	const struct engine_counts *c = &space->counts;

	chart__log2(out, "distance (pages)", space->reuse, REPORT_BUCKETS);
	fprintf(out, "%*sread for the first time: %llu, eviction not seen: %llu\n", 5, "", c->cold,
		c->unseen);
}

static int log2_of(__u64 v)
{
	return v ? 63 - __builtin_clzll(v) : 0;
}

void chart__latency(FILE *out, const __u64 latency[PE_LATENCY_BUCKETS])
{
	__u64 counts[REPORT_BUCKETS] = {0};

	/* A bucket in ns lies, but for 2.4 % of an octave, in one power of two of us. */
	for (int b = 0; b < PE_LATENCY_BUCKETS; b++)
		counts[log2_of(pe_latency_low(b) / 1000)] += latency[b];
	chart__log2(out, "usecs", counts, REPORT_BUCKETS);
}

/* --- curves --- */

#define ROWS 17 /* so that a label stands at each quarter */
#define COLUMNS 68
/* Dots of a braille character. */
#define DOTS_X 2
#define DOTS_Y 4
#define MAX_X (COLUMNS * DOTS_X)
#define MAX_Y (ROWS * DOTS_Y)

enum { EMPTY, BAND, LINE };

/* What a curve leaves on a grid; y counts down from a miss ratio of 1. */
struct canvas {
	int width, height;
	unsigned char dot[MAX_Y][MAX_X];
};

static double between(double from, double to, double share)
{
	return from + (to - from) * share;
}

/* Ratio and error at a size, on a straight line between the points beside it. */
static void value_at(const struct curve_point *p, size_t n, double size, double *ratio,
		     double *error)
{
	size_t i = 1;
	double share;

	while (i < n - 1 && p[i].size < size)
		i++;
	share = (size - p[i - 1].size) / (double)(p[i].size - p[i - 1].size);
	*ratio = between(curve_point__ratio(&p[i - 1]), curve_point__ratio(&p[i]), share);
	*error = between(p[i - 1].error, p[i].error, share);
}

static int row_of(const struct canvas *c, double ratio)
{
	int y = lround((1 - ratio) * (c->height - 1));

	return y < 0 ? 0 : y >= c->height ? c->height - 1 : y;
}

static void draw(struct canvas *c, const struct curve_point *points, size_t n)
{
	double max = points[n - 1].size;
	int last = -1;

	memset(c->dot, EMPTY, sizeof(c->dot));
	for (int x = 0; x < c->width; x++) {
		double ratio, error;
		int y;

		value_at(points, n, max * x / (c->width - 1), &ratio, &error);
		for (y = row_of(c, ratio + error); y <= row_of(c, ratio - error); y++)
			if (c->dot[y][x] == EMPTY && error > 0)
				c->dot[y][x] = BAND;
		y = row_of(c, ratio);
		c->dot[y][x] = LINE;
		/* Steps are drawn as lines, too. */
		for (; last >= 0 && last < y; last++)
			c->dot[last][x] = LINE;
		for (; last > y; last--)
			c->dot[last][x] = LINE;
		last = y;
	}
}

static void put_braille(FILE *out, const struct canvas *c, int row, int column)
{
	/* Unicode chart 2800: bits of the dots, by line and column. */
	static const unsigned char bits[DOTS_Y][DOTS_X] = {
		{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
	int code = 0;

	for (int y = 0; y < DOTS_Y; y++)
		for (int x = 0; x < DOTS_X; x++) {
			int at_x = column * DOTS_X + x, at_y = row * DOTS_Y + y;
			int dot = c->dot[at_y][at_x];

			/* A light dotting: one in four. */
			if (dot == LINE || (dot == BAND && at_x % 2 == 0 && at_y % 2 == 0))
				code |= bits[y][x];
		}
	if (code)
		fprintf(out, "\xe2%c%c", 0xa0 | code >> 6, 0x80 | (code & 0x3f));
	else
		fputc(' ', out);
}

static void put_row(FILE *out, const struct canvas *c, int row, bool utf8)
{
	static const char ascii[] = {[EMPTY] = ' ', [BAND] = ':', [LINE] = '*'};
	const char *axis = utf8 ? "\xe2\x94\x82" : "|"; /* box drawing: vertical */

	if (row % 4 == 0)
		fprintf(out, "%5.2f %s", 1 - (double)row / (ROWS - 1), axis);
	else
		fprintf(out, "%5s %s", "", axis);
	for (int column = 0; column < COLUMNS; column++) {
		if (utf8)
			put_braille(out, c, row, column);
		else
			fputc(ascii[c->dot[row][column]], out);
	}
	fputc('\n', out);
}

static void put_axis(FILE *out, __u64 max, bool utf8)
{
	char line[LINE_WIDTH + SIZE_TEXT], text[SIZE_TEXT];

	fprintf(out, "%6s%s", "", utf8 ? "\xe2\x94\x94" : "+");
	for (int i = 0; i < COLUMNS; i++)
		fputs(utf8 ? "\xe2\x94\x80" : "-", out);
	memset(line, ' ', sizeof(line));
	for (int i = 0; i <= 4; i++) {
		int len = strlen(size__format((unsigned __int128)max * i / 4, text));
		int at = 7 + (COLUMNS - 1) * i / 4 - (i == 4 ? len - 1 : i ? len / 2 : 0);

		memcpy(line + at, text, len);
	}
	fprintf(out, "\n%.*s\n", COLUMNS + 7, line);
}

void chart__curve(FILE *out, const char *caption, const struct curve_point *points, size_t n,
		  bool utf8)
{
	struct canvas c = {
		.width = utf8 ? MAX_X : COLUMNS,
		.height = utf8 ? MAX_Y : ROWS,
	};

	if (n < 2 || points[n - 1].size == points[0].size || !(points[0].accesses > 0)) {
		fprintf(out, "%*sno curve: no page came back so far\n", 5, "");
		return;
	}
	draw(&c, points, n);
	fprintf(out, "%5s%s\n", "", caption);
	for (int row = 0; row < ROWS; row++)
		put_row(out, &c, row, utf8);
	put_axis(out, points[n - 1].size, utf8);
}
