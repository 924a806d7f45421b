// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* memfd_create, O_DIRECT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../loader/vm_identity.h"

#define PID 4711
#define MIB (1024 * 1024UL)

/* A command line as people type it: a blank stands for the NUL between arguments. */
struct line {
	const char *comm, *cmdline;
	const char *name, *vmm, *uuid;
};

static const struct line lines[] = {
	/* QEMU by hand */
	{"qemu-system-x86", "/usr/bin/qemu-system-x86_64 -name web -m 256", "web", "qemu", ""},
	{"qemu-system-x86", "qemu-system-x86_64 -m 1 --name web,process=w", "web", "qemu", ""},
	{"qemu-system-x86", "qemu-system-x86_64 -name debug-threads=on,guest=db", "db", "qemu", ""},
	{"qemu-system-x86", "qemu-system-x86_64 -name guest=a,guest=b", "b", "qemu", ""},
	{"qemu-system-x86", "qemu-system-x86_64 -name a -name b", "b", "qemu", ""},
	/* a process name of its own does not hide what argv[0] tells */
	{"web-frontend", "qemu-system-aarch64 -name web,process=web-frontend", "web", "qemu", ""},
	/* Debian's and Proxmox' kvm, RHEL's qemu-kvm */
	{"kvm", "/usr/bin/kvm -id 100 -name vm100,debug-threads=on -uuid 1234", "vm100", "qemu",
	 "1234"},
	{"qemu-kvm", "/usr/libexec/qemu-kvm -name guest=rhel", "rhel", "qemu", ""},
	/* libvirt */
	{"qemu-system-x86",
	 "/usr/bin/qemu-system-x86_64 -name guest=deb12,debug-threads=on -S -uuid "
	 "c7a5fdbd-edaf-9455-926a-d65c16db1809 -msg timestamp=on",
	 "deb12", "qemu", "c7a5fdbd-edaf-9455-926a-d65c16db1809"},
	/* doubled commas, an equals sign, a name that ends in a comma */
	{"qemu", "qemu-system-x86_64 -name guest=a,,b,debug-threads=on", "a,b", "qemu", ""},
	{"qemu", "qemu-system-x86_64 -name a,,b=c,process=x", "a,b=c", "qemu", ""},
	{"qemu", "qemu-system-x86_64 -name guest=a=b", "a=b", "qemu", ""},
	{"qemu", "qemu-system-x86_64 -name guest=x,,", "x,", "qemu", ""},
	/* no name, an empty one, an option that lost its value, nothing at all */
	{"qemu-system-x86", "/usr/bin/qemu-system-x86_64 -m 256", "qemu-system-x86_64:4711", "qemu",
	 ""},
	{"qemu-system-x86", "qemu-system-x86_64 -name guest=,debug-threads=on",
	 "qemu-system-x86_64:4711", "qemu", ""},
	{"qemu-system-x86", "qemu-system-x86_64 -name", "qemu-system-x86_64:4711", "qemu", ""},
	{"qemu-system-x86", "", "qemu-system-x86:4711", "qemu", ""},
	{"", "", "?:4711", "process", ""},
	/* another option's value is not an option */
	{"qemu", "qemu-system-x86_64 -append -names -m 1", "qemu:4711", "qemu", ""},
	/* Firecracker, by hand and by its jailer */
	{"firecracker", "./firecracker --api-sock /tmp/a.socket --id fc-1", "fc-1", "firecracker",
	 ""},
	{"firecracker", "/firecracker --id=551e7604-e35c --start-time-us=1", "551e7604-e35c",
	 "firecracker", ""},
	{"firecracker-v1.", "./firecracker-v1.7.0-x86_64 --no-api",
	 "firecracker-v1.7.0-x86_64:4711", "firecracker", ""},
	/* Cloud Hypervisor: libvirt's socket, Kata's, another, the disk, none */
	{"cloud-hyperviso", "cloud-hypervisor --api-socket /run/libvirt/ch/web-socket", "web",
	 "cloud-hypervisor", ""},
	{"cloud-hyperviso",
	 "/opt/kata/bin/cloud-hypervisor --api-socket /run/vc/vm/4f2a/clh-api.sock", "4f2a",
	 "cloud-hypervisor", ""},
	{"cloud-hyperviso", "cloud-hypervisor --api-socket path=/tmp/db.sock --platform uuid=77",
	 "db", "cloud-hypervisor", "77"},
	{"cloud-hyperviso",
	 "cloud-hypervisor --api-socket /tmp/ch.sock --disk path=/vm/mail.raw,direct=on", "mail",
	 "cloud-hypervisor", ""},
	{"cloud-hyperviso", "cloud-hypervisor --cpus boot=4", "cloud-hypervisor:4711",
	 "cloud-hypervisor", ""},
	{"cloud-hyperviso", "", "cloud-hyperviso:4711", "cloud-hypervisor", ""},
	/* crosvm */
	{"crosvm", "crosvm run --name arc --socket /run/x.sock", "arc", "crosvm", ""},
	{"crosvm", "/usr/bin/crosvm run -s /run/vm/termina/crosvm.sock vmlinux", "termina",
	 "crosvm", ""},
	{"crosvm", "crosvm run --disable-sandbox vmlinux", "crosvm:4711", "crosvm", ""},
	/* others: QEMU's convention only when spelled out */
	{"demo-vm", "build/demo-vm -name guest=demo --seconds 3", "demo", "process", ""},
	{"find", "find / -name foo", "find:4711", "process", ""},
	{"kvm-walk", "./kvm-walk 64", "kvm-walk:4711", "process", ""},
	{"a-name-longer-t", "/x/a-name-longer-than-that", "a-name-longer-than-that:4711", "process",
	 ""},
};

