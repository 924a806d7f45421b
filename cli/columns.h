/* SPDX-License-Identifier: GPL-2.0 */
/* Tables of VMs: one list of columns drives the terminal and the JSON alike. */
#ifndef HVTRACE_COLUMNS_H
#define HVTRACE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Room for a short number. */
#define COLUMN_TEXT 16

/* The first column is the name: all but head, key and width are for the others. */
struct column {
	const char *head;
	const char *key;		  /* in JSON */
	int width;			  /* 0: not on the terminal */
	double (*value)(const void *row); /* NAN: not known */
	void (*format)(char buf[COLUMN_TEXT], double v);
	bool (*rough)(const void *row); /* marked by a tilde: an estimate; NULL: never */
};

void columns__head(FILE *out, const struct column *c, size_t n);
void columns__row(FILE *out, const struct column *c, size_t n, const char *name, const void *row);
/* The same as members of a JSON object, each with a comma ahead. */
void columns__json(FILE *out, const struct column *c, size_t n, const char *name, const void *row);

/* The same as CSV: the keys; and a row, an empty field for what is not known. */
void columns__csv_head(FILE *out, const struct column *c, size_t n);
void columns__csv_row(FILE *out, const struct column *c, size_t n, const char *name,
		      const void *row);

/* Short numbers for narrow columns: at most 6, 5 and 5 characters. */
void columns__format_count(char buf[COLUMN_TEXT], double v);
void columns__format_pages(char buf[COLUMN_TEXT], double pages);
void columns__format_ns(char buf[COLUMN_TEXT], double ns);

#endif
