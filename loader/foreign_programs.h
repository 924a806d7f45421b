/* SPDX-License-Identifier: GPL-2.0 */
/* The BPF programs of bpf/foreign.bpf.c: loaded, attached, and what they are told to look for. */
#ifndef HVTRACE_FOREIGN_PROGRAMS_H
#define HVTRACE_FOREIGN_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

#include "../bpf/foreign.h"

struct foreign_programs;

/* Loaded and attached, who we are is known; fn gets a struct foreign_event, and returns 0, or
 * -EAGAIN to leave what comes after it for later. -errno, with a sentence in why. */
int foreign_programs__new(struct foreign_programs **out, int (*fn)(void *ctx, void *e, size_t size),
			  void *ctx, char *why, size_t size);
void foreign_programs__free(struct foreign_programs *p); /* NULL is fine */

int foreign_programs__fd(const struct foreign_programs *p); /* epoll: events wait */
/* Writes first, then FOREIGN_UNMAP. */
void foreign_programs__consume(struct foreign_programs *p);
/* For want of room: writes; FOREIGN_UNMAP. */
__u64 foreign_programs__lost(const struct foreign_programs *p);
__u64 foreign_programs__missed(const struct foreign_programs *p);

/* The address space of the file that this process has mapped at that address, and the magic number
 * of its file system: the one below, if that is an overlay. -errno. */
int foreign_programs__identify(struct foreign_programs *p, void *at, __u64 *mapping, __u64 *magic);
int foreign_programs__set_file(struct foreign_programs *p, __u64 mapping, bool watched);
/* An empty part: not watched. */
int foreign_programs__set_disk(struct foreign_programs *p, __u32 disk,
			       const struct foreign_part *part);
/* Process ids here are those that the programs see: we are in the first pid namespace. */
bool foreign_programs__knows_pids(const struct foreign_programs *p);
int foreign_programs__set_vmm(struct foreign_programs *p, pid_t vmm, bool watched);

/* Attach what is there now and was not before: a file system's module may have come. -errno, with a
 * sentence in why. */
int foreign_programs__attach(struct foreign_programs *p, char *why, size_t size);
/* Of others, on file systems that use iomap for that. */
bool foreign_programs__sees_direct(const struct foreign_programs *p);

/* -ENOENT: KVM is not there (yet). 0, too, when it was attached before. */
int foreign_programs__attach_kvm(struct foreign_programs *p);
bool foreign_programs__has_kvm(const struct foreign_programs *p);

#endif
