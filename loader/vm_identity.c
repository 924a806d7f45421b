// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE /* memrchr */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm_identity.h"

#define COMM_CUT 15		 /* TASK_COMM_LEN - 1: the kernel cuts longer names */
#define CMDLINE_MAX (256 * 1024) /* libvirt's longest are some 20 KiB */

/* A piece of somebody else's memory: not NUL-terminated. */
struct slice {
	const char *s;
	size_t n;
};

static struct slice slice_of(const char *s)
{
	return (struct slice){s, s ? strlen(s) : 0};
}

static bool slice_is(struct slice a, const char *s)
{
	return a.n == strlen(s) && !memcmp(a.s, s, a.n);
}

static bool slice_cut_prefix(struct slice *a, const char *prefix)
{
	size_t n = strlen(prefix);

	if (a->n < n || memcmp(a->s, prefix, n))
		return false;
	a->s += n;
	a->n -= n;
	return true;
}

static bool slice_cut_suffix(struct slice *a, const char *suffix)
{
	size_t n = strlen(suffix);

	if (a->n <= n || memcmp(a->s + a->n - n, suffix, n))
		return false;
	a->n -= n;
	return true;
}

/* Split a path at its last slash; without one, dir is empty. */
static struct slice path_base(struct slice path, struct slice *dir)
{
	const char *slash = path.n ? memrchr(path.s, '/', path.n) : NULL;
	struct slice base = path;

	*dir = (struct slice){path.s, 0};
	if (slash) {
		dir->n = slash - path.s;
		base.s = slash + 1;
		base.n = path.n - dir->n - 1;
	}
	return base;
}

/* The next argument of a NUL-separated list; the last one may lack its NUL. */
static bool next_arg(struct slice *args, struct slice *arg)
{
	const char *nul;

	if (!args->n)
		return false;
	nul = memchr(args->s, '\0', args->n);
	arg->s = args->s;
	arg->n = nul ? (size_t)(nul - args->s) : args->n;
	args->s += arg->n + !!nul;
	args->n -= arg->n + !!nul;
	return true;
}

/* The value of `option VALUE` or `option=VALUE`. The last one counts, as it does for getopt. */
static struct slice option_value(struct slice args, const char *option)
{
	struct slice arg, value = {NULL, 0};

	while (next_arg(&args, &arg)) {
		if (!slice_cut_prefix(&arg, option))
			continue;
		if (!arg.n && !next_arg(&args, &value))
			break;
		if (arg.n && slice_cut_prefix(&arg, "="))
			value = arg;
	}
	return value;
}

/*
 * The next of QEMU's `key=value,key=value` options; a comma within a value is
 * written twice (util/qemu-option.c: get_opt_value). The value is left as written.
 */
static bool next_suboption(struct slice *list, struct slice *key, struct slice *value)
{
	size_t i;

	if (!list->n)
		return false;
	*key = *value = (struct slice){list->s, 0};
	for (i = 0; i < list->n && list->s[i] != '=' && list->s[i] != ','; i++)
		;
	if (i < list->n && list->s[i] == '=') {
		key->n = i++;
		value->s += i;
	} else {
		i = 0;
	}
	for (; i < list->n; i++, value->n++) {
		if (list->s[i] != ',')
			continue;
		if (i + 1 == list->n || list->s[i + 1] != ',')
			break;
		i++, value->n++;
	}
	i += i < list->n;
	list->s += i;
	list->n -= i;
	return true;
}

/* The value of a key; `implied`: the first value may come without its key. */
static struct slice suboption(struct slice list, const char *name, bool implied)
{
	struct slice key, value, found = {NULL, 0};

	while (next_suboption(&list, &key, &value)) {
		if (slice_is(key, name) || (implied && !key.n))
			found = value;
		implied = false;
	}
	return found;
}

/* Names end up on terminals: control characters do not. Cut between characters of UTF-8. */
static void copy_text(char *dst, size_t size, struct slice text, bool commas_doubled)
{
	size_t i, n = 0;

	for (i = 0; i < text.n && n + 1 < size; i++) {
		unsigned char c = text.s[i];

		dst[n++] = c < ' ' || c == 0x7f ? '?' : c;
		if (commas_doubled && c == ',' && i + 1 < text.n && text.s[i + 1] == ',')
			i++;
	}
	if (i < text.n)
		while (n && ((unsigned char)text.s[i] & 0xc0) == 0x80)
			i--, n--;
	dst[n] = '\0';
}

/* Words that name a kind of file, not a VM. */
static bool is_generic(struct slice name)
{
	static const char *const words[] = {
		"api",	   "clh",  "clh-api", "ch",	"ch-api", "crosvm",
		"control", "disk", "root",    "rootfs", "socket", "cloud-hypervisor",
		"vm",	   "vmm",  "tmp",     "run",	"images", "crosvm_control"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_is(name, words[i]))
			return true;
	return !name.n;
}

/* A socket's or image's path is often made of the VM's name: its stem, else its folder. */
static void name_from_path(struct vm_identity *id, struct slice path)
{
	static const char *const suffixes[] = {".sock", ".socket", "-socket",
					       ".raw",	".img",	   ".qcow2"};
	struct slice dir, name = path_base(path, &dir);
	size_t i;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (slice_cut_suffix(&name, suffixes[i]))
			break;
	if (is_generic(name))
		name = path_base(dir, &dir);
	if (!is_generic(name))
		copy_text(id->name, sizeof(id->name), name, false);
}

