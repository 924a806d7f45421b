/* SPDX-License-Identifier: GPL-2.0 */
/* What the folders and files of cgroup v2 say: names of units, and sizes. */
#ifndef HVTRACE_CGROUP_TEXT_H
#define HVTRACE_CGROUP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* "max" or bytes, as in memory.max, to pages (rounded down): "max" and all above is `most`.
 * -EINVAL. */
int cgroup_text__size(const char *text, __u64 most, __u64 *pages);

/*
 * What a cgroup is called without what systemd and libvirt put around it: the suffix of a unit, its
 * escapes (systemd.unit(5)), and "machine-qemu-3-" of a machine's scope:
 *	machine-qemu\x2d3\x2dweb\x2d01.scope	web-01
 *	qemu-3-web-01.libvirt-qemu		web-01
 *	vm-web.service				vm-web
 * name has room for as much as folder, and a NUL.
 */
void cgroup_text__name(const char *folder, char *name);

#endif
