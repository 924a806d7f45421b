// SPDX-License-Identifier: GPL-2.0
/* The VM table: new processes get a name, ended ones are shown once and freed. */
#include "tracer_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SCAN_IMAGES_NS 1000000000ULL
#define IMAGE_MIN (1u << 20) /* smaller files are logs and the like, not images */

static int pidfd_open(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

/* ----------------------------------------------------------------- pids */

static int take_vm_id(struct hv_shared *s)
{
	for (int i = 0; i < PE_MAX_VMS; i++) {
		__u32 free_id = 0;

		if (__atomic_compare_exchange_n(&s->vms[i].used, &free_id, 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return i;
	}
	return -1;
}

/* Enter a process asked for by pid, before anything is attached. The program
 * that first sees it fills in its start time. */
static int enter_pid(struct tracer *t, pid_t pid)
{
	__u32 at = hv_hash32((__u32)pid);
	int vm = take_vm_id(t->shared);

	for (int i = 0; vm >= 0 && i < HV_PROBES; i++) {
		struct hv_vm_index *slot = &t->shared->index[(at + i) % HV_VM_INDEX];

		if (slot->tgid == (__u32)pid) {
			t->shared->vms[vm].used = 0;
			return 0;
		}
		if (slot->tgid)
			continue;
		slot->vm = vm;
		slot->start = 0;
		__atomic_store_n(&slot->tgid, pid, __ATOMIC_RELEASE);
		return 0;
	}
	tracer__warn(t, "process %d is one too many: at most %d VMs at a time", pid, PE_MAX_VMS);
	return -ENOSPC;
}

int tracer__enter_pids(struct tracer *t)
{
	for (size_t i = 0; i < t->opts.nr_pids; i++) {
		pid_t pid = t->opts.pids[i];
		int err;

		if (kill(pid, 0) && errno == ESRCH) {
			tracer__warn(t, "no process has the pid %d; see `ps -e`", pid);
			return -ESRCH;
		}
		err = enter_pid(t, pid);
		if (err)
			return err;
	}
	return 0;
}

/* --------------------------------------------------------------- images */

struct image_scan {
	struct tracer *t;
	__u16 vm;
	bool found;
};

/* Disk id of a buffered image, in the table that the programs use. */
static int image_disk(struct tracer *t, const struct vm_image *image)
{
	__u64 key = HV_DISK_IMAGE | ((image->dev << 32 ^ image->ino) & ~(3ULL << 62));
	__u32 at = hv_hash32(key);

	for (int i = 0; i < HV_PROBES; i++) {
		__u32 id = (at + i) % PE_MAX_DISKS;
		__u64 was = 0;

		if (__atomic_compare_exchange_n(&t->shared->disks[id].key, &was, key, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ||
		    was == key) {
			if (!t->disk_names[id])
				t->disk_names[id] = strdup(image->path);
			return id;
		}
	}
	return -1;
}

/* By what /proc says, not by path: the image may be unlinked, or of another mount namespace. */
static bool image_is_large(const struct vm_image *image)
{
	return image->block || image->bytes >= IMAGE_MIN;
}

static int on_image(void *ctx, const struct vm_image *image)
{
	struct hv_image_key key = {.dev = image->dev, .ino = image->block ? 0 : image->ino};
	struct image_scan *scan = ctx;
	struct hv_image value = {.vm = scan->vm};
	int disk;

	if (image->direct || !image_is_large(image))
		return 0;
	disk = image_disk(scan->t, image);
	if (disk < 0)
		return 0;
	value.disk = disk;
	/* An image that VMs share stays with the first that opened it. */
	if (!bpf_map_update_elem(tracer__map_fd(scan->t, "images"), &key, &value, BPF_NOEXIST))
		scan->found = true;
	return 0;
}

static void scan_images(struct tracer *t, struct vm_entry *v, __u64 now)
{
	struct image_scan scan = {.t = t, .vm = v->pub.id};

	if (t->state[TRACER_CACHE] == SOURCE_OFF || t->state[TRACER_CACHE] == SOURCE_MISSING)
		return;
	if (v->scanned && now - v->scanned < SCAN_IMAGES_NS)
		return;
	v->scanned = now;
	vm_identity__each_image(v->pub.pid, on_image, &scan);
	if (scan.found)
		tracer__attach_cache(t);
}

/* ------------------------------------------------------------ come and go */

static void identify(struct vm_entry *v)
{
	struct vm_identity id;

	if (vm_identity__read(&id, v->pub.pid))
		vm_identity__parse(&id, v->pub.pid, "exited", "", 0);
	snprintf(v->name, sizeof(v->name), "%s", id.name);
	snprintf(v->vmm, sizeof(v->vmm), "%s", id.vmm);
}

static void enter_vm(struct tracer *t, __u32 id, pid_t pid)
{
	struct vm_entry *v = &t->vms[id];

	memset(v, 0, sizeof(*v));
	v->stage = VM_LIVE;
	v->pidfd = pidfd_open(pid);
	v->pub.id = id;
	v->pub.pid = pid;
	v->pub.name = v->name;
	v->pub.vmm = v->vmm;
	v->pub.generation = ++t->generation;
	identify(v);
}

static bool has_exited(const struct vm_entry *v)
{
	struct pollfd p = {.fd = v->pidfd, .events = POLLIN};

	if (v->pidfd < 0)
		return kill(v->pub.pid, 0) && errno == ESRCH;
	return poll(&p, 1, 0) > 0;
}

static __u64 slot_pages(const struct hv_vm *vm)
{
	__u64 pages = 0;

	for (int i = 0; i < PE_VM_SLOTS; i++)
		pages += vm->slots[i].hva ? vm->slots[i].npages : 0;
	return pages;
}

static void update_vm(struct tracer *t, struct vm_entry *v, __u64 now)
{
	const struct hv_vm *shared = &t->shared->vms[v->pub.id];

	v->pub.kvm = shared->kvm;
	/* A VMM that nobody knows by name, but a VMM. */
	if (v->pub.kvm && !strcmp(v->vmm, "process"))
		v->pub.vmm = "kvm";
	v->pub.mem_pages = slot_pages(shared);
	if (v->stage == VM_LIVE)
		scan_images(t, v, now);
}

/* ----------------------------------------------------------------- free */

static void forget_index(struct hv_shared *s, __u32 vm)
{
	for (int i = 0; i < HV_VM_INDEX; i++) {
		struct hv_vm_index *slot = &s->index[i];

		if (!slot->tgid || slot->tgid >= HV_TOMBSTONE - 1 || slot->vm != vm)
			continue;
		/* A free slot ends a search, so only what a free one follows may become free. */
		__atomic_store_n(&slot->tgid,
				 s->index[(i + 1) % HV_VM_INDEX].tgid ? HV_TOMBSTONE : 0,
				 __ATOMIC_RELEASE);
	}
}

static void forget_images(struct tracer *t, __u32 vm)
{
	int fd = tracer__map_fd(t, "images");
	struct hv_image_key key, next;
	struct hv_image value;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (!bpf_map_lookup_elem(fd, &key, &value) && value.vm == vm)
			bpf_map_delete_elem(fd, &key);
	}
}

static void forget_counters(struct tracer *t, __u32 vm)
{
	struct vm_counters *zero = calloc(t->nr_cpus, sizeof(*zero));

	if (zero)
		bpf_map_update_elem(tracer__map_fd(t, "counters"), &vm, zero, BPF_ANY);
	free(zero);
}

/* Everything by which an event may come to bear the id. */
static void forget_vm(struct tracer *t, __u32 vm)
{
	struct hv_shared *s = t->shared;

	forget_index(s, vm);
	tracer__forget_frames(t, vm);
	forget_images(t, vm);
	for (int i = 0; i < PE_MAX_FILES; i++) {
		if (s->files[i].mapping > 1 && s->files[i].vm == vm) {
			s->files[i].ready = 0;
			__atomic_store_n(&s->files[i].mapping, 1, __ATOMIC_RELEASE);
		}
	}
	for (size_t i = 0; i < HV_INFLIGHT * HV_INFLIGHT_WAY; i++) {
		struct hv_inflight *f = &s->inflight[0][0] + i;

		if (!f->bio || f->vm != vm)
			continue;
		f->bio = 0;
		__atomic_fetch_sub(&s->waiting[i / HV_INFLIGHT_WAY % HV_WAITING].bios, 1,
				   __ATOMIC_RELAXED);
	}
}

/* What was counted under the id, then the id itself. */
static void free_vm(struct tracer *t, struct vm_entry *v)
{
	struct hv_vm *shared = &t->shared->vms[v->pub.id];

	forget_counters(t, v->pub.id);
	memset(shared->slots, 0, sizeof(shared->slots));
	shared->nr_files = shared->kvm = 0;
	if (v->pidfd >= 0)
		close(v->pidfd);
	memset(v, 0, sizeof(*v));
	__atomic_store_n(&shared->used, 0, __ATOMIC_RELEASE);
}

void tracer__scan_vms(struct tracer *t)
{
	__u64 now = tracer__now();

	for (int i = 0; i < PE_MAX_VMS; i++) {
		if (t->vms[i].stage == VM_ENDED)
			free_vm(t, &t->vms[i]);
	}
	for (int i = 0; i < HV_VM_INDEX; i++) {
		const struct hv_vm_index *slot = &t->shared->index[i];
		__u32 tgid = __atomic_load_n(&slot->tgid, __ATOMIC_ACQUIRE);

		if (tgid && tgid < HV_TOMBSTONE - 1 && t->vms[slot->vm].stage == VM_NONE)
			enter_vm(t, slot->vm, tgid);
	}
	t->nr_listed = 0;
	for (int i = 0; i < PE_MAX_VMS; i++) {
		if (t->vms[i].stage == VM_NONE)
			continue;
		update_vm(t, &t->vms[i], now);
		t->listed[t->nr_listed++] = &t->vms[i].pub;
	}
}

void tracer__end_vms(struct tracer *t)
{
	for (int i = 0; i < PE_MAX_VMS; i++) {
		struct vm_entry *v = &t->vms[i];

		if (v->stage == VM_LIVE && has_exited(v)) {
			forget_vm(t, i);
			v->stage = VM_EXITED;
			v->exit_time = tracer__now();
		}
		if (v->stage == VM_EXITED && t->until > v->exit_time) {
			v->stage = VM_ENDED;
			v->pub.ended = true;
		}
	}
}

void tracer__free_vms(struct tracer *t)
{
	for (int i = 0; i < PE_MAX_VMS; i++) {
		if (t->vms[i].stage != VM_NONE && t->vms[i].pidfd >= 0)
			close(t->vms[i].pidfd);
	}
}

/* ---------------------------------------------------------------- disks */

/* The name of a block device: its folder's name under /sys/dev/block. */
static char *block_name(__u32 dev)
{
	char path[64], link[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", dev >> 20, dev & 0xfffff);
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0) {
		snprintf(link, sizeof(link), "%u:%u", dev >> 20, dev & 0xfffff);
		return strdup(link);
	}
	link[n] = 0;
	return strdup(strrchr(link, '/') ? strrchr(link, '/') + 1 : link);
}

const char *tracer__disk_name(const struct tracer *t, __u16 disk)
{
	struct tracer *mut = (struct tracer *)t; /* a cache of names, nothing more */

	if (disk >= PE_MAX_DISKS)
		return "?";
	if (!t->disk_names[disk] && t->shared->disks[disk].key & HV_DISK_USED)
		mut->disk_names[disk] = block_name(t->shared->disks[disk].key);
	return t->disk_names[disk] ? t->disk_names[disk] : "?";
}
