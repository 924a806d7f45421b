// SPDX-License-Identifier: GPL-2.0
#include "columns.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "../analysis/export.h"

/* --- formats --- */

void columns__format_count(char buf[COLUMN_TEXT], double v)
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;

	if (v >= 999999.5) {
		for (v /= 1000; v >= 999.5 && unit + 2 < sizeof(units); v /= 1000)
			unit++;
		snprintf(buf, COLUMN_TEXT, v < 99.95 ? "%.1f%c" : "%.0f%c", v, units[unit]);
	} else if (v > 0 && v < 9.95) {
		snprintf(buf, COLUMN_TEXT, "%.1f", v);
	} else {
		snprintf(buf, COLUMN_TEXT, "%.0f", v);
	}
}

void columns__format_pages(char buf[COLUMN_TEXT], double pages)
{
	static const char units[] = "KMGTPE";
	double v = pages * (PAGE_BYTES / 1024);
	size_t unit = 0;

	for (; v >= 1023.5 && unit + 2 < sizeof(units); v /= 1024)
		unit++;
	/* A whole number needs no decimal, and a long one has no room for it. */
	if (v >= 99.95 || fabs(v - round(v)) < 0.05)
		snprintf(buf, COLUMN_TEXT, "%.0f%c", v, units[unit]);
	else
		snprintf(buf, COLUMN_TEXT, "%.1f%c", v, units[unit]);
}

void columns__format_ns(char buf[COLUMN_TEXT], double ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	size_t unit = 0;

	for (; ns >= 999.5 && unit < 3; ns /= 1000)
		unit++;
	snprintf(buf, COLUMN_TEXT, unit && ns < 9.95 ? "%.1f%s" : "%.0f%s", ns, units[unit]);
}

/* --- rows --- */

/* A name comes from a command line: nothing in it may reach the terminal as a control code.
 * Cut in the middle, since what tells VMs apart is mostly at the end. */
static void put_name(FILE *out, const char *name, int width)
{
	int n = strlen(name), head = n > width ? width / 2 : n;

	for (int i = 0; i < head; i++)
		fputc(iscntrl((unsigned char)name[i]) ? '?' : name[i], out);
	if (n <= width) {
		fprintf(out, "%*s", width - n, "");
		return;
	}
	fputc('~', out);
	for (int i = n - (width - head - 1); i < n; i++)
		fputc(iscntrl((unsigned char)name[i]) ? '?' : name[i], out);
}

static void put_cell(FILE *out, const struct column *c, const void *row)
{
	double v = c->value(row);
	char text[1 + COLUMN_TEXT] = "~";

	if (isnan(v))
		text[0] = '-';
	else
		c->format(text + (c->rough && c->rough(row)), v);
	fprintf(out, " %*s", c->width, text);
}

void columns__head(FILE *out, const struct column *c, size_t n)
{
	fprintf(out, "%-*s", c[0].width, c[0].head);
	for (size_t i = 1; i < n; i++)
		if (c[i].width)
			fprintf(out, " %*s", c[i].width, c[i].head);
	fputc('\n', out);
}

void columns__row(FILE *out, const struct column *c, size_t n, const char *name, const void *row)
{
	put_name(out, name, c[0].width);
	for (size_t i = 1; i < n; i++)
		if (c[i].width)
			put_cell(out, &c[i], row);
	fputc('\n', out);
}

void columns__json(FILE *out, const struct column *c, size_t n, const char *name, const void *row)
{
	fprintf(out, ",\"%s\":", c[0].key);
	export__json_string(out, name);
	for (size_t i = 1; i < n; i++) {
		double v = c[i].value(row);

		if (isnan(v))
			fprintf(out, ",\"%s\":null", c[i].key);
		else
			fprintf(out, ",\"%s\":%.10g", c[i].key, v);
	}
}

void columns__csv_head(FILE *out, const struct column *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%s", i ? "," : "", c[i].key);
	fputc('\n', out);
}

void columns__csv_row(FILE *out, const struct column *c, size_t n, const char *name,
		      const void *row)
{
	export__csv_field(out, name);
	for (size_t i = 1; i < n; i++) {
		double v = c[i].value(row);

		if (isnan(v))
			fputc(',', out);
		else
			fprintf(out, ",%.10g", v);
	}
	fputc('\n', out);
}
