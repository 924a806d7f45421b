// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_kernel.h"

#define MEMORY_BYTES (512U << 10)
#define ALIGNMENT 64 /* as the largest of the real ones */

/* What the kernel leaves in tail pages; reading it is a mistake. */
#define TAIL_MAPPING 0xdead000000000400ULL
#define TAIL_INDEX 0x7777777

struct fake_kernel {
	struct btf *vmlinux;
	struct btf *kvm; /* NULL: built in, or not there */
	int map_fd;
	char *memory;  /* as the test sees it */
	__u64 address; /* as the kernel does */
	size_t used;
};

static __attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* ---------------------------------------------------------------- memory */

/*
 * bpf_probe_read_kernel() refuses addresses of user memory, but a map's value is
 * kernel memory, and may be mapped into the test as well. A program that stores
 * the value's address into the value tells where the kernel has it.
 */
static __u64 learn_address(const struct fake_kernel *k)
{
	const struct bpf_insn program[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM, /* r1 = &value */
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_VALUE,
		 .imm = k->map_fd},
		{.code = 0},
		{.code = BPF_STX | BPF_MEM | BPF_DW, /* *(u64 *)r1 = r1 */
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_1},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL", program,
			       sizeof(program) / sizeof(program[0]), NULL);
	__u64 address;

	if (fd < 0 || bpf_prog_test_run_opts(fd, &opts))
		die("a program that tells an address: %s", strerror(errno));
	close(fd);
	memcpy(&address, k->memory, sizeof(address));
	return address;
}

static void map_memory(struct fake_kernel *k)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	k->map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "fake_kernel", sizeof(__u32), MEMORY_BYTES,
				   1, &opts);
	if (k->map_fd < 0)
		die("a map of %u bytes: %s", MEMORY_BYTES, strerror(errno));
	k->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, k->map_fd, 0);
	if (k->memory == MAP_FAILED)
		die("mapping a map: %s", strerror(errno));
}

struct fake_kernel *fake_kernel__new(void)
{
	struct fake_kernel *k = calloc(1, sizeof(*k));

	if (!k)
		die("out of memory");
	k->vmlinux = btf__load_vmlinux_btf();
	if (!k->vmlinux)
		die("the kernel's BTF: %s", strerror(errno));
	if (!access("/sys/kernel/btf/kvm", R_OK))
		k->kvm = btf__load_module_btf("kvm", k->vmlinux);
	map_memory(k);
	k->address = learn_address(k);
	fake_kernel__clear(k);
	return k;
}

void fake_kernel__free(struct fake_kernel *k)
{
	if (!k)
		return;
	munmap(k->memory, MEMORY_BYTES);
	close(k->map_fd);
	btf__free(k->kvm);
	btf__free(k->vmlinux);
	free(k);
}

void fake_kernel__clear(struct fake_kernel *k)
{
	memset(k->memory, 0, MEMORY_BYTES);
	k->used = 0;
}

/* ------------------------------------------------------------------- BTF */

/* Of split BTF every type can be had, also those of vmlinux. */
static const struct btf *btf_of(const struct fake_kernel *k)
{
	return k->kvm ? k->kvm : k->vmlinux;
}

bool fake_kernel__knows(const struct fake_kernel *k, const char *type)
{
	return btf__find_by_name_kind(btf_of(k), type, BTF_KIND_STRUCT) > 0;
}

static __u32 type_id(const struct fake_kernel *k, const char *type)
{
	int id = btf__find_by_name_kind(btf_of(k), type, BTF_KIND_STRUCT);

	if (id < 0)
		die("this kernel has no struct %s", type);
	return id;
}

static const struct btf_type *skip_names(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (btf_is_mod(t) || btf_is_typedef(t))
		t = btf__type_by_id(btf, t->type);
	return t;
}

struct field {
	__u32 type;
	__u32 bits; /* offset */
};

