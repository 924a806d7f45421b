// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as a trace. The first byte chooses the format (or to tell it by content), and whether
 * malformed records are left out; the rest is the file. What is left out and what is not must fit
 * together, and packing the file must change nothing.
 */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "../../loader/recording.h"
#include "../../loader/trace/trace.h"
#include "fuzz.h"

/* A few short lines can ask for GiB: enough of them for every path. */
#define REFS_MAX (1 << 20)

struct result {
	__u64 refs, sum, last_time, bad;
	int rc;
};

static void add_batch(struct result *r, const struct trace *t, const struct trace_batch *b)
{
	check(b->n > 0);
	check(trace__timed(t) == !!b->times);
	for (size_t i = 0; i < b->n; i++) {
		r->sum = r->sum * 31 + b->pages[i];
		if (!b->times)
			continue;
		check(b->times[i] >= r->last_time);
		r->last_time = b->times[i];
	}
	r->refs += b->n;
}

static void read_recording(struct trace *t)
{
	struct recording_handlers none = {0};
	struct recording_fault fault;

	recording__read(trace__recording(t), &none, NULL, &fault);
}

static struct result read_trace(const char *path, const char *format, bool skip_bad)
{
	struct trace_opts opts = {.sz = sizeof(opts), .format = format, .skip_bad = skip_bad};
	struct result r = {.rc = 1};
	struct trace_fault fault;
	struct trace *t = trace__open(path, &opts, &fault);
	struct trace_batch b;

	if (!t) {
		check(errno > 0 && fault.reason[0]);
		r.rc = -errno;
		return r;
	}
	if (trace__recording(t))
		read_recording(t);
	/* Of a recording, this is refused. */
	while (r.refs < REFS_MAX && (r.rc = trace__next(t, &b)) > 0)
		add_batch(&r, t, &b);
	r.bad = trace__bad(t);
	check(r.rc >= 0 || trace__fault(t)->reason[0]);
	check(r.rc != -EINVAL || !skip_bad || trace__recording(t));
	check(!r.bad || skip_bad);
	trace__close(t);
	return r;
}

static struct result read_bytes(const void *data, size_t size, const char *format, bool skip_bad)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct result r;
	char path[32];

	check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = read_trace(path, format, skip_bad);
	close(fd);
	return r;
}

/* Batches are cut at other places; the references are the same. */
static void check_packed(const uint8_t *data, size_t size, const char *format, bool skip_bad,
			 struct result plain)
{
	size_t room = ZSTD_compressBound(size), n;
	void *packed = malloc(room);
	struct result r;

	check(packed != NULL);
	n = ZSTD_compress(packed, room, data, size, 1);
	check(!ZSTD_isError(n));
	r = read_bytes(packed, n, format, skip_bad);
	free(packed);
	check(r.rc == plain.rc && r.bad == plain.bad && r.refs == plain.refs && r.sum == plain.sum);
}

/* Such a file is unpacked once, not twice. */
static bool looks_packed(const uint8_t *data, size_t size)
{
	return size >= 3 && (!memcmp(data, "\x1f\x8b", 2) || !memcmp(data, "\x28\xb5\x2f", 3) ||
			     !memcmp(data + 1, "\x2a\x4d", 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const formats[] = {NULL,    "u64",	   "csv", "oracleGeneral",
					      "vscsi", "blkparse", "msr", "own"};
	const char *format;
	struct result r;
	bool skip_bad;

	if (!size)
		return 0;
	format = formats[data[0] & 7];
	skip_bad = data[0] & 8;
	r = read_bytes(data + 1, size - 1, format, skip_bad);
	if ((data[0] & 16) && format && r.rc != 1 && !looks_packed(data + 1, size - 1))
		check_packed(data + 1, size - 1, format, skip_bad, r);
	return 0;
}