/* The command line in memory of exactly its size, so that ASan sees a step beyond. */
static void parse_line(struct vm_identity *id, const char *comm, const char *text, bool end_nul)
{
	size_t i, len = strlen(text) + (*text && end_nul);
	char *buf = malloc(len + !len);

	assert_non_null(buf);
	memcpy(buf, text, len);
	for (i = 0; i < len; i++)
		if (buf[i] == ' ')
			buf[i] = '\0';
	vm_identity__parse(id, PID, comm, buf, len);
	free(buf);
}

static void check_line(const struct line *l, bool end_nul)
{
	struct vm_identity id;

	parse_line(&id, l->comm, l->cmdline, end_nul);
	if (strcmp(id.name, l->name) || strcmp(id.vmm, l->vmm) || strcmp(id.uuid, l->uuid))
		fail_msg("%s: got name \"%s\" vmm \"%s\" uuid \"%s\"", l->cmdline, id.name, id.vmm,
			 id.uuid);
	assert_int_equal(id.pid, PID);
}

static void names_by_convention(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		check_line(&lines[i], true);
		check_line(&lines[i], false);
	}
}

static void names_are_safe_to_print(void **state)
{
	struct vm_identity id;

	parse_line(&id, "qemu", "qemu-system-x86_64 -name \033[2Jx\ny\177", true);
	assert_string_equal(id.name, "?[2Jx?y?");
}

static void long_names_are_cut_between_characters(void **state)
{
	char text[256] = "qemu-system-x86_64 -name ";
	struct vm_identity id;
	int i;

	strcat(text, "x"); /* so that the cut falls into the middle of a character */
	for (i = 0; i < 40; i++)
		strcat(text, "\xc3\xa4");
	parse_line(&id, "qemu", text, true);
	assert_int_equal(strlen(id.name), 63);
	strcpy(text, "qemu-system-x86_64 -name ");
	for (i = 0; i < 40; i++)
		strcat(text, "\xc3\xa4");
	parse_line(&id, "qemu", text, true);
	assert_int_equal(strlen(id.name), 62);
	assert_int_equal((unsigned char)id.name[61], 0xa4);
}

static void reads_a_process(void **state)
{
	struct vm_identity id;
	char expect[64];

	assert_int_equal(prctl(PR_SET_NAME, "odd (name) 1 2", 0, 0, 0), 0);
	assert_int_equal(vm_identity__read(&id, getpid()), 0);
	snprintf(expect, sizeof(expect), "odd (name) 1 2:%d", getpid());
	assert_string_equal(id.name, expect);
	assert_string_equal(id.vmm, "process");
}