/* The member in a struct or union, unnamed ones within searched, too; adds to the offset. */
static bool find_member(const struct btf *btf, struct field *f, const char *name, size_t len)
{
	const struct btf_type *t = skip_names(btf, f->type);

	for (__u32 i = 0; btf_is_composite(t) && i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const char *its = btf__name_by_offset(btf, m->name_off);
		struct field in = {m->type, f->bits + btf_member_bit_offset(t, i)};

		if (its[0] ? strncmp(its, name, len) || its[len]
			   : !find_member(btf, &in, name, len))
			continue;
		*f = in;
		return true;
	}
	return false;
}

static bool find_path(const struct fake_kernel *k, const char *type, const char *path,
		      struct field *f)
{
	*f = (struct field){.type = type_id(k, type)};
	for (size_t len; *path; path += len + !!path[len]) {
		len = strcspn(path, ".");
		if (!find_member(btf_of(k), f, path, len))
			return false;
	}
	return true;
}

static struct field get_field(const struct fake_kernel *k, const char *type, const char *member)
{
	struct field f;

	if (!find_path(k, type, member, &f) || f.bits % 8)
		die("this kernel's struct %s has no %s", type, member);
	return f;
}

bool fake_kernel__has(const struct fake_kernel *k, const char *type, const char *member)
{
	struct field f;

	return find_path(k, type, member, &f);
}

__u32 fake_kernel__offset(const struct fake_kernel *k, const char *type, const char *member)
{
	return get_field(k, type, member).bits / 8;
}

size_t fake_kernel__size(const struct fake_kernel *k, const char *type)
{
	return btf__resolve_size(btf_of(k), type_id(k, type));
}

int fake_kernel__enumerator(const struct fake_kernel *k, const char *type, const char *name)
{
	const struct btf *btf = btf_of(k);
	int id = btf__find_by_name_kind(btf, type, BTF_KIND_ENUM);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);

	for (__u32 i = 0; t && i < btf_vlen(t); i++) {
		if (!strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), name))
			return btf_enum(t)[i].val;
	}
	return -1;
}

/* --------------------------------------------------------------- objects */

__u64 fake_kernel__make(struct fake_kernel *k, const char *type, size_t n)
{
	size_t bytes = n * fake_kernel__size(k, type), at = k->used;

	if (at + bytes > MEMORY_BYTES)
		die("no room for %zu of struct %s", n, type);
	k->used = (at + bytes + ALIGNMENT - 1) & -ALIGNMENT;
	return k->address + at;
}

/* Both ends of x86 and arm64 are little. */
void fake_kernel__set(struct fake_kernel *k, __u64 object, const char *type, const char *member,
		      __u64 value)
{
	struct field f = get_field(k, type, member);
	size_t bytes = btf__resolve_size(btf_of(k), f.type);

	if (bytes > sizeof(value) || object < k->address ||
	    object + f.bits / 8 + bytes > k->address + MEMORY_BYTES)
		die("%s.%s is not a number, or not of a fake", type, member);
	memcpy(k->memory + (object - k->address) + f.bits / 8, &value, bytes);
}

__u64 fake_page(const struct fake_kernel *k, __u64 pages, size_t i)
{
	return pages + i * fake_kernel__size(k, "page");
}

void fake_page__set_index(struct fake_kernel *k, __u64 page, __u64 index)
{
	bool renamed = fake_kernel__has(k, "page", "__folio_index");

	fake_kernel__set(k, page, "page", renamed ? "__folio_index" : "index", index);
}

/* Replaces the flags: one at a time is all that tests need. */
void fake_page__set_flag(struct fake_kernel *k, __u64 page, const char *flag)
{
	int bit = fake_kernel__enumerator(k, "pageflags", flag);

	if (bit < 0)
		die("this kernel's pages have no %s", flag);
	fake_kernel__set(k, page, "page", "flags", 1ULL << bit);
}

