/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the tracer share: the programs, the VM table, the event stream. */
#ifndef HVTRACE_TRACER_INTERNAL_H
#define HVTRACE_TRACER_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdint.h>

#include "../bpf/tables.h"
#include "merge.h"
#include "tracer.h"
#include "vm_identity.h"

struct hvtrace_bpf; /* the skeleton */

/* A VM's life: seen -> live; exited, and no more events bear its id -> shown as ended once
 * all that did are through -> slot freed at the next poll. */
enum vm_stage { VM_NONE, VM_LIVE, VM_EXITED, VM_ENDED };

struct vm_entry {
	struct tracer_vm pub;
	enum vm_stage stage;
	int pidfd;
	__u64 exit_time; /* ns */
	__u64 scanned;	 /* ns: when its images were last looked for */
	char name[96];
	char vmm[24];
};

struct tracer {
	struct tracer_opts opts;
	pid_t *pids;
	struct hvtrace_bpf *skel;
	struct hvtrace_bpf *late_kvm; /* KVM's programs, when kvm came after the rest */
	struct hv_shared *shared;
	struct hv_frame_bucket *frames;
	size_t nr_buckets;
	__u64 thinned_for;  /* threshold that the frame map was last fitted to */
	__u64 full_buckets; /* what it may take of nr_buckets, at that threshold */
	__u64 polls_uncounted;
	struct hv_stage *stages;
	int nr_cpus;
	struct ring_buffer *ring;
	int flush_fd;
	struct merge *merge;
	__u64 until;	   /* events before this are handed over */
	__u64 lost_merge;  /* events for which there was no memory */
	__u64 checked_kvm; /* ns: when kvm was last looked for */
	struct bpf_link *links[16];
	size_t nr_links;
	bool raw; /* raw_tp programs instead of tp_btf */

	struct vm_entry vms[PE_MAX_VMS];
	const struct tracer_vm *listed[PE_MAX_VMS];
	size_t nr_listed;
	__u64 generation;
	char *disk_names[PE_MAX_DISKS];

	enum tracer_source_state state[TRACER_SOURCES];
	char reason[TRACER_SOURCES][128];
};

__u64 tracer__now(void); /* ns, CLOCK_MONOTONIC: the clock of the events */
__attribute__((format(printf, 2, 3))) void tracer__warn(const struct tracer *t, const char *fmt,
							...);

/* tracer_sources.c */
int tracer__open_sources(struct tracer *t);
int tracer__attach_sources(struct tracer *t);
/* Attach what was waited for, if it is there now. */
void tracer__check_waiting(struct tracer *t);
int tracer__attach_cache(struct tracer *t);
void tracer__close_sources(struct tracer *t);
int tracer__map_fd(const struct tracer *t, const char *name);

/* tracer_frames.c */
void tracer__forget_frames(struct tracer *t, __u32 vm);
/* Fewer pages are sampled: drop the others, and keep the rest on less memory. */
void tracer__thin_frames(struct tracer *t, __u64 threshold);
/* Take more memory again if it fills. */
void tracer__grow_frames(struct tracer *t);

/* tracer_vms.c */
int tracer__enter_pids(struct tracer *t);
/* Look for new VMs, and list all; frees those that were listed as ended before. */
void tracer__scan_vms(struct tracer *t);
/* Look for VMs that have ended: all events before t->until were handed over. */
void tracer__end_vms(struct tracer *t);
void tracer__free_vms(struct tracer *t);

#endif
