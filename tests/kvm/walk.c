// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-walk N: a KVM VM whose guest writes one word to each of N frames, once, then
 * gives them back to the host. Prints, in pages: those frames, the guest's own pages
 * (touched before), the page tables walked (faults of their own under nested paging)
 * and its memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm.h"

static int walk(struct vmm *v, __u64 n)
{
	static struct guest_script script;

	script__init(&script);
	script__add(&script, (struct guest_op){.kind = OP_TOUCH_WRITE, .count = n, .stride = 1});
	script__add(&script, (struct guest_op){.kind = OP_DROP, .count = n});
	return vmm__run(v, &script);
}

int main(int argc, char **argv)
{
	struct vmm_opts opts = {.sz = sizeof(opts), .memory = VMM_ANON};
	char *end = "";
	struct vmm *v;
	int err;

	if (argc > 1)
		opts.frames = strtoull(argv[1], &end, 10);
	/* What follows N is for those who look for the VM's name in the command line. */
	if (argc < 2 || *end || !opts.frames) {
		fprintf(stderr, "usage: kvm-walk N [-name guest=NAME]\n");
		return 2;
	}
	v = vmm__new(&opts, &err);
	if (v)
		err = walk(v, opts.frames);
	if (err) {
		fprintf(stderr, "kvm-walk: %s\n", strerror(-err));
		vmm__free(v);
		return 1;
	}
	printf("frames=%llu own=%llu tables=%llu memory=%llu\n", opts.frames, vmm__own_pages(v),
	       vmm__table_pages(vmm__own_pages(v), opts.frames), vmm__mem_pages(v));
	vmm__free(v);
	return 0;
}
