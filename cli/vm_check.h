/* SPDX-License-Identifier: GPL-2.0 */
/* The self-check of a VM that is traced: its memory, its fills and its curve's sums, told to
 * analysis/self_check.h. */
#ifndef HVTRACE_VM_CHECK_H
#define HVTRACE_VM_CHECK_H

#include <stdio.h>
#include <sys/types.h>

#include "../analysis/engine.h"
#include "../analysis/self_check.h"

struct vm_check;

/* The engine must live until vm_check__end(). NULL: out of memory. */
struct vm_check *vm_check__new(const struct engine *e, __u16 vm);
void vm_check__free(struct vm_check *c); /* NULL is fine */

/* It is that VM, started again: see self_check__follows(). */
void vm_check__follows(struct vm_check *c, const struct vm_check *last);
/* Tell of the VM at a time (seconds): its slots in pages, and what was counted. Memory that the
 * process gave back is looked up. 1: its memory has changed; 0; -ENOMEM. */
int vm_check__tell(struct vm_check *c, double time, pid_t pid, __u64 slots,
		   const struct vm_counters *counters);
/* Memory as of then, pages; 0: not known. */
__u64 vm_check__memory(const struct vm_check *c);
/* -ENOENT: nothing to compare; -ENOMEM. */
int vm_check__running(const struct vm_check *c, struct check *out);
/* The VM has ended, its engine's part is about to go. -ENOMEM. */
int vm_check__end(struct vm_check *c);
/* All there are, the running one last; the caller frees them. -ENOMEM. */
int vm_check__all(const struct vm_check *c, struct check **out, size_t *n);

#endif
