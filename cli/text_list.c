// SPDX-License-Identifier: GPL-2.0
#include "text_list.h"

void text_list__item(struct text_list *l, __u64 n, const char *text)
{
	char item[96];
	int width;

	if (!n)
		return;
	width = snprintf(item, sizeof(item), "%llu %s", n, text);
	if (l->column && l->column + 2 + width > 78) {
		fputs(",\n", l->out);
		l->column = 0;
	}
	fprintf(l->out, "%s%s", l->column ? ", " : "  ", item);
	l->column += 2 + width;
}

void text_list__end(struct text_list *l)
{
	fputs(l->column ? "\n" : "  nothing\n", l->out);
}