__u64 fake_pages(struct fake_kernel *k, __u64 mapping, __u64 index, size_t n)
{
	__u64 pages = fake_kernel__make(k, "page", n);

	for (size_t i = 0; i < n; i++) {
		fake_kernel__set(k, fake_page(k, pages, i), "page", "mapping", mapping);
		fake_page__set_index(k, fake_page(k, pages, i), index + i);
	}
	return pages;
}

static void set_nr_pages(struct fake_kernel *k, __u64 folio, size_t n)
{
	if (fake_kernel__has(k, "folio", "_nr_pages"))
		fake_kernel__set(k, folio, "folio", "_nr_pages", n);
	else
		fake_kernel__set(k, folio, "folio", "_folio_nr_pages", n);
}

__u64 fake_huge_page(struct fake_kernel *k, __u64 mapping, __u64 index, size_t n)
{
	__u64 head = fake_pages(k, mapping, index, n);

	for (size_t i = 1; i < n; i++) {
		__u64 tail = fake_page(k, head, i);

		fake_kernel__set(k, tail, "page", "mapping", TAIL_MAPPING);
		fake_page__set_index(k, tail, TAIL_INDEX);
		fake_kernel__set(k, tail, "page", "compound_head", head | 1);
	}
	fake_page__set_flag(k, head, "PG_head");
	set_nr_pages(k, head, n);
	return head;
}

__u64 fake_file(struct fake_kernel *k, __u64 magic, __u32 dev, __u64 ino)
{
	__u64 mapping = fake_kernel__make(k, "address_space", 1);
	__u64 inode = fake_kernel__make(k, "inode", 1);
	__u64 sb = fake_kernel__make(k, "super_block", 1);

	fake_kernel__set(k, mapping, "address_space", "host", inode);
	fake_kernel__set(k, inode, "inode", "i_sb", sb);
	fake_kernel__set(k, inode, "inode", "i_ino", ino);
	/* An inode of a block device has the device as its own. */
	fake_kernel__set(k, inode, "inode", "i_rdev", magic == BDEV_MAGIC ? dev : 0);
	fake_kernel__set(k, sb, "super_block", "s_dev", magic == BDEV_MAGIC ? 1 : dev);
	fake_kernel__set(k, sb, "super_block", "s_magic", magic);
	return mapping;
}

__u64 fake_disk(struct fake_kernel *k, int major, int minor)
{
	__u64 bdev = fake_kernel__make(k, "block_device", 1);
	__u64 disk = fake_kernel__make(k, "gendisk", 1);

	fake_kernel__set(k, bdev, "block_device", "bd_disk", disk);
	fake_kernel__set(k, disk, "gendisk", "major", major);
	fake_kernel__set(k, disk, "gendisk", "first_minor", minor);
	return bdev;
}

__u64 fake_bio(struct fake_kernel *k, __u64 disk, __u32 opf, __u64 sector,
	       const struct fake_vec *vecs, size_t n)
{
	__u64 bio = fake_kernel__make(k, "bio", 1), vec = fake_kernel__make(k, "bio_vec", n);
	__u64 bytes = 0;

	for (size_t i = 0; i < n; i++) {
		__u64 at = vec + i * fake_kernel__size(k, "bio_vec");

		fake_kernel__set(k, at, "bio_vec", "bv_page", vecs[i].page);
		fake_kernel__set(k, at, "bio_vec", "bv_offset", vecs[i].offset);
		fake_kernel__set(k, at, "bio_vec", "bv_len", vecs[i].bytes);
		bytes += vecs[i].bytes;
	}
	fake_kernel__set(k, bio, "bio", "bi_bdev", disk);
	fake_kernel__set(k, bio, "bio", "bi_opf", opf);
	fake_kernel__set(k, bio, "bio", "bi_io_vec", vec);
	fake_kernel__set(k, bio, "bio", "bi_iter.bi_sector", sector);
	fake_kernel__set(k, bio, "bio", "bi_iter.bi_size", bytes);
	return bio;
}
