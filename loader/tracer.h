/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracer: loads and attaches the BPF programs, hands out page events in
 * the order of their time, and tells what VMs it sees and what was lost.
 *
 * new -> load -> attach -> poll... -> free. Errors are -errno; the reason is
 * told through opts.warn, one line without a newline, where it is known.
 */
#ifndef HVTRACE_TRACER_H
#define HVTRACE_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../bpf/page_event.h"

struct tracer;

/* Switchable groups of tracepoints. */
enum tracer_source {
	TRACER_BLOCK,  /* fills, writebacks, discards, latency, evictions by frame reuse */
	TRACER_KVM,    /* faults, slots, unmaps; how VMs are noticed */
	TRACER_PAGING, /* page-out by the host and the way back */
	TRACER_CACHE,  /* the host's page cache, for buffered images */
	TRACER_SOURCES
};

enum tracer_source_state {
	SOURCE_OFF,	/* switched off by the user */
	SOURCE_MISSING, /* this kernel lacks it; source_reason tells what */
	SOURCE_WAITING, /* attaches when needed: KVM not loaded yet, no buffered image yet */
	SOURCE_ON
};

typedef void (*tracer_warn_fn)(void *ctx, const char *line);

struct tracer_opts {
	size_t sz;		  /* sizeof(struct tracer_opts) */
	bool off[TRACER_SOURCES]; /* sources not to attach */
	__u64 threshold;	  /* sampling threshold at start; see pe_lot() */
	__u64 max_frames;	  /* frame map capacity, in frames; 0 = 1 Mi */
	size_t ring_bytes;	  /* ring buffer, a power of two; 0 = 8 MiB */
	const pid_t *pids;	  /* processes to trace beside those that use KVM */
	size_t nr_pids;
	bool only_pids;	     /* ... and nothing else */
	tracer_warn_fn warn; /* may be NULL */
	void *warn_ctx;
};

struct tracer *tracer__new(const struct tracer_opts *opts);
int tracer__load(struct tracer *t);
int tracer__attach(struct tracer *t);
/* Detaches all; nothing stays in the kernel. free(NULL) is fine. */
void tracer__free(struct tracer *t);

/* A batch of events in the order of their time (over all CPUs). The VMs that they are of are
 * listed by then, and none of them is shown as ended. */
typedef void (*tracer_event_fn)(void *ctx, const struct page_event *events, size_t n);

/* Wait up to timeout_ms for events (returns early on a signal: -EINTR), hand
 * over all that are complete, notice new and ended processes, attach sources
 * that were waited for. Returns the number of events handed over, or -errno. */
int tracer__poll(struct tracer *t, int timeout_ms, tracer_event_fn fn, void *ctx);
/* Hand over everything that is still held back for ordering: call at the end. */
int tracer__drain(struct tracer *t, tracer_event_fn fn, void *ctx);

/* Lower the sampling rate while running. The engine must be told, too. */
void tracer__set_threshold(struct tracer *t, __u64 threshold);

/* A VM as the tracer knows it. Valid until the next tracer__poll. */
struct tracer_vm {
	__u16 id; /* page_event.vm; given to another VM only after `ended` was shown once */
	pid_t pid;
	bool ended;	  /* the process is gone; this is the last time it is listed */
	bool kvm;	  /* has used KVM, was not only asked for by pid */
	const char *name; /* never NULL */
	const char *vmm;  /* "qemu", "firecracker", ...; else "kvm" if it uses KVM, or "process" */
	__u64 mem_pages;  /* guest memory in pages (KVM slots), 0 = not known */
	__u64 generation; /* unique for the life of the tracer */
};

size_t tracer__nr_vms(const struct tracer *t);
const struct tracer_vm *tracer__vm(const struct tracer *t, size_t i);
/* Sum over all CPUs. */
int tracer__counters(const struct tracer *t, __u16 vm, struct vm_counters *out);
/* Name of a disk of page_event.page >> PE_DISK_SHIFT ("vda", "/path/of/image"); never NULL. */
const char *tracer__disk_name(const struct tracer *t, __u16 disk);

struct tracer_loss {
	__u64 events;	 /* page events sent by BPF */
	__u64 dropped;	 /* page events that found the ring buffer full */
	__u64 frames;	 /* frame map entries pushed out by others: evictions not seen */
	__u64 latency;	 /* bios whose completion could not be matched */
	__u64 vms;	 /* processes not traced: VM table full */
	__u64 truncated; /* pages beyond what one bio's walk covers */
};
int tracer__loss(const struct tracer *t, struct tracer_loss *out);
/* Drops of one CPU, for the curious: `cpu` from 0; -ENOENT past the last one. */
int tracer__dropped_on(const struct tracer *t, int cpu, __u64 *out);

enum tracer_source_state tracer__source(const struct tracer *t, enum tracer_source s);
const char *tracer__source_name(enum tracer_source s);
/* Why a source is missing or waits; "" when it is on. */
const char *tracer__source_reason(const struct tracer *t, enum tracer_source s);
/* Time spent in a source's BPF programs, ns, and how often they ran. Zero unless the
 * kernel gathers it (BPF_ENABLE_STATS, or sysctl kernel.bpf_stats_enabled). */
int tracer__bpf_time(const struct tracer *t, enum tracer_source s, __u64 *run_ns, __u64 *runs);
/* Kernel memory held by maps, in bytes. */
size_t tracer__kernel_bytes(const struct tracer *t);

#endif
