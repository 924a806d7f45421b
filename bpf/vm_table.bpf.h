/* SPDX-License-Identifier: GPL-2.0 */
/* Which VM a process is: found by pid and start time, entered by its first KVM event. */
#ifndef HVTRACE_VM_TABLE_BPF_H
#define HVTRACE_VM_TABLE_BPF_H

/* Slot of a process in the index, or a negative value. A start of 0 in the
 * slot means "asked for by pid": it becomes that of the process now seen. */
__global int vm__find(__u32 tgid, __u64 start)
{
	__u32 at = hv_hash32(tgid);

	for (int i = 0; i < HV_PROBES; i++) {
		struct hv_vm_index *slot = &shared.index[(at + i) % HV_VM_INDEX];

		if (!slot->tgid)
			return -1;
		if (slot->tgid != tgid)
			continue;
		if (!slot->start)
			slot->start = start;
		if (slot->start == start)
			return slot->vm & (PE_MAX_VMS - 1);
	}
	return -1;
}

static __always_inline int vm__current(struct task_struct *task)
{
	return vm__find(task->tgid, task->group_leader->start_time);
}

static __always_inline int vm__take_id(void)
{
	for (int i = 0; i < PE_MAX_VMS; i++) {
		if (!__sync_val_compare_and_swap(&shared.vms[i].used, 0, 1))
			return i;
	}
	return -1;
}

/* Enter a process: the slow path, once a VM. */
__global int vm__enter(__u32 tgid, __u64 start)
{
	__u32 at = hv_hash32(tgid);
	int vm = vm__take_id();
	bool full = true;

	if (vm < 0) {
		lost(lost_vms);
		return -1;
	}
	for (int i = 0; i < HV_PROBES; i++) {
		struct hv_vm_index *slot = &shared.index[(at + i) % HV_VM_INDEX];
		__u32 was = slot->tgid;

		if (was && was != HV_TOMBSTONE)
			continue;
		/* A busy mark first: nobody may match the slot before vm and start are there. */
		full = __sync_val_compare_and_swap(&slot->tgid, was, HV_TOMBSTONE - 1) == was;
		if (!full)
			break; /* another CPU enters somebody, perhaps this one: next event again */
		slot->vm = vm;
		slot->start = start;
		__sync_lock_test_and_set(&slot->tgid, tgid);
		return vm;
	}
	if (full)
		lost(lost_vms);
	__sync_lock_test_and_set(&shared.vms[vm & (PE_MAX_VMS - 1)].used, 0);
	return -1;
}

/* The VM of a task that uses KVM, entered if need be. */
static __always_inline int vm__noticed(struct task_struct *task)
{
	int vm = vm__current(task);

	if (vm < 0 && !only_pids)
		vm = vm__enter(task->tgid, task->group_leader->start_time);
	if (vm >= 0 && !shared.vms[vm & (PE_MAX_VMS - 1)].kvm)
		shared.vms[vm & (PE_MAX_VMS - 1)].kvm = 1;
	return vm;
}

#endif
