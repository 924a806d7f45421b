// SPDX-License-Identifier: GPL-2.0
/* Recordings: what goes in comes out, and no damage passes for a whole file. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../loader/recording.h"

/* All that a reader handed over, in a form that can be compared. */
struct heard {
	struct page_event *events;
	size_t nr_events, room;
	struct recording_vm vms[4];
	size_t nr_vms;
	char disk[64];
	__u16 disk_id;
	struct vm_counters counters;
	__u16 counters_vm;
	__u64 thresholds[4];
	size_t nr_thresholds, events_at_threshold;
	struct recording_loss loss;
	int nr_loss;
	int stop; /* returned by the events handler */
};

static int hear_events(void *ctx, const struct page_event *events, size_t n)
{
	struct heard *h = ctx;

	if (h->nr_events + n > h->room) {
		h->room = (h->nr_events + n) * 2;
		h->events = realloc(h->events, h->room * sizeof(*events));
		assert_non_null(h->events);
	}
	memcpy(h->events + h->nr_events, events, n * sizeof(*events));
	h->nr_events += n;
	return h->stop;
}

static int hear_vm(void *ctx, const struct recording_vm *vm)
{
	struct heard *h = ctx;

	if (h->nr_vms < 4)
		h->vms[h->nr_vms++] = *vm;
	return 0;
}

static int hear_disk(void *ctx, __u16 disk, const char *name)
{
	struct heard *h = ctx;

	h->disk_id = disk;
	snprintf(h->disk, sizeof(h->disk), "%s", name);
	return 0;
}

static int hear_counters(void *ctx, __u16 vm, const struct vm_counters *c)
{
	struct heard *h = ctx;

	h->counters_vm = vm;
	h->counters = *c;
	return 0;
}

static int hear_threshold(void *ctx, __u64 threshold)
{
	struct heard *h = ctx;

	if (h->nr_thresholds < 4)
		h->thresholds[h->nr_thresholds++] = threshold;
	h->events_at_threshold = h->nr_events;
	return 0;
}

static int hear_loss(void *ctx, const struct recording_loss *loss)
{
	struct heard *h = ctx;

	h->loss = *loss;
	h->nr_loss++;
	return 0;
}

static const struct recording_handlers handlers = {
	.events = hear_events,
	.vm = hear_vm,
	.disk = hear_disk,
	.counters = hear_counters,
	.threshold = hear_threshold,
	.loss = hear_loss,
};

static int read_bytes(const void *data, size_t n, struct heard *h, struct recording_fault *fault)
{
	/* fmemopen refuses a length of 0. */
	FILE *f = n ? fmemopen((void *)data, n, "r") : fopen("/dev/null", "r");
	int err;

	assert_non_null(f);
	err = recording__read(f, &handlers, h, fault);
	fclose(f);
	return err;
}