/* `-name X` or `-name guest=X,...`; libvirt always writes the second. */
static void identify_qemu(struct vm_identity *id, struct slice args)
{
	struct slice name = option_value(args, "-name");

	if (!name.s)
		name = option_value(args, "--name");
	copy_text(id->name, sizeof(id->name), suboption(name, "guest", true), true);
	copy_text(id->uuid, sizeof(id->uuid), option_value(args, "-uuid"), false);
}

static void identify_firecracker(struct vm_identity *id, struct slice args)
{
	copy_text(id->name, sizeof(id->name), option_value(args, "--id"), false);
}

/*
 * Cloud Hypervisor has no option for a name. Those who start it tell VMs apart
 * by the API socket: libvirt's is NAME-socket, Kata's SANDBOX/clh-api.sock.
 */
static void identify_cloud_hypervisor(struct vm_identity *id, struct slice args)
{
	struct slice path = suboption(option_value(args, "--api-socket"), "path", true);

	name_from_path(id, path);
	if (!id->name[0])
		name_from_path(id, suboption(option_value(args, "--disk"), "path", true));
	copy_text(id->uuid, sizeof(id->uuid),
		  suboption(option_value(args, "--platform"), "uuid", false), false);
}

/* --name exists since the end of 2024; the control socket is older. */
static void identify_crosvm(struct vm_identity *id, struct slice args)
{
	struct slice path = option_value(args, "--socket");

	copy_text(id->name, sizeof(id->name), option_value(args, "--name"), false);
	if (!path.s)
		path = option_value(args, "-s");
	if (!id->name[0])
		name_from_path(id, path);
}

/* Any program that follows QEMU's convention, spelled out so that `find -name` does not. */
static void identify_process(struct vm_identity *id, struct slice args)
{
	struct slice name = suboption(option_value(args, "-name"), "guest", false);

	copy_text(id->name, sizeof(id->name), name, true);
}

static const struct vmm {
	const char *name;
	const char *program;
	bool prefix; /* programs carry a suffix: qemu-system-x86_64, firecracker-v1.7.0-x86_64 */
	void (*identify)(struct vm_identity *id, struct slice args);
} vmms[] = {
	{"qemu", "qemu-system-", true, identify_qemu},
	{"qemu", "qemu-kvm", true, identify_qemu},
	{"qemu", "kvm", false, identify_qemu},
	{"firecracker", "firecracker", true, identify_firecracker},
	{"cloud-hypervisor", "cloud-hypervisor", true, identify_cloud_hypervisor},
	{"crosvm", "crosvm", true, identify_crosvm},
};

static bool is_vmm(const struct vmm *vmm, struct slice program, bool cut)
{
	struct slice rest = program;

	if (slice_cut_prefix(&rest, vmm->program))
		return vmm->prefix || !rest.n;
	return cut && program.n == COMM_CUT && !strncmp(vmm->program, program.s, COMM_CUT);
}

static const struct vmm *find_vmm(struct slice program, bool cut)
{
	size_t i;

	for (i = 0; i < sizeof(vmms) / sizeof(vmms[0]); i++)
		if (is_vmm(&vmms[i], program, cut))
			return &vmms[i];
	return NULL;
}

/* The longest name known: comm is cut, argv[0] is not. */
static void name_by_process(struct vm_identity *id, struct slice comm, struct slice program)
{
	char name[40];

	if (!comm.n ||
	    (comm.n == COMM_CUT && program.n > comm.n && !memcmp(comm.s, program.s, comm.n)))
		comm = program;
	copy_text(name, sizeof(name), comm.n ? comm : slice_of("?"), false);
	snprintf(id->name, sizeof(id->name), "%s:%d", name, id->pid);
}

void vm_identity__parse(struct vm_identity *id, pid_t pid, const char *comm, const char *cmdline,
			size_t len)
{
	struct slice args = {cmdline, len}, argv0 = {NULL, 0}, program, dir;
	const struct vmm *vmm;

	memset(id, 0, sizeof(*id));
	id->pid = pid;
	next_arg(&args, &argv0);
	program = path_base(argv0, &dir);
	vmm = find_vmm(program, false);
	if (!vmm)
		vmm = find_vmm(slice_of(comm), true);
	snprintf(id->vmm, sizeof(id->vmm), "%s", vmm ? vmm->name : "process");
	(vmm ? vmm->identify : identify_process)(id, args);
	if (!id->name[0])
		name_by_process(id, slice_of(comm), program);
}

/* Read a file of /proc/PID, at most size - 1 bytes, with a NUL behind. Length or -errno;
 * -ESRCH when the process is gone. */
static ssize_t read_proc(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];
	size_t n;
	FILE *f;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	n = fread(buf, 1, size - 1, f);
	err = ferror(f) ? -errno : 0;
	fclose(f);
	buf[n] = '\0';
	return err ? err : (ssize_t)n;
}

int vm_identity__read(struct vm_identity *id, pid_t pid)
{
	char comm[32], *cmdline;
	ssize_t n;

	n = read_proc(pid, "comm", comm, sizeof(comm));
	if (n < 0)
		return n;
	comm[strcspn(comm, "\n")] = '\0';
	cmdline = malloc(CMDLINE_MAX);
	if (!cmdline)
		return -ENOMEM;
	/* A process that ends now, or a kernel thread, has no command line: comm is enough. */
	n = read_proc(pid, "cmdline", cmdline, CMDLINE_MAX);
	vm_identity__parse(id, pid, comm, cmdline, n > 0 ? n : 0);
	free(cmdline);
	return 0;
}
