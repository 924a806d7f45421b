// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "harness.h"
#include "vm_control.h"

#define PATIENCE_MS 10000
#define ALL_EVENTS (1U << 20)

static __attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *allocate(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		die("out of memory");
	return p;
}

/* --- the host --- */

void host__require_kvm(void)
{
	if (geteuid()) {
		puts("needs root");
		exit(77);
	}
	if (access("/dev/kvm", R_OK | W_OK)) {
		printf("/dev/kvm: %s\n", strerror(errno));
		exit(77);
	}
}

static int read_number(const char *path, long *value)
{
	FILE *f = fopen(path, "re");
	int n;

	if (!f)
		return -errno;
	n = fscanf(f, "%ld", value);
	fclose(f);
	return n == 1 ? 0 : -EIO;
}

static int write_number(const char *path, long value)
{
	FILE *f = fopen(path, "we");
	int err;

	if (!f)
		return -errno;
	err = fprintf(f, "%ld\n", value) < 0;
	err |= fclose(f);
	return err ? -errno : 0;
}

#define NR_HUGEPAGES "/proc/sys/vm/nr_hugepages"
#define ZRAM_ADD "/sys/class/zram-control/hot_add"
#define ZRAM_REMOVE "/sys/class/zram-control/hot_remove"

/*
 * What outlives a process (swap, huge pages) is undone by a process of its own,
 * the janitor: it waits for the end of a pipe, which comes when the test ends,
 * killed or not.
 */
struct chore {
	enum { CHORE_SWAP, CHORE_HUGE_PAGES } kind;
	long n; /* zram device; number of pages */
};

static void undo(const struct chore *c)
{
	char path[64];
	long have;

	switch (c->kind) {
	case CHORE_SWAP:
		snprintf(path, sizeof(path), "/dev/zram%ld", c->n);
		/* Not on: the test ended before swapon. */
		if (swapoff(path) && errno != EINVAL)
			fprintf(stderr, "swapoff %s: %s\n", path, strerror(errno));
		if (write_number(ZRAM_REMOVE, c->n))
			fprintf(stderr, "%s: cannot remove zram%ld\n", ZRAM_REMOVE, c->n);
		break;
	case CHORE_HUGE_PAGES:
		/* Others may have changed it meanwhile: take back, not restore. */
		if (!read_number(NR_HUGEPAGES, &have))
			write_number(NR_HUGEPAGES, have > c->n ? have - c->n : 0);
		break;
	}
}

static __attribute__((noreturn)) void janitor(int pipe_fd)
{
	struct chore chores[16];
	size_t n = 0;

	/* A signal to the test's process group must not end its janitor. */
	setsid();
	while (n < 16 && read(pipe_fd, &chores[n], sizeof(chores[n])) == sizeof(chores[n]))
		n++;
	while (n)
		undo(&chores[--n]);
	_exit(0);
}

static int janitor_fd = -1;
static pid_t janitor_pid;

static void dismiss_janitor(void)
{
	close(janitor_fd);
	waitpid(janitor_pid, NULL, 0);
}

static void leave_to_janitor(struct chore c)
{
	int fds[2];

	if (janitor_fd < 0) {
		if (pipe2(fds, O_CLOEXEC))
			die("pipe: %s", strerror(errno));
		janitor_pid = fork();
		if (janitor_pid < 0)
			die("fork: %s", strerror(errno));
		if (!janitor_pid) {
			/* Not the other end, nor anything whose end others wait for. */
			dup2(fds[0], 3);
			close_range(4, ~0U, 0);
			janitor(3);
		}
		close(fds[0]);
		janitor_fd = fds[1];
		atexit(dismiss_janitor);
	}
	if (write(janitor_fd, &c, sizeof(c)) != sizeof(c))
		die("the janitor is gone");
}