static __u64 next_random(__u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Every field takes every size, from small steps to the whole range. */
static void make_events(struct page_event *events, size_t n, __u64 seed)
{
	memset(events, 0, n * sizeof(*events));
	for (size_t i = 0; i < n; i++) {
		__u64 wide = next_random(&seed) >> next_random(&seed) % 64;
		struct page_event *e = &events[i];

		e->time = i ? events[i - 1].time + (wide & 0xffff) : 1ULL << 40;
		e->page = next_random(&seed) >> next_random(&seed) % 64;
		e->frame = i % 5 ? wide : PE_FRAME_NONE;
		e->count = i % 7 ? 1 : (__u32)next_random(&seed);
		e->vm = next_random(&seed) % PE_MAX_VMS;
		e->kind = i % PAGE_EVENT_KINDS;
		e->space = next_random(&seed) % PAGE_SPACES;
		e->flags = i % 3 ? 0 : next_random(&seed) % 128;
	}
}

static const struct recording_loss some_loss = {1, 2, 3, ~0ULL, 5, 6};

static struct recording_vm some_vm(void)
{
	struct recording_vm vm = {
		.id = PE_MAX_VMS - 1, .pid = 4194303, .generation = ~0ULL, .mem_pages = 7};

	memset(vm.name, 'n', sizeof(vm.name) - 1);
	strcpy(vm.vmm, "firecracker");
	return vm;
}

static struct vm_counters some_counters(void)
{
	struct vm_counters c = {.fills = 1, .io_errors = ~0ULL, .events = 1000};

	c.latency[1][PE_LATENCY_BUCKETS - 1] = 42;
	return c;
}

/* A recording of n events with a record of each kind half-way; freed by the caller. */
static char *make_recording(const struct page_event *events, size_t n, size_t *size)
{
	char *data = NULL;
	FILE *f = open_memstream(&data, size);
	struct recording_vm vm = some_vm();
	struct vm_counters counters = some_counters();
	struct recording_writer *w;
	int err;

	w = recording_writer__new(f, 12345, &err);
	assert_non_null(w);
	assert_int_equal(recording_writer__events(w, events, n / 2), 0);
	assert_int_equal(recording_writer__threshold(w, 99), 0);
	assert_int_equal(recording_writer__vm(w, &vm), 0);
	assert_int_equal(recording_writer__disk(w, 65535, "/images/a disk"), 0);
	assert_int_equal(recording_writer__events(w, events + n / 2, n - n / 2), 0);
	assert_int_equal(recording_writer__counters(w, 3, &counters), 0);
	assert_int_equal(recording_writer__finish(w, &some_loss), 0);
	fflush(f);
	assert_int_equal(recording_writer__bytes(w), *size);
	recording_writer__free(w);
	fclose(f);
	return data;
}

static void check_round_trip(size_t n)
{
	struct page_event *events = calloc(n + 1, sizeof(*events));
	struct recording_vm vm = some_vm();
	struct vm_counters counters = some_counters();
	struct recording_fault fault;
	struct heard h = {0};
	size_t size;
	char *data;

	make_events(events, n, 88172645463325252ULL);
	data = make_recording(events, n, &size);
	assert_int_equal(read_bytes(data, size, &h, &fault), 0);
	assert_string_equal(fault.reason, "");
	assert_false(fault.truncated);
	assert_int_equal(h.nr_events, n);
	for (size_t i = 0; i < n; i++)
		assert_memory_equal(&h.events[i], &events[i], sizeof(*events));
	assert_int_equal(h.nr_vms, 1);
	assert_memory_equal(&h.vms[0], &vm, sizeof(vm));
	assert_string_equal(h.disk, "/images/a disk");
	assert_int_equal(h.disk_id, 65535);
	assert_int_equal(h.counters_vm, 3);
	assert_memory_equal(&h.counters, &counters, sizeof(counters));
	assert_int_equal(h.nr_thresholds, 2);
	assert_int_equal(h.thresholds[0], 12345);
	assert_int_equal(h.thresholds[1], 99);
	assert_int_equal(h.events_at_threshold, n / 2);
	assert_int_equal(h.nr_loss, 1);
	assert_memory_equal(&h.loss, &some_loss, sizeof(some_loss));
	free(h.events);
	free(events);
	free(data);
}

static void round_trip(void **state)
{
	check_round_trip(0);
	check_round_trip(1);
	check_round_trip(1000);
	/* More than a block's worth on either side of the records. */
	check_round_trip(100003);
}

/* A cold scan, the most usual trace, must pack well below its 32 bytes an event. */
static void scan_is_small(void **state)
{
	enum { n = 20000 };
	struct page_event *events = calloc(n, sizeof(*events));
	size_t size;
	char *data;

	for (size_t i = 0; i < n; i++)
		events[i] = (struct page_event){.time = 1000000 + 1537 * i,
						.page = pe_page(3, 800 + i),
						.frame = 0x7f0000000 + i,
						.count = 1};
	data = make_recording(events, n, &size);
	assert_true(size < 4 * n);
	free(data);
	free(events);
}

enum { SMALL = 40 };

static char *small_recording(struct page_event *events, size_t *size)
{
	make_events(events, SMALL, 362436069);
	return make_recording(events, SMALL, size);
}

/* What was read before a fault must be what was written. */
static void check_prefix(const struct heard *h, const struct page_event *events)
{
	assert_true(h->nr_events <= SMALL);
	for (size_t i = 0; i < h->nr_events; i++)
		assert_memory_equal(&h->events[i], &events[i], sizeof(*events));
}

static void every_truncation(void **state)
{
	struct page_event events[SMALL];
	size_t size, full_prefix = 0;
	char *data = small_recording(events, &size);

	for (size_t n = 0; n < size; n++) {
		struct recording_fault fault;
		struct heard h = {0};
		int err = read_bytes(data, n, &h, &fault);

		assert_int_equal(err, n < 8 ? -EINVAL : -EBADMSG);
		assert_true(fault.reason[0]);
		if (n >= 8) {
			assert_true(fault.truncated);
			assert_int_equal(fault.offset, n);
		}
		check_prefix(&h, events);
		full_prefix += h.nr_events == SMALL;
		free(h.events);
	}
	/* All events are there once the last block of them is. */
	assert_true(full_prefix > 0);
	free(data);
}

static void every_bit_flip(void **state)
{
	struct page_event events[SMALL];
	size_t size;
	char *data = small_recording(events, &size);

	for (size_t bit = 0; bit < size * 8; bit++) {
		struct recording_fault fault;
		struct heard h = {0};
		int err;

		data[bit / 8] ^= 1 << bit % 8;
		err = read_bytes(data, size, &h, &fault);
		assert_true(err == -EBADMSG || (err == -EINVAL && bit < 64));
		assert_true(fault.reason[0]);
		assert_null(strchr(fault.reason, '\n'));
		assert_true(fault.offset <= size);
		check_prefix(&h, events);
		free(h.events);
		data[bit / 8] ^= 1 << bit % 8;
	}
	free(data);
}

/* A missing block leaves every checksum right: only the end mark tells. */
static void missing_block(void **state)
{
	struct page_event events[SMALL];
	struct recording_fault fault;
	struct heard h = {0};
	size_t size, block;
	char *data = small_recording(events, &size);
	__u32 stored;

	memcpy(&stored, data + 24 + 8, sizeof(stored));
	block = 16 + le32toh(stored);
	memmove(data + 24, data + 24 + block, size - 24 - block);
	assert_int_equal(read_bytes(data, size - block, &h, &fault), -EBADMSG);
	assert_false(fault.truncated);
	assert_int_equal(h.nr_events, SMALL - SMALL / 2);
	free(h.events);
	free(data);
}

static void trailing_data(void **state)
{
	struct page_event events[SMALL];
	struct recording_fault fault;
	struct heard h = {0};
	size_t size;
	char *data = small_recording(events, &size);

	data = realloc(data, size + 1);
	data[size] = 0;
	assert_int_equal(read_bytes(data, size + 1, &h, &fault), -EBADMSG);
	assert_int_equal(fault.offset, size);
	assert_int_equal(h.nr_events, SMALL);
	free(h.events);
	free(data);
}

static void not_a_recording(void **state)
{
	static const char text[] = "time,page\n1,2\n3,4\n1,2\n3,4\n1,2\n3,4\n";
	struct recording_fault fault;
	struct heard h = {0};

	assert_int_equal(read_bytes(text, sizeof(text), &h, &fault), -EINVAL);
	assert_non_null(strstr(fault.reason, "not an hvtrace recording"));
}

static void handler_stops(void **state)
{
	struct page_event events[SMALL];
	struct recording_fault fault;
	struct heard h = {.stop = -ECANCELED};
	size_t size;
	char *data = small_recording(events, &size);

	assert_int_equal(read_bytes(data, size, &h, &fault), -ECANCELED);
	assert_int_equal(h.nr_events, SMALL / 2);
	assert_int_equal(h.nr_vms, 0);
	free(h.events);
	free(data);
}

static void writer_refuses(void **state)
{
	struct page_event bad_kind = {.kind = PAGE_EVENT_KINDS}, bad_vm = {.vm = PE_MAX_VMS};
	struct recording_vm vm = {.id = PE_MAX_VMS};
	char buffer[4096];
	FILE *f = fmemopen(buffer, sizeof(buffer), "w");
	int err;
	struct recording_writer *w = recording_writer__new(f, PE_SAMPLE_ALL, &err);

	assert_non_null(w);
	assert_int_equal(recording_writer__events(w, &bad_kind, 1), -EINVAL);
	assert_int_equal(recording_writer__events(w, &bad_vm, 1), -EINVAL);
	assert_int_equal(recording_writer__vm(w, &vm), -EINVAL);
	recording_writer__free(w);
	fclose(f);
}

/* The first error sticks, and a writer never begins on a disk that is full. */
static void full_disk(void **state)
{
	FILE *f = fopen("/dev/full", "w");
	int err = 0;

	assert_non_null(f);
	assert_null(recording_writer__new(f, PE_SAMPLE_ALL, &err));
	assert_int_equal(err, -ENOSPC);
	fclose(f);
}

/* A disk with room for so many bytes yet. */
static ssize_t write_to_small_disk(void *cookie, const char *data, size_t n)
{
	size_t *room = cookie;

	if (n > *room) {
		errno = ENOSPC;
		return 0;
	}
	*room -= n;
	return n;
}

static void error_sticks(void **state)
{
	struct page_event events[SMALL];
	struct recording_loss loss = {0};
	struct recording_writer *w;
	size_t room = 100;
	int err;
	FILE *f = fopencookie(&room, "w", (cookie_io_functions_t){.write = write_to_small_disk});

	make_events(events, SMALL, 1);
	w = recording_writer__new(f, PE_SAMPLE_ALL, &err);
	assert_non_null(w);
	assert_int_equal(recording_writer__events(w, events, SMALL), 0);
	assert_int_equal(recording_writer__flush(w), -ENOSPC);
	room = 1 << 20;
	assert_int_equal(recording_writer__events(w, events, 1), -ENOSPC);
	assert_int_equal(recording_writer__finish(w, &loss), -ENOSPC);
	recording_writer__free(w);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),	    cmocka_unit_test(scan_is_small),
		cmocka_unit_test(every_truncation), cmocka_unit_test(every_bit_flip),
		cmocka_unit_test(missing_block),    cmocka_unit_test(trailing_data),
		cmocka_unit_test(not_a_recording),  cmocka_unit_test(handler_stops),
		cmocka_unit_test(writer_refuses),   cmocka_unit_test(full_disk),
		cmocka_unit_test(error_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
