// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as a recording. The first byte chooses how they are taken: as they
 * are, or as the payload of a block with a right checksum, so that the parsers
 * behind it are reached, too.
 */
#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include "../../loader/recording.h"
#include "fuzz.h"

static int take_events(void *ctx, const struct page_event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(events[i].vm < PE_MAX_VMS && events[i].kind < PAGE_EVENT_KINDS);
	return 0;
}

static int take_vm(void *ctx, const struct recording_vm *vm)
{
	check(vm->id < PE_MAX_VMS && memchr(vm->name, 0, sizeof(vm->name)) &&
	      memchr(vm->vmm, 0, sizeof(vm->vmm)));
	return 0;
}

static int take_disk(void *ctx, __u16 disk, const char *name)
{
	check(strlen(name) < 4096);
	return 0;
}

static int take_counters(void *ctx, __u16 vm, const struct vm_counters *c)
{
	check(vm < PE_MAX_VMS);
	return 0;
}

static const struct recording_handlers handlers = {
	.events = take_events,
	.vm = take_vm,
	.disk = take_disk,
	.counters = take_counters,
};

static void read_all(void *data, size_t size)
{
	struct recording_fault fault;
	FILE *f = size ? fmemopen(data, size, "r") : NULL;
	int err;

	if (!f)
		return;
	err = recording__read(f, &handlers, NULL, &fault);
	check(!err || err == -EBADMSG || err == -EINVAL);
	check(!err == !fault.reason[0]);
	check(fault.offset <= size);
	fclose(f);
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = v >> (8 * i);
}

/* A whole header and one stored block of the given type around the bytes. */
static void read_as_block(uint8_t type, const uint8_t *data, size_t size)
{
	uint8_t *file = calloc(1, 24 + 16 + size), *block = file + 24;

	memcpy(file, "hvtrace\n", 8);
	put32(file + 8, 1);
	put32(file + 12, crc32(crc32(crc32(0, NULL, 0), file, 12), file + 16, 8));
	put32(block, type);
	put32(block + 4, size);
	put32(block + 8, size);
	memcpy(block + 16, data, size);
	put32(block + 12, crc32(crc32(crc32(0, NULL, 0), block, 12), block + 16, size));
	read_all(file, 24 + 16 + size);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] % 8)
		read_as_block(data[0] % 8, data + 1, size - 1);
	else
		read_all((void *)(data + 1), size - 1);
	return 0;
}
