// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <liburing.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "probe.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"
#define KVM_BTF "/sys/kernel/btf/kvm"
#define ASK_ROOT "run `hvtrace doctor` as root to check it"
#define CAP(name) (1ULL << (name))

struct host {
	struct probe_result *out;
	size_t n, max;
	__u64 caps;
	bool may_bpf;	     /* by capability */
	struct btf *vmlinux; /* NULL: none */
	struct btf *kvm;     /* KVM as a module */
	int tracepoints;     /* found */
};

/* Adds a result; its fix may be set later. A result too many goes to the last place. */
__attribute__((format(printf, 4, 5))) static struct probe_result *
host__add(struct host *h, const char *name, enum probe_verdict verdict, const char *found, ...)
{
	struct probe_result *r = &h->out[h->n < h->max ? h->n++ : h->max - 1];
	va_list args;

	r->name = name;
	r->verdict = verdict;
	r->fix[0] = '\0';
	va_start(args, found);
	vsnprintf(r->found, sizeof(r->found), found, args);
	va_end(args);
	return r;
}

__attribute__((format(printf, 2, 3))) static void fix(struct probe_result *r, const char *how, ...)
{
	va_list args;

	va_start(args, how);
	vsnprintf(r->fix, sizeof(r->fix), how, args);
	va_end(args);
}

/* First line of a file, without its newline; "" when it cannot be read. */
static int read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	char *got;

	line[0] = '\0';
	if (!f)
		return -errno;
	got = fgets(line, size, f);
	fclose(f);
	if (!got)
		return -ENODATA;
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

/* The number behind a key at the start of a line: "HugePages_Free:   12". */
static bool read_field(const char *path, const char *key, const char *format, __u64 *value)
{
	FILE *f = fopen(path, "re");
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, key, strlen(key)) &&
			sscanf(line + strlen(key), format, value) == 1;
	if (f)
		fclose(f);
	return found;
}

/* --- privileges and kernel --------------------------------------------------------------- */

static void check_privileges(struct host *h)
{
	struct probe_result *r;

	if (!h->may_bpf) {
		r = host__add(h, "root", PROBE_FATAL, "no capability to load BPF programs");
		fix(r, "run as root (sudo hvtrace), or with CAP_BPF, CAP_PERFMON and "
		       "CAP_SYS_PTRACE");
	} else if (!(h->caps & CAP(CAP_SYS_PTRACE))) {
		r = host__add(h, "root", PROBE_MISSING, "BPF, but not CAP_SYS_PTRACE");
		fix(r, "add CAP_SYS_PTRACE: without it other users' VMs stay nameless");
	} else if (!(h->caps & CAP(CAP_SYS_ADMIN))) {
		r = host__add(h, "root", PROBE_MISSING, "BPF, but not CAP_SYS_ADMIN");
		fix(r, "add CAP_SYS_ADMIN: without it a KVM module's tracepoints are not found");
	} else {
		host__add(h, "root", PROBE_OK, "all capabilities that are needed");
	}
}

static void check_kernel(struct host *h)
{
	struct utsname u;

	uname(&u);
	host__add(h, "kernel", PROBE_OK, "%s %.60s, %.20s", u.sysname, u.release, u.machine);
}

static void check_btf(struct host *h)
{
	if (h->vmlinux) {
		host__add(h, "BTF", PROBE_OK, "%s, %u types", VMLINUX_BTF,
			  btf__type_cnt(h->vmlinux));
		return;
	}
	fix(host__add(h, "BTF", PROBE_FATAL, "no " VMLINUX_BTF),
	    "boot a kernel with CONFIG_DEBUG_INFO_BTF=y (all of Debian's since 11 have it), and "
	    "mount sysfs");
}

/* Confidentiality forbids bpf_probe_read_kernel (security/security.c: LOCKDOWN_BPF_READ_KERNEL). */
static void check_lockdown(struct host *h)
{
	char line[128];

	if (read_line("/sys/kernel/security/lockdown", line, sizeof(line)))
		host__add(h, "lockdown", PROBE_OK, "off, or not told");
	else if (strstr(line, "[confidentiality]"))
		fix(host__add(h, "lockdown", PROBE_FATAL, "%s", line),
		    "boot without lockdown=confidentiality: it forbids BPF to read kernel memory");
	else
		host__add(h, "lockdown", PROBE_OK, "%s", line);
}

/* --- BPF --------------------------------------------------------------------------------- */

