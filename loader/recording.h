/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A recording: page events, who they belong to and what was lost, in one
 * compressed file. Blocks with a checksum each, so that a damaged file is read
 * up to the fault. Needs neither BPF nor root.
 */
#ifndef HVTRACE_RECORDING_H
#define HVTRACE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "../bpf/page_event.h"

struct recording_vm {
	__u16 id;
	__u32 pid;
	__u64 generation;
	__u64 mem_pages;
	char name[64];
	char vmm[24];
};

struct recording_loss {
	__u64 events, dropped, frames, latency, vms, truncated;
};

/* --- writing --- */
struct recording_writer;
/* A recording on an open stream, with its header written; NULL with *err = -errno. The stream stays
 * the caller's: use it for nothing else until free, which does not close it. */
struct recording_writer *recording_writer__new(FILE *out, __u64 threshold, int *err);
/* -EINVAL: an event, or a VM, that no recording can hold (kind or VM id out of range). */
int recording_writer__events(struct recording_writer *w, const struct page_event *events, size_t n);
/* Writes out the events held back to fill a block: call it now and then, so that a recording whose
 * writer is killed ends not long before that. */
int recording_writer__flush(struct recording_writer *w);
int recording_writer__vm(struct recording_writer *w, const struct recording_vm *vm);
int recording_writer__disk(struct recording_writer *w, __u16 disk, const char *name);
int recording_writer__counters(struct recording_writer *w, __u16 vm, const struct vm_counters *c);
int recording_writer__threshold(struct recording_writer *w, __u64 threshold);
/* Writes what is buffered, the loss record and the end mark; -ENOSPC and the like are returned
 * (by every call: the first error sticks). */
int recording_writer__finish(struct recording_writer *w, const struct recording_loss *loss);
/* Bytes written so far. */
__u64 recording_writer__bytes(const struct recording_writer *w);
void recording_writer__free(struct recording_writer *w);

/* --- reading --- */
/* Each may be NULL. What they are given is valid during the call only. */
struct recording_handlers {
	int (*events)(void *ctx, const struct page_event *events, size_t n);
	int (*vm)(void *ctx, const struct recording_vm *vm);
	int (*disk)(void *ctx, __u16 disk, const char *name);
	int (*counters)(void *ctx, __u16 vm, const struct vm_counters *c);
	int (*threshold)(void *ctx, __u64 threshold); /* before all else, and when it changed */
	int (*loss)(void *ctx, const struct recording_loss *loss); /* at the end only */
};

struct recording_fault {
	__u64 offset;	  /* where in the file: of the damaged block, or its end */
	bool truncated;	  /* the end mark is missing */
	char reason[128]; /* one line */
};

/* Read all. 0: whole. -EBADMSG: read up to the fault, which says where and what.
 * -EINVAL: not a recording at all, or of another version. Other -errno: the file cannot be read.
 * fault->reason is set with each of these. A handler's non-zero return stops and is returned. */
int recording__read(FILE *in, const struct recording_handlers *h, void *ctx,
		    struct recording_fault *fault);

#endif
