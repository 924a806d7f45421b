// SPDX-License-Identifier: GPL-2.0
#include "foreign_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "foreign.skel.h"

#define IDENTIFY_TRIES 100

/* Where a program goes. One of a source that loads with BTF is preferred. */
static const struct place {
	const char *tracepoint;
	const char *btf;
	const char *raw;
	bool optional; /* not on each kernel, or a file system's module brings it */
} places[] = {
	{"block_bio_queue", "bio_queue", "bio_queue_raw", false},
	{"block_bio_remap", "bio_remap", "bio_remap_raw", false},
	{"writeback_dirty_folio", NULL, "dirty_folio", false},
	{"iomap_iter", NULL, "iomap_step", true},
	{"ext4_punch_hole", NULL, "fs_range", true},
	{"ext4_zero_range", NULL, "fs_range", true},
	{"ext4_collapse_range", NULL, "fs_whole", true},
	{"ext4_insert_range", NULL, "fs_whole", true},
	{"ext4_truncate_enter", NULL, "fs_whole", true},
};

#define NR_PLACES (sizeof(places) / sizeof(places[0]))

struct foreign_programs {
	struct foreign_bpf *skel;
	struct ring_buffer *ring;
	struct bpf_link *links[NR_PLACES]; /* NULL: not attached */
	struct bpf_link *kvm;
	bool raw; /* tp_btf was refused */
};

/* ----------------------------------------------------------------- load */

static struct bpf_program *program(const struct foreign_programs *p, const char *name)
{
	return bpf_object__find_program_by_name(p->skel->obj, name);
}

static int load(struct foreign_programs *p)
{
	int err;

	p->skel = foreign_bpf__open();
	if (!p->skel)
		return -errno;
	for (size_t i = 0; i < NR_PLACES; i++) {
		if (places[i].btf)
			bpf_program__set_autoload(
				program(p, p->raw ? places[i].btf : places[i].raw), false);
	}
	err = foreign_bpf__load(p->skel);
	if (!err)
		return 0;
	foreign_bpf__destroy(p->skel);
	p->skel = NULL;
	return err;
}

static int load_either(struct foreign_programs *p, char *why, size_t size)
{
	int err = load(p);

	if (err && err != -EPERM && err != -ENOMEM) {
		p->raw = true;
		err = load(p);
	}
	if (err == -EPERM || err == -EACCES)
		snprintf(why, size,
			 "writes to images by others are not seen without root, or CAP_BPF and "
			 "CAP_PERFMON; give these, or see that nobody else writes to them");
	else if (err)
		snprintf(why, size,
			 "the BPF programs that see writes by others do not load: %s; `hvtrace "
			 "doctor` tells what is missing",
			 strerror(-err));
	return err;
}

static int attach(struct foreign_programs *p, size_t i)
{
	const struct place *g = &places[i];
	bool btf = g->btf && !p->raw;
	struct bpf_program *prog = program(p, btf ? g->btf : g->raw);

	if (p->links[i])
		return 0;
	p->links[i] = btf ? bpf_program__attach(prog)
			  : bpf_program__attach_raw_tracepoint(prog, g->tracepoint);
	return p->links[i] || g->optional ? 0 : -errno;
}

int foreign_programs__attach(struct foreign_programs *p, char *why, size_t size)
{
	int err;

	for (size_t i = 0; i < NR_PLACES; i++) {
		err = attach(p, i);
		if (!err)
			continue;
		snprintf(why, size,
			 "%s does not attach: %s; `hvtrace doctor` tells what is missing",
			 places[i].tracepoint, strerror(-err));
		return err;
	}
	return 0;
}

bool foreign_programs__sees_direct(const struct foreign_programs *p)
{
	for (size_t i = 0; i < NR_PLACES; i++) {
		if (!strcmp(places[i].tracepoint, "iomap_iter"))
			return p->links[i];
	}
	return false;
}

int foreign_programs__attach_kvm(struct foreign_programs *p)
{
	if (!p->kvm)
		p->kvm = bpf_program__attach(p->skel->progs.kvm_unmap);
	return p->kvm ? 0 : -errno;
}

bool foreign_programs__has_kvm(const struct foreign_programs *p)
{
	return p->kvm;
}