/* Compare and swap came later than the other atomics' encoding (5.12, commit 5ffa25502b5a). */
static bool has_cmpxchg(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_1,
		 .off = -8,
		 .imm = BPF_CMPXCHG},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL", insns,
			       sizeof(insns) / sizeof(insns[0]), NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool has_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, helper, NULL) == 1;
}

/* A ring buffer made for good tells a kernel without one from one that refuses us. */
static int try_ring_buffer(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, getpagesize(), NULL);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void check_features(struct host *h)
{
	struct probe_result *r;
	const char *lacks;
	int err;

	if (!h->may_bpf) {
		fix(host__add(h, "BPF", PROBE_MISSING, "needs root to check"), ASK_ROOT);
		return;
	}
	err = try_ring_buffer();
	if (err == -EPERM || err == -EACCES || err == -ENOSYS) {
		r = host__add(h, "BPF", PROBE_FATAL, "bpf() is refused: %s", strerror(-err));
		fix(r, "run on the host itself; a container needs its bpf() allowed (seccomp, "
		       "capabilities, no user namespace)");
		return;
	}
	lacks = err ? "ring buffers (5.8)" : NULL;
	if (!lacks && !has_cmpxchg())
		lacks = "atomic operations (5.12)";
	if (!lacks && !has_helper(BPF_FUNC_task_pt_regs))
		lacks = "bpf_task_pt_regs (5.15)";
	if (!lacks && !has_helper(BPF_FUNC_loop))
		lacks = "bpf_loop (5.17)";
	if (lacks)
		fix(host__add(h, "BPF", PROBE_FATAL, "lacks %s", lacks),
		    "boot a kernel of at least 5.17; Debian 12's 6.1 will do");
	else
		host__add(h, "BPF", PROBE_OK, "ring buffer, atomics, bpf_loop");
}

static void check_jit(struct host *h)
{
	char line[16];
	int err = read_line("/proc/sys/net/core/bpf_jit_enable", line, sizeof(line));

	if (err == -EACCES || err == -EPERM)
		fix(host__add(h, "BPF JIT", PROBE_MISSING, "needs root to check"), ASK_ROOT);
	else if (err)
		fix(host__add(h, "BPF JIT", PROBE_MISSING, "this kernel has none"),
		    "expect several times the cost: boot a kernel with CONFIG_BPF_JIT=y");
	else if (line[0] == '0')
		fix(host__add(h, "BPF JIT", PROBE_MISSING, "off: programs are interpreted"),
		    "sysctl net.core.bpf_jit_enable=1");
	else
		host__add(h, "BPF JIT", PROBE_OK, "on");
}

/* Since 5.11 BPF memory is the memory cgroup's matter; libbpf finds out by this helper, too. */
static void check_memlock(struct host *h)
{
	struct rlimit limit = {0};

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (!h->may_bpf)
		fix(host__add(h, "memlock", PROBE_MISSING, "needs root to check"), ASK_ROOT);
	else if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SOCKET_FILTER, BPF_FUNC_ktime_get_coarse_ns,
					 NULL) == 1)
		host__add(h, "memlock", PROBE_OK, "BPF memory is charged to the memory cgroup");
	else if (limit.rlim_cur == RLIM_INFINITY || h->caps & CAP(CAP_SYS_RESOURCE))
		host__add(h, "memlock", PROBE_OK, "no limit, or one that may be raised");
	else
		fix(host__add(h, "memlock", PROBE_MISSING, "RLIMIT_MEMLOCK is %llu KiB",
			      (unsigned long long)limit.rlim_cur / 1024),
		    "ulimit -l unlimited");
}

static void check_tracefs(struct host *h)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	char path[64];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/events", places[i]);
		if (!access(path, F_OK)) {
			host__add(h, "tracefs", PROBE_OK, "%s", places[i]);
			return;
		}
	}
	if (!(h->caps & CAP(CAP_DAC_READ_SEARCH)) && !access(places[0], F_OK)) {
		fix(host__add(h, "tracefs", PROBE_MISSING, "needs root to check"), ASK_ROOT);
		return;
	}
	fix(host__add(h, "tracefs", PROBE_MISSING, "not mounted; hvtrace does without"),
	    "mount -t tracefs tracefs /sys/kernel/tracing");
}

/* --- tracepoints ------------------------------------------------------------------------- */

/* btf_trace_NAME is a typedef of a pointer to the probe's prototype: void *, then the
 * tracepoint's own arguments (include/trace/bpf_probe.h). */