/* The header that mkswap writes: version 1, no bad pages (union swap_header in linux/swap.h). */
static int make_swap(const char *path, __u64 pages)
{
	__u32 header[1024] = {[256] = 1, [257] = pages - 1};
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	memcpy((char *)header + sizeof(header) - 10, "SWAPSPACE2", 10);
	if (write(fd, header, sizeof(header)) != sizeof(header) || fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

bool host__add_swap(__u64 pages)
{
	char path[64], size[64];
	long id;

	if (read_number(ZRAM_ADD, &id)) {
		puts("no zram: " ZRAM_ADD " cannot be read");
		return false;
	}
	leave_to_janitor((struct chore){.kind = CHORE_SWAP, .n = id});
	snprintf(path, sizeof(path), "/dev/zram%ld", id);
	snprintf(size, sizeof(size), "/sys/block/zram%ld/disksize", id);
	if (write_number(size, pages * GUEST_PAGE) || make_swap(path, pages) ||
	    swapon(path, SWAP_FLAG_PREFER | 32767)) {
		printf("%s cannot be made a swap device: %s\n", path, strerror(errno));
		return false;
	}
	return true;
}

bool host__add_huge_pages(unsigned int nr)
{
	long before, after;

	if (read_number(NR_HUGEPAGES, &before)) {
		puts("no huge pages: " NR_HUGEPAGES " cannot be read");
		return false;
	}
	leave_to_janitor((struct chore){.kind = CHORE_HUGE_PAGES, .n = nr});
	write_number(NR_HUGEPAGES, before + nr);
	if (read_number(NR_HUGEPAGES, &after) || after < before + nr) {
		printf("%u huge pages wanted, the host found %ld\n", nr, after - before);
		return false;
	}
	return true;
}

/* --- disks --- */

struct disk {
	int memory_fd, loop_fd;
	char path[32];
};

static void write_stamps(int fd, __u64 pages)
{
	char page[GUEST_PAGE] = "";

	for (__u64 n = 0; n < pages; n++) {
		memcpy(page, &n, sizeof(n));
		if (pwrite(fd, page, sizeof(page), n * sizeof(page)) != sizeof(page))
			die("writing a disk: %s", strerror(errno));
	}
}

/* A loop device that goes when its last user does. Another test may take the free one first. */
static int attach_loop(struct disk *d)
{
	struct loop_config config = {
		.fd = d->memory_fd,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), nr;

	if (control < 0)
		return -errno;
	for (int tries = 0; tries < 50; tries++) {
		nr = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(d->path, sizeof(d->path), "/dev/loop%d", nr);
		d->loop_fd = nr < 0 ? -1 : open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (d->loop_fd >= 0 && !ioctl(d->loop_fd, LOOP_CONFIGURE, &config))
			break;
		if (d->loop_fd >= 0)
			close(d->loop_fd);
		d->loop_fd = -1;
	}
	close(control);
	return d->loop_fd < 0 ? -EBUSY : 0;
}

struct disk *disk__new(__u64 pages)
{
	struct disk *d = allocate(1, sizeof(*d));
	int err;

	d->memory_fd = memfd_create("disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (d->memory_fd < 0)
		die("memfd_create: %s", strerror(errno));
	write_stamps(d->memory_fd, pages);
	err = attach_loop(d);
	if (err)
		die("no loop device: %s", strerror(-err));
	return d;
}

void disk__free(struct disk *d)
{
	if (!d)
		return;
	close(d->loop_fd);
	close(d->memory_fd);
	free(d);
}

const char *disk__path(const struct disk *d)
{
	return d->path;
}

const char *disk__name(const struct disk *d)
{
	return d->path + strlen("/dev/");
}

__u64 disk__stamp(const struct disk *d, __u64 n)
{
	__u64 stamp;

	if (pread(d->memory_fd, &stamp, sizeof(stamp), n * GUEST_PAGE) != sizeof(stamp))
		die("reading a disk: %s", strerror(errno));
	return stamp;
}

void disk__fail_writes(struct disk *d)
{
	if (fcntl(d->memory_fd, F_ADD_SEALS, F_SEAL_WRITE))
		die("sealing a disk: %s", strerror(errno));
}

struct image {
	int fd;
	__u64 pages;
	char path[64];
};

struct image *image__new(__u64 pages)
{
	struct image *i = allocate(1, sizeof(*i));
	struct statfs fs;

	/* A file without a name needs no removal; /proc gives it a path while it is open. */
	i->fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (i->fd < 0 || fstatfs(i->fd, &fs))
		die("/var/tmp: %s", strerror(errno));
	if (fs.f_type == TMPFS_MAGIC) {
		puts("/var/tmp is a tmpfs: its files have nothing below the page cache");
		exit(77);
	}
	i->pages = pages;
	snprintf(i->path, sizeof(i->path), "/proc/%d/fd/%d", getpid(), i->fd);
	write_stamps(i->fd, pages);
	image__drop_cache(i);
	return i;
}

void image__free(struct image *i)
{
	if (!i)
		return;
	close(i->fd);
	free(i);
}

const char *image__path(const struct image *i)
{
	return i->path;
}

void image__drop_cache(const struct image *i)
{
	if (fsync(i->fd) || posix_fadvise(i->fd, 0, 0, POSIX_FADV_DONTNEED))
		die("dropping an image from the page cache: %s", strerror(errno));
}

void image__cached(const struct image *i, unsigned char *cached)
{
	void *p = mmap(NULL, i->pages * GUEST_PAGE, PROT_READ, MAP_SHARED, i->fd, 0);

	if (p == MAP_FAILED || mincore(p, i->pages * GUEST_PAGE, cached))
		die("mincore: %s", strerror(errno));
	munmap(p, i->pages * GUEST_PAGE);
	for (__u64 n = 0; n < i->pages; n++)
		cached[n] &= 1;
}

/* --- VMs --- */

struct vm {
	pid_t pid;
	int fd;
	enum vmm_memory memory;
	struct vm_report ready, last;
};

/* kvm-vm lies beside the test. */
static void vm_program(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size);
	char *slash;

	if (n <= 0 || (size_t)n >= size)
		die("/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash, size - (slash - path), "/kvm-vm");
}

static __attribute__((noreturn)) void exec_vm(const char *name, const struct vmm_opts *opts)
{
	static const char *const memories[] = {
		[VMM_ANON] = "anon",
		[VMM_MEMFD] = "memfd",
		[VMM_HUGETLB] = "hugetlb",
		[VMM_THP] = "thp",
	};
	char program[256], guest[80], frames[24], heap[24];
	char *argv[16] = {"kvm-vm",  "-name", guest,   "-memory", (char *)memories[opts->memory],
			  "-frames", frames,  "-heap", heap};
	int n = 9;

	vm_program(program, sizeof(program));
	snprintf(guest, sizeof(guest), "guest=%s", name);
	snprintf(frames, sizeof(frames), "%" PRIu64, (uint64_t)opts->frames);
	snprintf(heap, sizeof(heap), "%" PRIu64, (uint64_t)opts->heap_pages);
	if (opts->disk) {
		argv[n++] = "-disk";
		argv[n++] = (char *)opts->disk;
	}
	if (opts->buffered)
		argv[n++] = "-buffered";
	if (opts->populate)
		argv[n++] = "-populate";
	execv(program, argv);
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

static int receive_report(struct vm *vm, struct vm_report *r)
{
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(*r)) {
		n = read(vm->fd, (char *)r + have, sizeof(*r) - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		have += n;
	}
	return 0;
}

static void spawn_vm(struct vm *vm, const char *name, const struct vmm_opts *opts)
{
	pid_t parent = getpid();
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		die("socketpair: %s", strerror(errno));
	vm->pid = fork();
	if (vm->pid < 0)
		die("fork: %s", strerror(errno));
	if (!vm->pid) {
		/* No VM outlives its test; the test may have died before prctl. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
		/* dup2 to itself would keep the close-on-exec flag. */
		if (fds[1] == VM_CONTROL_FD)
			fcntl(fds[1], F_SETFD, 0);
		else
			dup2(fds[1], VM_CONTROL_FD);
		exec_vm(name, opts);
	}
	close(fds[1]);
	vm->fd = fds[0];
}

struct vm *vm__try_start(const char *name, const struct vmm_opts *opts, int *err)
{
	struct vm *vm = allocate(1, sizeof(*vm));

	spawn_vm(vm, name, opts);
	vm->memory = opts->memory;
	*err = receive_report(vm, &vm->ready);
	if (!*err)
		*err = vm->ready.err;
	if (!*err)
		return vm;
	vm__end(vm);
	return NULL;
}

struct vm *vm__start(const char *name, const struct vmm_opts *opts)
{
	int err;
	struct vm *vm = vm__try_start(name, opts, &err);

	if (!vm)
		die("the VM cannot be started: %s", strerror(-err));
	return vm;
}

void vm__end(struct vm *vm)
{
	if (!vm)
		return;
	close(vm->fd);
	if (vm->pid)
		waitpid(vm->pid, NULL, 0);
	free(vm);
}

void vm__kill(struct vm *vm)
{
	kill(vm->pid, SIGKILL);
	waitpid(vm->pid, NULL, 0);
	vm->pid = 0;
}

void vm__post(struct vm *vm, const struct guest_script *script)
{
	const char *at = (const char *)script;
	size_t left = sizeof(*script);
	ssize_t n;

	while (left) {
		n = send(vm->fd, at, left, MSG_NOSIGNAL);
		if (n < 0)
			die("the VM is gone: %s", strerror(errno));
		at += n;
		left -= n;
	}
}

int vm__wait(struct vm *vm)
{
	int err = receive_report(vm, &vm->last);

	if (err)
		return err;
	if (vm->last.err)
		fprintf(stderr, "script: %s at %llu\n", strerror(-vm->last.err), vm->last.fault_at);
	return vm->last.err;
}

int vm__control_fd(const struct vm *vm)
{
	return vm->fd;
}

pid_t vm__pid(const struct vm *vm)
{
	return vm->pid;
}

__u64 vm__mem_pages(const struct vm *vm)
{
	return vm->ready.mem_pages;
}

__u64 vm__own_pages(const struct vm *vm)
{
	return vm->ready.own_pages;
}

bool vm__is_anonymous(const struct vm *vm)
{
	return vm->memory == VMM_ANON || vm->memory == VMM_THP;
}

__u64 vm__frame_index(const struct vm *vm, __u64 frame)
{
	return vm__is_anonymous(vm) ? vm->ready.base_page + frame : frame;
}

/* --- tracing --- */

struct trace {
	struct tracer *tracer;
	struct page_event *events;
	size_t n;
};

static void print_warning(void *ctx, const char *line)
{
	fprintf(stderr, "tracer: %s\n", line);
}

/* Who it is of is known by then, and has not been called ended. */
static void check_listed(const struct trace *t, const struct page_event *e)
{
	for (size_t i = 0; i < tracer__nr_vms(t->tracer); i++) {
		const struct tracer_vm *vm = tracer__vm(t->tracer, i);

		if (vm->id == e->vm && !vm->ended && vm->name[0])
			return;
	}
	die("an event of VM %u, which is not listed", e->vm);
}

static void take_events(void *ctx, const struct page_event *events, size_t n)
{
	struct trace *t = ctx;

	if (t->n + n > ALL_EVENTS)
		die("more than %u events", ALL_EVENTS);
	for (size_t i = 0; i < n; i++)
		check_listed(t, &events[i]);
	memcpy(t->events + t->n, events, n * sizeof(*events));
	t->n += n;
}

struct trace *trace__start(const struct tracer_opts *changes)
{
	struct trace *t = allocate(1, sizeof(*t));
	struct tracer_opts opts = changes ? *changes : (struct tracer_opts){};
	int err;

	opts.sz = sizeof(opts);
	opts.warn = print_warning;
	if (!opts.threshold)
		opts.threshold = PE_SAMPLE_ALL;
	t->events = allocate(ALL_EVENTS, sizeof(*t->events));
	t->tracer = tracer__new(&opts);
	if (!t->tracer)
		die("tracer__new: %s", strerror(errno));
	err = tracer__load(t->tracer);
	if (!err)
		err = tracer__attach(t->tracer);
	if (err)
		die("the tracer cannot be started: %s", strerror(-err));
	return t;
}

void trace__end(struct trace *t)
{
	if (!t)
		return;
	tracer__free(t->tracer);
	free(t->events);
	free(t);
}

struct tracer *trace__tracer(struct trace *t)
{
	return t->tracer;
}

static void poll_once(struct trace *t, int timeout_ms)
{
	int n = tracer__poll(t->tracer, timeout_ms, take_events, t);

	if (n < 0 && n != -EINTR)
		die("tracer__poll: %s", strerror(-n));
}

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

const struct tracer_vm *trace__vm(struct trace *t, pid_t pid)
{
	for (size_t i = 0; i < tracer__nr_vms(t->tracer); i++) {
		const struct tracer_vm *vm = tracer__vm(t->tracer, i);

		if (vm->pid == pid)
			return vm;
	}
	return NULL;
}

__u16 trace__await(struct trace *t, pid_t pid)
{
	__u64 end = now_ms() + PATIENCE_MS;
	const struct tracer_vm *vm;

	while (!(vm = trace__vm(t, pid)) || vm->ended) {
		if (now_ms() > end)
			die("process %d is not listed as a VM", pid);
		poll_once(t, 20);
	}
	return vm->id;
}

void trace__await_end(struct trace *t, __u64 generation)
{
	__u64 end = now_ms() + PATIENCE_MS;

	for (;;) {
		for (size_t i = 0; i < tracer__nr_vms(t->tracer); i++) {
			const struct tracer_vm *vm = tracer__vm(t->tracer, i);

			if (vm->generation == generation && vm->ended)
				return;
		}
		if (now_ms() > end)
			die("the end of a VM is not told");
		poll_once(t, 20);
	}
}

void trace__collect(struct trace *t)
{
	int n;

	poll_once(t, 0);
	n = tracer__drain(t->tracer, take_events, t);
	if (n < 0)
		die("tracer__drain: %s", strerror(-n));
}

int trace__run(struct trace *t, struct vm *vm, const struct guest_script *script)
{
	struct pollfd fd = {.fd = vm->fd, .events = POLLIN};
	int err;

	vm__post(vm, script);
	while (!poll(&fd, 1, 0))
		poll_once(t, 20);
	err = vm__wait(vm);
	trace__collect(t);
	return err;
}

void trace__clear(struct trace *t)
{
	t->n = 0;
}

const struct page_event *trace__events(const struct trace *t, size_t *n)
{
	*n = t->n;
	return t->events;
}

static bool is_of(const struct page_event *e, __u16 vm, enum page_event_kind kind,
		  enum page_space space)
{
	return e->vm == vm && e->kind == kind && e->space == space;
}

__u64 trace__count(const struct trace *t, __u16 vm, enum page_event_kind kind,
		   enum page_space space)
{
	__u64 count = 0;

	for (size_t i = 0; i < t->n; i++)
		count += is_of(&t->events[i], vm, kind, space) ? t->events[i].count : 0;
	return count;
}

const struct page_event *trace__nth(const struct trace *t, __u16 vm, enum page_event_kind kind,
				    enum page_space space, size_t i)
{
	for (size_t at = 0; at < t->n; at++) {
		if (is_of(&t->events[at], vm, kind, space) && !i--)
			return &t->events[at];
	}
	return NULL;
}

struct vm_counters trace__counters(struct trace *t, __u16 vm)
{
	struct vm_counters c;
	int err = tracer__counters(t->tracer, vm, &c);

	if (err)
		die("tracer__counters: %s", strerror(-err));
	return c;
}

void trace__assert_no_loss(struct trace *t)
{
	struct tracer_loss loss;
	int err = tracer__loss(t->tracer, &loss);

	if (err)
		die("tracer__loss: %s", strerror(-err));
	if (loss.dropped || loss.frames || loss.vms || loss.truncated)
		die("lost: %llu events, %llu frames, %llu VMs, %llu pages of bios", loss.dropped,
		    loss.frames, loss.vms, loss.truncated);
}

void trace__dump(const struct trace *t)
{
	static const char *const kinds[] = {"FILL", "WRITEBACK", "EVICT", "DISCARD"};

	for (size_t i = 0; i < t->n; i++) {
		const struct page_event *e = &t->events[i];

		fprintf(stderr, "%llu vm %u %s %s page %llx frame %llx count %u flags %x\n",
			e->time, e->vm, e->space ? "mem" : "disk", kinds[e->kind & 3], e->page,
			e->frame, e->count, e->flags);
	}
}

/* --- rigs --- */

void rig__up(struct rig *r, const struct vmm_opts *opts, __u64 disk_pages)
{
	struct vmm_opts own = *opts;

	memset(r, 0, sizeof(*r));
	own.sz = sizeof(own);
	if (disk_pages) {
		r->disk = disk__new(disk_pages);
		own.disk = disk__path(r->disk);
	}
	r->trace = trace__start(NULL);
	r->vm = vm__start("rig", &own);
	r->id = trace__await(r->trace, vm__pid(r->vm));
	trace__clear(r->trace);
}

void rig__down(struct rig *r)
{
	trace__assert_no_loss(r->trace);
	vm__end(r->vm);
	trace__end(r->trace);
	disk__free(r->disk);
}

void rig__add(struct rig *r, struct guest_op op)
{
	script__add(&r->script, op);
}

void rig__run(struct rig *r)
{
	assert_int_equal(trace__run(r->trace, r->vm, &r->script), 0);
	script__init(&r->script);
}

__u64 rig__count(const struct rig *r, enum page_event_kind kind, enum page_space space)
{
	return trace__count(r->trace, r->id, kind, space);
}

void rig__expect(const struct rig *r, enum page_event_kind kind, enum page_space space, size_t i,
		 __u64 page, __u64 frame, unsigned int flags)
{
	const struct page_event *e = trace__nth(r->trace, r->id, kind, space, i);

	assert_non_null(e);
	if (space == SPACE_DISK)
		assert_int_equal(page_number(e), page);
	if (space == SPACE_DISK && r->disk)
		assert_string_equal(tracer__disk_name(r->trace->tracer, e->page >> PE_DISK_SHIFT),
				    disk__name(r->disk));
	if (space == SPACE_MEM)
		assert_int_equal(e->page, e->frame);
	if (frame == NO_FRAME) {
		assert_true(e->frame == PE_FRAME_NONE);
	} else {
		assert_int_equal(frame_index(e), vm__frame_index(r->vm, frame));
		assert_int_equal(!frame_region(e), vm__is_anonymous(r->vm));
	}
	assert_int_equal(e->flags, flags);
}