static pid_t ended_process(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static int count(void *ctx, const void *what)
{
	(*(int *)ctx)++;
	return 0;
}

static int count_image(void *ctx, const struct vm_image *image)
{
	return count(ctx, image);
}

static int count_range(void *ctx, const struct vm_range *range)
{
	return count(ctx, range);
}

static void tells_that_a_process_is_gone(void **state)
{
	pid_t pid = ended_process();
	struct vm_identity id;
	__u64 ticks;
	int n = 0;

	assert_int_equal(vm_identity__read(&id, pid), -ESRCH);
	assert_int_equal(proc__start_ticks(pid, &ticks), -ESRCH);
	assert_int_equal(vm_identity__each_image(pid, count_image, &n), -ESRCH);
	assert_int_equal(vm_identity__each_range(pid, count_range, &n), -ESRCH);
	assert_int_equal(n, 0);
}

/* A zombie still has its directory: nothing may be read from it, nothing may crash. */
static void a_zombie_has_a_name(void **state)
{
	struct vm_identity id;
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(vm_identity__read(&id, pid), 0);
	assert_non_null(strchr(id.name, ':'));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void start_ticks_tell_processes_apart(void **state)
{
	long hz = sysconf(_SC_CLK_TCK);
	__u64 mine, again, child = 0;
	struct timespec now;
	pid_t pid;

	/* a name with brackets and blanks must not shift the fields */
	assert_int_equal(prctl(PR_SET_NAME, "a) R 1 (b", 0, 0, 0), 0);
	assert_int_equal(proc__start_ticks(getpid(), &mine), 0);
	assert_int_equal(proc__start_ticks(getpid(), &again), 0);
	assert_int_equal(mine, again);
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
	assert_true(mine <= (__u64)(now.tv_sec + 1) * hz);

	usleep(50000);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	assert_int_equal(proc__start_ticks(pid, &child), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(child > mine);
}

struct sought {
	const char *path;
	int seen;
	struct vm_image image;
};

static int seek_image(void *ctx, const struct vm_image *image)
{
	struct sought *s = ctx;

	if (!strcmp(image->path, s->path)) {
		s->image = *image;
		s->seen++;
	}
	return 0;
}

static struct sought seek(const char *path)
{
	struct sought s = {.path = path};

	assert_int_equal(vm_identity__each_image(getpid(), seek_image, &s), 0);
	return s;
}

static int stop_at_once(void *ctx, const struct vm_image *image)
{
	count(ctx, image);
	return 42;
}

static void lists_images(void **state)
{
	char path[] = "/var/tmp/hvtrace-image-XXXXXX";
	int n = 0, direct, fd = mkstemp(path);
	struct sought s;
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1000), 0);
	assert_int_equal(seek(path).seen, 0); /* too small for an image */
	assert_int_equal(ftruncate(fd, MIB), 0);
	s = seek(path);
	assert_int_equal(s.seen, 1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(s.image.ino, st.st_ino);
	assert_int_equal(s.image.dev, (__u64)major(st.st_dev) << 20 | minor(st.st_dev));
	assert_false(s.image.direct);
	assert_false(s.image.block);
	assert_int_equal(vm_identity__each_image(getpid(), stop_at_once, &n), 42);
	assert_int_equal(n, 1);
	close(fd);
	assert_int_equal(seek(path).seen, 0);

	direct = open(path, O_RDONLY | O_DIRECT);
	if (direct >= 0) { /* not every file system can */
		s = seek(path);
		assert_true(s.seen == 1 && s.image.direct);
		close(direct);
	}
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(seek(path).seen, 0); /* a log */
	close(fd);
	unlink(path);
}

struct ranges {
	ino_t ino;
	int n;
	struct vm_range last;
};

static int note_range(void *ctx, const struct vm_range *range)
{
	struct ranges *r = ctx;

	if (range->ino == r->ino) {
		r->last = *range;
		r->n++;
	}
	return 0;
}

static struct ranges ranges_of(int fd)
{
	struct ranges r = {0};
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	r.ino = st.st_ino;
	assert_int_equal(vm_identity__each_range(getpid(), note_range, &r), 0);
	return r;
}

static void lists_shared_memory(void **state)
{
	int fd = memfd_create("guest", 0);
	struct ranges r;
	char *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8 * MIB), 0);
	p = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * MIB);
	assert_true(p != MAP_FAILED);
	r = ranges_of(fd);
	assert_int_equal(r.n, 1);
	assert_ptr_equal(r.last.start, p);
	assert_ptr_equal(r.last.end, p + 4 * MIB);
	assert_int_equal(r.last.offset, 2 * MIB);

	/* split in two by madvise: still one range */
	assert_int_equal(madvise(p, MIB, MADV_DONTFORK), 0);
	r = ranges_of(fd);
	assert_int_equal(r.n, 1);
	assert_ptr_equal(r.last.end, p + 4 * MIB);

	/* a hole makes two of it */
	assert_int_equal(munmap(p + MIB, MIB), 0);
	r = ranges_of(fd);
	assert_int_equal(r.n, 2);
	assert_ptr_equal(r.last.start, p + 2 * MIB);
	assert_int_equal(r.last.offset, 4 * MIB);
	munmap(p, 4 * MIB);

	/* private copies are not the file's pages */
	p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(ranges_of(fd).n, 0);
	munmap(p, MIB);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_by_convention),
		cmocka_unit_test(names_are_safe_to_print),
		cmocka_unit_test(long_names_are_cut_between_characters),
		cmocka_unit_test(reads_a_process),
		cmocka_unit_test(tells_that_a_process_is_gone),
		cmocka_unit_test(a_zombie_has_a_name),
		cmocka_unit_test(start_ticks_tell_processes_apart),
		cmocka_unit_test(lists_images),
		cmocka_unit_test(lists_shared_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