/* ----------------------------------------------------------------- life */

static int open_ring(struct foreign_programs *p, int (*fn)(void *ctx, void *e, size_t size),
		     void *ctx, char *why, size_t size)
{
	p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.ring), fn, ctx, NULL);
	if (p->ring && !ring_buffer__add(p->ring, bpf_map__fd(p->skel->maps.unmaps), fn, ctx))
		return 0;
	snprintf(why, size, "no memory for the events of writes by others");
	return -ENOMEM;
}

int foreign_programs__new(struct foreign_programs **out, int (*fn)(void *ctx, void *e, size_t size),
			  void *ctx, char *why, size_t size)
{
	struct foreign_programs *p = calloc(1, sizeof(*p));
	__u64 none;
	int err;

	if (!p) {
		snprintf(why, size, "no memory to watch writes by others");
		return -ENOMEM;
	}
	if (!getenv("HVTRACE_LIBBPF_DEBUG"))
		libbpf_set_print(NULL);
	err = load_either(p, why, size);
	if (!err)
		err = open_ring(p, fn, ctx, why, size);
	if (!err) {
		/* Tells the programs who we are, before anything can happen. */
		foreign_programs__identify(p, NULL, &none, &none);
		err = foreign_programs__attach(p, why, size);
	}
	if (err) {
		foreign_programs__free(p);
		return err;
	}
	*out = p;
	return 0;
}

void foreign_programs__free(struct foreign_programs *p)
{
	if (!p)
		return;
	bpf_link__destroy(p->kvm);
	for (size_t i = 0; i < NR_PLACES; i++)
		bpf_link__destroy(p->links[i]);
	ring_buffer__free(p->ring);
	foreign_bpf__destroy(p->skel);
	free(p);
}

int foreign_programs__fd(const struct foreign_programs *p)
{
	return ring_buffer__epoll_fd(p->ring);
}

void foreign_programs__consume(struct foreign_programs *p)
{
	ring_buffer__consume(p->ring);
}

__u64 foreign_programs__lost(const struct foreign_programs *p)
{
	return __atomic_load_n(&p->skel->bss->lost, __ATOMIC_RELAXED);
}

__u64 foreign_programs__missed(const struct foreign_programs *p)
{
	return __atomic_load_n(&p->skel->bss->missed, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------ what is watched */

int foreign_programs__identify(struct foreign_programs *p, void *at, __u64 *mapping, __u64 *magic)
{
	__u64 args[] = {(unsigned long)at};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	int err;

	/* Another thread may be changing our memory map just now: -EBUSY. */
	for (int i = 0; i < IDENTIFY_TRIES; i++) {
		err = bpf_prog_test_run_opts(bpf_program__fd(p->skel->progs.identify), &opts);
		if (!err)
			err = (int)opts.retval;
		if (err != -EBUSY)
			break;
		sched_yield();
	}
	*mapping = p->skel->bss->mapping;
	*magic = p->skel->bss->magic;
	return err || *mapping ? err : -ENXIO;
}

static int set(const struct bpf_map *map, const void *key, const void *value)
{
	int fd = bpf_map__fd(map), err;

	if (value)
		return bpf_map_update_elem(fd, key, value, BPF_ANY) ? -errno : 0;
	err = bpf_map_delete_elem(fd, key) ? -errno : 0;
	return err == -ENOENT ? 0 : err;
}

static const __u8 yes = 1;

int foreign_programs__set_file(struct foreign_programs *p, __u64 mapping, bool watched)
{
	return set(p->skel->maps.files, &mapping, watched ? &yes : NULL);
}

int foreign_programs__set_disk(struct foreign_programs *p, __u32 disk,
			       const struct foreign_part *part)
{
	return set(p->skel->maps.disks, &disk, part->first < part->end ? part : NULL);
}

bool foreign_programs__knows_pids(const struct foreign_programs *p)
{
	return p->skel->bss->self == (__u32)getpid();
}

int foreign_programs__set_vmm(struct foreign_programs *p, pid_t vmm, bool watched)
{
	__u32 tgid = vmm;

	return set(p->skel->maps.vmms, &tgid, watched ? &yes : NULL);
}
