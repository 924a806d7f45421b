/* SPDX-License-Identifier: GPL-2.0 */
/* "12 reads, 3 writes, ...": a list that leaves out what did not happen. */
#ifndef HVTRACE_TEXT_LIST_H
#define HVTRACE_TEXT_LIST_H

#include <stdio.h>
#include <linux/types.h>

/* {out, 0} begins one. */
struct text_list {
	FILE *out;
	int column;
};

/* Breaks the line before column 78. */
void text_list__item(struct text_list *l, __u64 n, const char *text);
/* "nothing", when there was no item. */
void text_list__end(struct text_list *l);

#endif