static int count_args(const struct btf *btf, const char *name)
{
	const struct btf_type *t;
	char type[128];
	int id;

	if (!btf)
		return -ENOENT;
	snprintf(type, sizeof(type), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -ENOENT;
	t = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	if (!t || !btf_is_ptr(t))
		return -ENOENT;
	t = btf__type_by_id(btf, t->type);
	if (!t || !btf_is_func_proto(t) || !btf_vlen(t))
		return -ENOENT;
	return btf_vlen(t) - 1;
}

static struct btf *load_btf(const char *path, struct btf *base)
{
	struct btf *btf;

	if (access(path, R_OK))
		return NULL;
	btf = base ? btf__parse_split(path, base) : btf__parse(path, NULL);
	return libbpf_get_error(btf) ? NULL : btf;
}

int probe__tracepoint_args(const char *name)
{
	struct btf *vmlinux = load_btf(VMLINUX_BTF, NULL), *kvm = NULL;
	int n = count_args(vmlinux, name);

	if (n < 0 && vmlinux) {
		kvm = load_btf(KVM_BTF, vmlinux);
		n = count_args(kvm, name);
	}
	btf__free(kvm);
	btf__free(vmlinux);
	return n;
}

static const struct tracepoint {
	const char *name;
	const char *older; /* its name on older kernels, or NULL */
	bool kvm;
	const char *loses; /* what hvtrace does not see without it */
} tracepoints[] = {
	{"block_bio_queue", NULL, false, "fills, writebacks and evictions"},
	{"block_bio_complete", NULL, false, "I/O latency"},
	{"block_rq_complete", NULL, false, "I/O latency"},
	{"kvm_page_fault", NULL, true, "KVM faults with two-dimensional paging"},
	{"kvm_mmu_spte_requested", NULL, true, "KVM faults with shadow paging"},
	{"kvm_unmap_hva_range", NULL, true, "ballooned and discarded memory"},
	{"mm_vmscan_write_folio", "mm_vmscan_writepage", false, "guest memory paged out"},
	{"mm_filemap_add_to_page_cache", NULL, false, "buffered images"},
	{"mm_filemap_delete_from_page_cache", NULL, false, "buffered images"},
};

static bool kvm_is_loaded(void)
{
	return !access("/sys/module/kvm", F_OK);
}

/* The module that this processor needs, or NULL when it has no virtualisation to show. */
static const char *kvm_module(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	const char *module = NULL;
	char *line = NULL;
	size_t size = 0;

	while (f && !module && getline(&line, &size, f) > 0) {
		if (strncmp(line, "flags", 5))
			continue;
		module = strstr(line, " vmx") ? "kvm_intel" : strstr(line, " svm") ? "kvm_amd" : "";
	}
	free(line);
	if (f)
		fclose(f);
	return module && *module ? module : NULL;
}

static void fix_missing_tracepoint(struct probe_result *r, const struct tracepoint *tp, bool know)
{
	const char *module = kvm_module();

	if (!know)
		fix(r, "see BTF above");
	else if (!tp->kvm)
		fix(r, "boot a kernel that has it; not seen until then: %s", tp->loses);
	else if (!kvm_is_loaded())
		fix(r, "modprobe %s; hvtrace attaches as soon as it is there",
		    module ? module : "kvm");
	else
		fix(r, "boot a kernel with CONFIG_DEBUG_INFO_BTF_MODULES=y; not seen: %s",
		    tp->loses);
}

static void check_tracepoint(struct host *h, const struct tracepoint *tp)
{
	const char *name = tp->name, *where = "vmlinux";
	struct probe_result *r;
	int n = count_args(h->vmlinux, name);

	if (n < 0 && tp->kvm) {
		n = count_args(h->kvm, name);
		where = "module kvm";
	}
	if (n < 0 && tp->older) {
		name = tp->older;
		n = count_args(h->vmlinux, name);
	}
	if (n >= 0) {
		h->tracepoints++;
		host__add(h, name, PROBE_OK, "%s, %d argument%s", where, n, n == 1 ? "" : "s");
		return;
	}
	r = host__add(h, tp->name, PROBE_MISSING,
		      !h->vmlinux		    ? "cannot be known without BTF"
		      : tp->kvm && !kvm_is_loaded() ? "KVM is not loaded"
						    : "this kernel has none");
	fix_missing_tracepoint(r, tp, h->vmlinux);
}

static void check_tracepoints(struct host *h)
{
	size_t i;

	for (i = 0; i < sizeof(tracepoints) / sizeof(tracepoints[0]); i++)
		check_tracepoint(h, &tracepoints[i]);
	if (!h->tracepoints && h->vmlinux)
		fix(host__add(h, "tracepoints", PROBE_FATAL, "not one of those above"),
		    "boot a kernel with CONFIG_TRACEPOINTS=y and CONFIG_BLOCK=y");
}

/* --- comforts ---------------------------------------------------------------------------- */

static void check_kvm(struct host *h)
{
	const char *module = kvm_module();
	struct probe_result *r;

	if (!access("/dev/kvm", F_OK) && kvm_is_loaded()) {
		host__add(h, "KVM", PROBE_OK, "/dev/kvm");
		return;
	}
	r = host__add(h, "KVM", PROBE_MISSING, "%s",
		      kvm_is_loaded() ? "loaded, but no /dev/kvm"
				      : "not loaded: no KVM VM can run");
	if (module)
		fix(r, "modprobe %s; without it only processes given with -p are traced", module);
	else
		fix(r,
		    "enable VT-x or AMD-V in the firmware (or nested virtualisation); until then "
		    "trace processes with -p");
}

/* The engine asks for huge pages, for fewer TLB misses; it works without. */
static void check_huge_pages(struct host *h)
{
	__u64 free_pages = 0, kib = 2048;
	char thp[64];

	read_field("/proc/meminfo", "HugePages_Free:", "%llu", &free_pages);
	read_field("/proc/meminfo", "Hugepagesize:", "%llu", &kib);
	read_line("/sys/kernel/mm/transparent_hugepage/enabled", thp, sizeof(thp));
	if (free_pages)
		host__add(h, "huge pages", PROBE_OK, "%llu free of %llu KiB", free_pages, kib);
	else if (strstr(thp, "[always]") || strstr(thp, "[madvise]"))
		host__add(h, "huge pages", PROBE_OK, "none reserved; transparent ones: %s", thp);
	else
		fix(host__add(h, "huge pages", PROBE_MISSING, "none reserved, no transparent ones"),
		    "sysctl vm.nr_hugepages=64, or echo madvise > "
		    "/sys/kernel/mm/transparent_hugepage/enabled");
}

/* Serving disks does without, with threads: each request costs more then. */
static void check_io_uring(struct host *h)
{
	struct io_uring ring;
	int err = io_uring_queue_init(1, &ring, 0);
	struct probe_result *r;

	if (!err) {
		io_uring_queue_exit(&ring);
		host__add(h, "io_uring", PROBE_OK, "for hvtrace serve");
		return;
	}
	r = host__add(h, "io_uring", PROBE_MISSING, "refused: %s", strerror(-err));
	if (err == -EPERM)
		fix(r, "sysctl kernel.io_uring_disabled=0, and let seccomp allow it; without it "
		       "hvtrace serve reads and writes by threads");
	else if (err == -ENOMEM)
		fix(r, "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=); until then "
		       "hvtrace serve reads and writes by threads");
	else
		fix(r, "boot a kernel with CONFIG_IO_URING=y; until then hvtrace serve reads and "
		       "writes by threads");
}

/* --- all of it --------------------------------------------------------------------------- */

size_t probe__run(struct probe_result *out, size_t max)
{
	static void (*const checks[])(struct host * h) = {
		check_privileges, check_kernel,	     check_btf,	       check_lockdown,
		check_features,	  check_jit,	     check_memlock,    check_tracefs,
		check_kvm,	  check_tracepoints, check_huge_pages, check_io_uring,
	};
	struct host h = {.out = out, .max = max};
	libbpf_print_fn_t print;
	size_t i;

	if (!max)
		return 0;
	/* Probing is trying: what fails is our result, not libbpf's message. */
	print = libbpf_set_print(NULL);
	read_field("/proc/self/status", "CapEff:", "%llx", &h.caps);
	h.may_bpf =
		h.caps & CAP(CAP_SYS_ADMIN) || (h.caps & CAP(CAP_BPF) && h.caps & CAP(CAP_PERFMON));
	h.vmlinux = load_btf(VMLINUX_BTF, NULL);
	h.kvm = h.vmlinux ? load_btf(KVM_BTF, h.vmlinux) : NULL;
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&h);
	btf__free(h.kvm);
	btf__free(h.vmlinux);
	libbpf_set_print(print);
	return h.n;
}

const struct probe_result *probe__fatal(const struct probe_result *r, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (r[i].verdict == PROBE_FATAL)
			return &r[i];
	return NULL;
}
