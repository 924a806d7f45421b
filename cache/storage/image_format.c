// SPDX-License-Identifier: GPL-2.0
/*
 * Images that are no raw ones: a guest would be shown their headers as its first sectors, and write
 * over them. Known by what they begin with, as QEMU probes them (block/qcow2.h, vmdk.c, vhdx.h,
 * vdi.c, qed.h, vpc.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* What direct I/O reads, whatever the device. */
#define HEAD 4096

static const struct {
	const char *name; /* qemu-img's */
	unsigned at;
	const char *magic;
	unsigned bytes;
} formats[] = {
	{"qcow2", 0, "QFI\xfb", 4}, {"vmdk", 0, "KDMV", 4},
	{"vmdk", 0, "COWD", 4},	    {"vmdk", 0, "# Disk DescriptorFile", 21},
	{"vhdx", 0, "vhdxfile", 8}, {"vdi", 64, "\x7f\x10\xda\xbe", 4},
	{"qed", 0, "QED", 4},	    {"vpc", 0, "conectix", 8},
};

static const char *name_of(const char *head, size_t bytes)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (formats[i].at + formats[i].bytes <= bytes &&
		    !memcmp(head + formats[i].at, formats[i].magic, formats[i].bytes))
			return formats[i].name;
	return NULL;
}

int image_format__check(const struct storage_info *info, const char *path, struct sentence *why)
{
	char *head = aligned_alloc(HEAD, HEAD);
	const char *name = NULL;
	ssize_t n;

	if (!head)
		return sentence__say(why, -ENOMEM, "out of memory");
	n = pread(info->fd, head, HEAD, 0);
	/* What cannot be read is for the guest to hear of. */
	if (n > 0)
		name = name_of(head, n);
	free(head);
	if (!name)
		return 0;
	return sentence__say(why, -EMEDIUMTYPE,
			     "%s: is a %s image, only raw ones are served; convert it: `qemu-img "
			     "convert -f %s -O raw %s NEW.img`",
			     path, name, name, path);
}
