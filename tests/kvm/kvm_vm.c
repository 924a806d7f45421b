// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-vm: a VM process. Runs the scripts that come over file descriptor
 * VM_CONTROL_FD until it is closed. `-name guest=NAME` is there to be read from
 * the command line, as with QEMU.
 */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm_control.h"
#include "vmm.h"

static const char *const memories[] = {
	[VMM_ANON] = "anon",
	[VMM_MEMFD] = "memfd",
	[VMM_HUGETLB] = "hugetlb",
	[VMM_THP] = "thp",
};

static int parse_memory(const char *s, enum vmm_memory *out)
{
	for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++) {
		if (!strcmp(s, memories[i])) {
			*out = i;
			return 0;
		}
	}
	return -1;
}

static int parse(int argc, char **argv, struct vmm_opts *opts)
{
	static const struct option options[] = {
		{"name", 1, NULL, 'n'},	    {"memory", 1, NULL, 'm'}, {"frames", 1, NULL, 'f'},
		{"heap", 1, NULL, 'h'},	    {"disk", 1, NULL, 'd'},   {"buffered", 0, NULL, 'b'},
		{"populate", 0, NULL, 'p'}, {NULL, 0, NULL, 0},
	};
	int c, err = 0;

	while ((c = getopt_long_only(argc, argv, "", options, NULL)) != -1) {
		if (c == 'm')
			err |= parse_memory(optarg, &opts->memory);
		else if (c == 'f')
			opts->frames = strtoull(optarg, NULL, 10);
		else if (c == 'h')
			opts->heap_pages = strtoull(optarg, NULL, 10);
		else if (c == 'd')
			opts->disk = optarg;
		else if (c == 'b')
			opts->buffered = true;
		else if (c == 'p')
			opts->populate = true;
		else if (c != 'n')
			err = -1;
	}
	return err;
}

static int send_all(const void *buf, size_t n)
{
	return write(VM_CONTROL_FD, buf, n) == (ssize_t)n ? 0 : -1;
}

/* 0 at the end of the file, too. */
static size_t receive(void *buf, size_t n)
{
	size_t have = 0;
	ssize_t got;

	while (have < n && (got = read(VM_CONTROL_FD, (char *)buf + have, n - have)) > 0)
		have += got;
	return have;
}

static int report(const struct vmm *v, int err)
{
	struct vm_report r = {.err = err};

	if (v) {
		r.fault_at = vmm__mailbox(v)->fault_at;
		r.steps = vmm__mailbox(v)->steps;
		r.base_page = (uintptr_t)vmm__base(v) / GUEST_PAGE;
		r.mem_pages = vmm__mem_pages(v);
		r.own_pages = vmm__own_pages(v);
	}
	return send_all(&r, sizeof(r));
}

int main(int argc, char **argv)
{
	static struct guest_script script;
	struct vmm_opts opts = {.sz = sizeof(opts)};
	struct vmm *v;
	int err;

	if (parse(argc, argv, &opts)) {
		fprintf(stderr, "kvm-vm is started by tests\n");
		return 2;
	}
	v = vmm__new(&opts, &err);
	if (report(v, err) || !v)
		return 1;
	while (receive(&script, sizeof(script)) == sizeof(script)) {
		if (report(v, vmm__run(v, &script)))
			break;
	}
	vmm__free(v);
	return 0;
}
