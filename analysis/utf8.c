// SPDX-License-Identifier: GPL-2.0
#include <linux/types.h>

#include "utf8.h"

int utf8__length(const unsigned char *s)
{
	__u32 code;
	int n;

	if (s[0] < 0x80)
		return 1;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	code = s[0] & (0x7f >> n);
	for (int i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && code < 0x800) || (n == 4 && code < 0x10000) || code > 0x10ffff)
		return 0;
	return code >= 0xd800 && code < 0xe000 ? 0 : n;
}

bool utf8__is_line(const char *s)
{
	while (*s) {
		int n = utf8__length((const unsigned char *)s);

		if (!n || (unsigned char)*s < ' ' || *s == 0x7f)
			return false;
		s += n;
	}
	return true;
}
