// SPDX-License-Identifier: GPL-2.0
#include "cgroup_text.h"

#include <errno.h>
#include <string.h>

#include "../bpf/page_event.h"

int cgroup_text__size(const char *text, __u64 most, __u64 *pages)
{
	size_t len = strcspn(text, "\n");
	__u64 bytes = 0;

	if (text[len] && text[len + 1])
		return -EINVAL;
	if (len == 3 && !strncmp(text, "max", 3)) {
		*pages = most;
		return 0;
	}
	if (!len || strspn(text, "0123456789") != len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		__u64 digit = text[i] - '0';

		bytes = bytes > (~0ULL - digit) / 10 ? ~0ULL : bytes * 10 + digit;
	}
	*pages = bytes / PAGE_BYTES < most ? bytes / PAGE_BYTES : most;
	return 0;
}

/* --- names --- */

static bool strip_suffix(char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	if (len <= n || strcmp(name + len - n, suffix))
		return false;
	name[len - n] = '\0';
	return true;
}

static int hex(char c)
{
	const char *const digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? at - digits : -1;
}

/* \x2d and the like, in place. A NUL cannot be meant. */
static void unescape(char *name)
{
	char *to = name;

	for (const char *s = name; *s; s++) {
		int high = s[0] == '\\' && s[1] == 'x' ? hex(s[2]) : -1;
		int low = high >= 0 ? hex(s[3]) : -1;

		if (low >= 0 && (high || low)) {
			*to++ = high * 16 + low;
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* "qemu-3-web" or "lxc-3-web": behind it. */
static const char *after_driver(const char *name)
{
	const char *s = strchr(name, '-');
	size_t digits = s ? strspn(s + 1, "0123456789") : 0;

	return digits && s[1 + digits] == '-' && s[2 + digits] ? s + 2 + digits : name;
}

void cgroup_text__name(const char *folder, char *name)
{
	const char *begin = name;
	bool scope, libvirt;

	strcpy(name, folder);
	scope = strip_suffix(name, ".scope");
	libvirt = !scope && strip_suffix(name, ".libvirt-qemu");
	if (!scope && !libvirt && !strip_suffix(name, ".service"))
		strip_suffix(name, ".slice");
	unescape(name);
	if (scope && !strncmp(name, "machine-", 8) && name[8])
		begin = after_driver(name + 8);
	else if (libvirt)
		begin = after_driver(name);
	memmove(name, begin, strlen(begin) + 1);
}
